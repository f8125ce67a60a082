"""Fitting of the classifier and the QSO finder on simulated samples; deterministic for seed and number of threads."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from classifiers.networks.classifier import SpectralClassifier
from classifiers.networks.declared import REDSHIFT_THRESHOLD
from classifiers.networks.qso import QsoFinder, beyond
from classifiers.training.devices import CPU, Device, full_precision, tensor_on
from classifiers.training.epochs import Epochs, Kept, Progress, batches, floats, indexed, measured
from classifiers.training.journal.history import HeldOut, joined, reliability, top_class
from classifiers.training.losses import classifier_loss, qso_loss, tensors
from classifiers.training.samples import Samples
from classifiers.training.simulation.scheme import KINDS

_CONTINUUM_DROPPED = 0.12
_QSO, _NOVEL = (KINDS.index(name) for name in ("QSO", "NOVEL"))


@full_precision()
def fit_classifier(
    samples: Samples,
    seed: int,
    epochs: int,
    progress: Progress | None = None,
    kept: Kept | None = None,
    device: Device = CPU,
) -> SpectralClassifier:
    """Fit the Bayesian classifier; it is on the host again when it is returned.

    Args:
        samples: simulated training set.
        seed: of initial weights, bootstrap weights, batches and augmentation.
        epochs: passes over the samples.
        progress: called with the epoch and the fraction done.
        kept: where to keep the state and the losses of each epoch, and the held-out samples; None keeps nothing.
        device: that computes.
    """
    torch.manual_seed(seed)
    network = SpectralClassifier().to(device)
    weighing = np.random.default_rng((seed, 2))
    bootstrap = weighing.exponential(size=(len(samples), network.members)).astype(np.float32)
    generator = torch.Generator().manual_seed(seed)

    def measure(held_out: Samples) -> HeldOut:
        terms, outputs = [], []
        for batch in batches(held_out):
            answers = network.member_logits(network.channels(*tensors(batch, device)))
            terms.append((floats(classifier_loss(answers, batch)), len(batch)))
            outputs.append(torch.softmax(answers[0], dim=2).mean(dim=0))
        labelled = np.flatnonzero(held_out.class_index >= 0)
        probabilities = torch.cat(outputs).cpu().numpy()[labelled]
        return HeldOut(joined(terms), top_class(probabilities, held_out.class_index[labelled]))

    run = Epochs(network, indexed(samples), seed, epochs, 3e-3, generator, progress, measured(kept, measure))
    for batch in run:
        channels = _augmented(network.channels(*tensors(batch, device)), generator)
        weights = tensor_on(device, bootstrap[batch.snr.astype(np.int64)]).T
        run.step(classifier_loss(network.member_logits(channels), batch, weights))
    return network.eval().cpu()


def _augmented(channels: Tensor, generator: torch.Generator) -> Tensor:
    """Zero the continuum channel of some rows, so that lines alone must do."""
    kept = torch.rand(channels.shape[0], generator=generator) >= _CONTINUUM_DROPPED
    mask = torch.ones(channels.shape[0], 3, 1)
    mask[:, 0, 0] = kept.float()
    return channels * mask.to(channels.device)


@full_precision()
def fit_qso(
    samples: Samples,
    classifier: SpectralClassifier,
    seed: int,
    epochs: int,
    progress: Progress | None = None,
    kept: Kept | None = None,
    device: Device = CPU,
) -> QsoFinder:
    """Fit the QSO finder on the trunk of a fitted classifier, which stays as it is; arguments as there."""
    torch.manual_seed(seed)
    known = samples.rows(np.flatnonzero(samples.kind != _NOVEL))
    network = QsoFinder(classifier).to(device)
    generator = torch.Generator().manual_seed(seed)

    def measure(held_out: Samples) -> HeldOut:
        known = held_out.rows(np.flatnonzero(held_out.kind != _NOVEL))
        terms, outputs = [], []
        for batch in batches(known):
            logits, scores = network.logits(network.channels(*tensors(batch, device)))
            terms.append((floats(qso_loss(logits, batch)), len(batch)))
            outputs.append(torch.sigmoid(torch.stack([logits[:, 0], beyond(scores, REDSHIFT_THRESHOLD)], dim=1)))
        probabilities, quasar = torch.cat(outputs).cpu().numpy(), known.kind == _QSO
        far = known.redshift[quasar] >= REDSHIFT_THRESHOLD
        promised = {"QSO": (probabilities[:, 0], quasar), "high redshift": (probabilities[quasar, 1], far)}
        return HeldOut(joined(terms), reliability(promised))

    run = Epochs(network, known, seed, epochs, 3e-3, generator, progress, measured(kept, measure))
    for batch in run:
        logits, _ = network.logits(_augmented(network.channels(*tensors(batch, device)), generator))
        run.step(qso_loss(logits, batch))
    return network.eval().cpu()
