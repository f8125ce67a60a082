"""Fitting of the three spectral networks on simulated samples; deterministic for a seed and a number of threads.

A fit that keeps a journal draws the same numbers in the same order as one that keeps none: what is measured on held-out
simulations takes nothing from the generators of the training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from classifiers.networks.channels import normalise
from classifiers.networks.classifier import SpectralClassifier
from classifiers.networks.declared import REDSHIFT_THRESHOLD
from classifiers.networks.qso import QsoFinder, beyond
from classifiers.networks.vae import LARGEST_CHI2, SpectralVae, binned_chi_square, score
from classifiers.training.journal.checkpoint import TrainingState
from classifiers.training.journal.history import TOTAL, HeldOut, joined, reliability, same_distribution, top_class
from classifiers.training.journal.journal import Journal
from classifiers.training.losses import Terms, classifier_loss, qso_loss, tensors, vae_loss
from classifiers.training.samples import Samples
from classifiers.training.schedule import one_cycle
from classifiers.training.simulation.scheme import KINDS

Progress = Callable[[str, float], None]
BATCH = 256
_CONTINUUM_DROPPED = 0.12
_RISE = 0.2
_SPARE_STEPS = 1
_QSO, _OTHER, _NOVEL = (KINDS.index(name) for name in ("QSO", "OTHER", "NOVEL"))


@dataclass(frozen=True, slots=True)
class Kept:
    """A journal, and the simulations that the network is measured on after each epoch but never trained on."""

    journal: Journal
    held_out: Samples


class Epochs:
    """Shuffled batches over all epochs, with a one-cycle learning rate, progress and, where one is kept, a journal."""

    def __init__(
        self,
        network: nn.Module,
        samples: Samples,
        seed: int,
        epochs: int,
        rate: float,
        noise: torch.Generator,
        progress: Progress | None = None,
        kept: tuple[Journal, Callable[[], HeldOut]] | None = None,
    ) -> None:
        self._samples = samples
        self._rng = np.random.default_rng((seed, 1))
        self._epochs, self._progress = epochs, progress
        self._batches = max(1, len(samples) // BATCH)
        self._network = network
        self._optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
        self._schedule = one_cycle(self._optimiser, rate, epochs * self._batches + _SPARE_STEPS, _RISE)
        self._state = TrainingState(network, self._optimiser, self._schedule, {"order": self._rng}, {"noise": noise})
        self._kept = kept
        self._sums: dict[str, float] = {}

    def __iter__(self) -> Iterator[Samples]:
        """Yield batches; call ``step`` with the loss of each."""
        first = self._kept[0].begin(self._state) if self._kept is not None else 0
        for epoch in range(first, self._epochs):
            order = self._rng.permutation(len(self._samples))
            self._sums = {}
            for batch in range(self._batches):
                if self._progress is not None:
                    done = (epoch * self._batches + batch) / (self._epochs * self._batches)
                    self._progress(f"epoch {epoch + 1}/{self._epochs}", done)
                yield self._samples.rows(order[batch * BATCH : (batch + 1) * BATCH])
            if self._kept is not None:
                journal, measure = self._kept
                means = {name: total / self._batches for name, total in self._sums.items()}
                with torch.no_grad():
                    journal.end_epoch(self._state, means, measure())

    def step(self, terms: Terms) -> None:
        """Descend along one loss; its parts are noted."""
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(terms[TOTAL])
        nn.utils.clip_grad_norm_(self._network.parameters(), 2.0)
        self._optimiser.step()
        self._schedule.step()
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value.detach())


def fit_classifier(
    samples: Samples, seed: int, epochs: int, progress: Progress | None = None, kept: Kept | None = None
) -> SpectralClassifier:
    """Fit the Bayesian classifier.

    Args:
        samples: simulated training set.
        seed: of initial weights, bootstrap weights, batches and augmentation.
        epochs: passes over the samples.
        progress: called with the epoch and the fraction done.
        kept: where to keep the state and the losses of each epoch, and the held-out samples; None keeps nothing.
    """
    torch.manual_seed(seed)
    network = SpectralClassifier()
    bootstrap = torch.from_numpy(
        np.random.default_rng((seed, 2)).exponential(size=(len(samples), network.members)).astype(np.float32)
    )
    generator = torch.Generator().manual_seed(seed)
    indexed = _indexed(samples)

    def measure(held_out: Samples) -> HeldOut:
        terms, outputs = [], []
        for batch in _batches(held_out):
            answers = network.member_logits(network.channels(*tensors(batch)))
            terms.append((_floats(classifier_loss(answers, batch)), len(batch)))
            outputs.append(torch.softmax(answers[0], dim=2).mean(dim=0))
        labelled = np.flatnonzero(held_out.class_index >= 0)
        probabilities = torch.cat(outputs).numpy()[labelled]
        return HeldOut(joined(terms), top_class(probabilities, held_out.class_index[labelled]))

    run = Epochs(network, indexed, seed, epochs, 3e-3, generator, progress, _measured(kept, measure))
    for batch in run:
        channels = _augmented(network.channels(*tensors(batch)), generator)
        weights = bootstrap[torch.from_numpy(batch.snr.astype(np.int64))].T
        run.step(classifier_loss(network.member_logits(channels), batch, weights))
    return network.eval()


def _indexed(samples: Samples) -> Samples:
    """Return the samples with their row number in the unused column ``snr``, by which bootstrap weights are found."""
    columns = {name: getattr(samples, name) for name in samples.__dataclass_fields__}
    columns["snr"] = np.arange(len(samples), dtype=np.float64)
    return Samples(**columns)


def _augmented(channels: Tensor, generator: torch.Generator) -> Tensor:
    """Zero the continuum channel of some rows, so that lines alone must do."""
    kept = torch.rand(channels.shape[0], generator=generator) >= _CONTINUUM_DROPPED
    mask = torch.ones(channels.shape[0], 3, 1)
    mask[:, 0, 0] = kept.float()
    return channels * mask


def fit_qso(
    samples: Samples,
    classifier: SpectralClassifier,
    seed: int,
    epochs: int,
    progress: Progress | None = None,
    kept: Kept | None = None,
) -> QsoFinder:
    """Fit the QSO finder on the trunk of a fitted classifier, which stays as it is; arguments as there."""
    torch.manual_seed(seed)
    known = samples.rows(np.flatnonzero(samples.kind != _NOVEL))
    network = QsoFinder(classifier)
    generator = torch.Generator().manual_seed(seed)

    def measure(held_out: Samples) -> HeldOut:
        known = held_out.rows(np.flatnonzero(held_out.kind != _NOVEL))
        terms, outputs = [], []
        for batch in _batches(known):
            logits, scores = network.logits(network.channels(*tensors(batch)))
            terms.append((_floats(qso_loss(logits, batch)), len(batch)))
            outputs.append(torch.sigmoid(torch.stack([logits[:, 0], beyond(scores, REDSHIFT_THRESHOLD)], dim=1)))
        probabilities, quasar = torch.cat(outputs).numpy(), known.kind == _QSO
        far = known.redshift[quasar] >= REDSHIFT_THRESHOLD
        promised = {"QSO": (probabilities[:, 0], quasar), "high redshift": (probabilities[quasar, 1], far)}
        return HeldOut(joined(terms), reliability(promised))

    run = Epochs(network, known, seed, epochs, 3e-3, generator, progress, _measured(kept, measure))
    for batch in run:
        logits, _ = network.logits(_augmented(network.channels(*tensors(batch)), generator))
        run.step(qso_loss(logits, batch))
    return network.eval()


def fit_vae(
    samples: Samples, seed: int, epochs: int, progress: Progress | None = None, kept: Kept | None = None
) -> SpectralVae:
    """Fit the autoencoder on the known classes alone; arguments as in ``fit_classifier``."""
    torch.manual_seed(seed)
    known = known_classes(samples)
    network = SpectralVae()
    generator = torch.Generator().manual_seed(seed)

    def measure(held_out: Samples) -> HeldOut:
        held_out = known_classes(held_out)
        terms = [(_floats(vae_loss(network, batch)), len(batch)) for batch in _batches(held_out)]
        trained = known.rows(slice(0, len(held_out)))
        scores = [torch.cat([_score(network, batch) for batch in _batches(part)]) for part in (trained, held_out)]
        return HeldOut(joined(terms), same_distribution("anomaly score", scores[0].numpy(), scores[1].numpy()))

    run = Epochs(network, known, seed, epochs, 2e-3, generator, progress, _measured(kept, measure))
    for batch in run:
        run.step(vae_loss(network, batch, generator))
    return network.eval()


def known_classes(samples: Samples) -> Samples:
    """Return the rows of what the classes know: neither OTHER nor made up."""
    return samples.rows(np.flatnonzero((samples.kind != _OTHER) & (samples.kind != _NOVEL)))


def _measured(kept: Kept | None, measure: Callable[[Samples], HeldOut]) -> tuple[Journal, Callable[[], HeldOut]] | None:
    return None if kept is None else (kept.journal, lambda: measure(kept.held_out))


def _batches(samples: Samples) -> Iterator[Samples]:
    """Yield all samples in order."""
    for start in range(0, len(samples), BATCH):
        yield samples.rows(slice(start, start + BATCH))


def _floats(terms: Terms) -> dict[str, float]:
    return {name: float(value) for name, value in terms.items()}


def _score(network: SpectralVae, batch: Samples) -> Tensor:
    x, significance = normalise(*tensors(batch))
    mean, _ = network.encode(x, significance)
    chi2 = torch.clamp(binned_chi_square(x, significance, network.decode(mean)), max=LARGEST_CHI2)
    return score(chi2, significance)
