"""Fitting of the image network on simulated alerts; deterministic for a seed and a number of threads."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from classifiers.training.journal.checkpoint import TrainingState
from classifiers.training.journal.history import TOTAL, HeldOut, joined, top_class
from classifiers.training.journal.journal import Journal
from classifiers.training.schedule import one_cycle
from classifiers.training.stamps.network import StampNetwork
from classifiers.training.stamps.samples import Progress, Sample

BATCH = 128
PEAK_LEARNING_RATE = 3e-3
CLASS_WEIGHT = 0.5
"""Weight of the classifier's cross-entropy [nat] beside the VAE's loss [nat a pixel]."""
ELBO, CROSS_ENTROPY = "minus ELBO per pixel", "cross-entropy"
_RISE = 0.15


def fit(
    sample: Sample,
    seed: int,
    epochs: int,
    report: Progress,
    journal: Journal | None = None,
    held_out: Sample | None = None,
) -> tuple[StampNetwork, list[tuple[float, float]]]:
    """Train with Adam under a one-cycle learning rate; return the network and the two losses of each epoch.

    Each batch is turned or mirrored as a whole: nothing on the sky or on a detector prefers a direction but rows and
    columns, which are exchanged.

    Args:
        sample: simulated alerts.
        seed: of initial weights, order, symmetries and the latent's noise.
        epochs: passes over the sample.
        report: told what is being done and the fraction done.
        journal: keeps state and losses of each epoch, and is resumed; None: nothing is kept.
        held_out: what a journal's losses are measured on; goes with the journal.
    """
    order = np.random.default_rng([seed, 2])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = StampNetwork()
    noise = torch.Generator().manual_seed(seed)
    steps_per_epoch = -(-len(sample) // BATCH)
    optimiser = torch.optim.Adam(network.parameters(), lr=PEAK_LEARNING_RATE)
    schedule = one_cycle(optimiser, PEAK_LEARNING_RATE, steps_per_epoch * epochs, _RISE)
    state = TrainingState(network, optimiser, schedule, {"order": order}, {"latent": noise})
    first = journal.begin(state) if journal is not None else 0
    done = journal.history.epochs if journal is not None else ()
    losses = [(epoch.training[ELBO], epoch.training[CROSS_ENTROPY]) for epoch in done]
    for epoch in range(first, epochs):
        total = np.zeros(2)
        shuffled = order.permutation(len(sample))
        for step in range(steps_per_epoch):
            chosen = shuffled[step * BATCH : (step + 1) * BATCH]
            stamps, mask = (_turned(array, int(turn)) for turn in [order.integers(8)] for array in sample.rows(chosen))
            optimiser.zero_grad(set_to_none=True)
            features = network.vae.features(stamps, mask)
            elbo = network.vae.negative_elbo(features, stamps, mask, noise)
            logits = network.head(stamps, features)
            cross_entropy = functional.cross_entropy(logits, torch.from_numpy(sample.labels[chosen]))
            torch.autograd.backward(elbo + CLASS_WEIGHT * cross_entropy)
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(elbo.detach()), float(cross_entropy.detach())
            if step % 20 == 0:
                report(f"train, epoch {epoch + 1} of {epochs}", (epoch + step / steps_per_epoch) / epochs)
        losses.append((float(total[0]) / steps_per_epoch, float(total[1]) / steps_per_epoch))
        if journal is not None and held_out is not None:
            journal.end_epoch(state, _terms(*losses[-1]), _measured(network, held_out, seed))
    return network.eval(), losses


def _terms(elbo: float, cross_entropy: float) -> dict[str, float]:
    return {TOTAL: elbo + CLASS_WEIGHT * cross_entropy, ELBO: elbo, CROSS_ENTROPY: cross_entropy}


def _measured(network: StampNetwork, held_out: Sample, seed: int) -> HeldOut:
    """Measure held-out alerts as they are, with the same noise of the latent after each epoch."""
    noise = torch.Generator().manual_seed(seed + 1)
    terms: list[tuple[dict[str, float], int]] = []
    probabilities = []
    start = 0
    with torch.no_grad():
        for rows in held_out.batches(BATCH):
            stamps, mask = (torch.from_numpy(array) for array in rows)
            labels = torch.from_numpy(held_out.labels[start : start + len(stamps)])
            start += len(stamps)
            features = network.vae.features(stamps, mask)
            elbo = float(network.vae.negative_elbo(features, stamps, mask, noise))
            logits = network.head(stamps, features)
            terms.append((_terms(elbo, float(functional.cross_entropy(logits, labels))), len(stamps)))
            probabilities.append(torch.softmax(logits, dim=1))
    return HeldOut(joined(terms), top_class(torch.cat(probabilities).numpy(), held_out.labels))


def _turned(array: NDArray[np.float32], turn: int) -> Tensor:
    """Return one of the eight symmetries of the square of (b, 3, side, side) images."""
    view = np.rot90(array, turn % 4, axes=(2, 3))
    return torch.from_numpy(np.ascontiguousarray(view[..., ::-1] if turn >= 4 else view))
