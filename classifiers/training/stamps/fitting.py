"""Fitting of the image network on simulated alerts; deterministic for a seed and a number of threads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from classifiers.networks.stamps import StampNetwork
from classifiers.training.devices import CPU, Device, full_precision, tensor_on
from classifiers.training.journal.checkpoint import TrainingState
from classifiers.training.journal.history import TOTAL, HeldOut, joined, top_class
from classifiers.training.journal.journal import Journal
from classifiers.training.schedule import one_cycle
from classifiers.training.stamps.made_up import make_up
from classifiers.training.stamps.samples import Progress, Sample

BATCH = 128
PEAK_LEARNING_RATE = 3e-3
CLASS_WEIGHT = 0.5
"""Weight of the classifier's cross-entropy [nat] beside the VAE's loss [nat a pixel]."""
NOVELTY_WEIGHT = 0.5
"""Weight of the novelty head's cross-entropy [nat]."""
MADE_UP = 3
"""One in so many alerts of a batch is made up into what nothing is like, beside itself."""
ELBO, CROSS_ENTROPY, NOVELTY = "minus ELBO per pixel", "cross-entropy", "cross-entropy of novelty"
_RISE = 0.15


class Losses(NamedTuple):
    """Means over an epoch: minus ELBO [nat a pixel], cross-entropies of the classes and of novelty [nat]."""

    elbo: float
    cross_entropy: float
    novelty: float


@full_precision()
def fit(
    sample: Sample,
    seed: int,
    epochs: int,
    report: Progress,
    journal: Journal | None = None,
    held_out: Sample | None = None,
    device: Device = CPU,
) -> tuple[StampNetwork, list[Losses]]:
    """Train with Adam under a one-cycle learning rate; return the network and the losses of each epoch.

    Each batch is turned or mirrored as a whole: nothing on the sky or on a detector prefers a direction but rows and
    columns, which are exchanged. The novelty head learns from made-up alerts, which neither VAE nor classes see.

    Args:
        sample: simulated alerts.
        seed: of initial weights, order, symmetries and the latent's noise.
        epochs: passes over the sample.
        report: told what is being done and the fraction done.
        journal: keeps state and losses of each epoch, and is resumed; None: nothing is kept.
        held_out: what a journal's losses are measured on; goes with the journal.
        device: that computes; the network is on the host again when it is returned.
    """
    order = np.random.default_rng([seed, 2])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = StampNetwork()
    network.to(device)
    noise = torch.Generator().manual_seed(seed)
    steps_per_epoch = -(-len(sample) // BATCH)
    optimiser = torch.optim.Adam(network.parameters(), lr=PEAK_LEARNING_RATE)
    schedule = one_cycle(optimiser, PEAK_LEARNING_RATE, steps_per_epoch * epochs, _RISE)
    unlike = np.random.default_rng([seed, 4])
    state = TrainingState(network, optimiser, schedule, {"order": order, "made up": unlike}, {"latent": noise})
    first = journal.begin(state) if journal is not None else 0
    done = journal.history.epochs if journal is not None else ()
    losses = [Losses(*(epoch.training[name] for name in (ELBO, CROSS_ENTROPY, NOVELTY))) for epoch in done]
    for epoch in range(first, epochs):
        total = np.zeros(3)
        shuffled = order.permutation(len(sample))
        for step in range(steps_per_epoch):
            chosen = shuffled[step * BATCH : (step + 1) * BATCH]
            turn = int(order.integers(8))
            stamps, mask = (tensor_on(device, _turned(array, turn)) for array in sample.rows(chosen))
            optimiser.zero_grad(set_to_none=True)
            features = network.vae.features(stamps, mask)
            elbo = network.vae.negative_elbo(features, stamps, mask, noise)
            seen = network.head.seen(stamps, features)
            labels = tensor_on(device, sample.labels[chosen])
            cross_entropy = functional.cross_entropy(network.head(seen), labels)
            novelty = _novelty(network, stamps, mask, features.detach(), unlike)
            torch.autograd.backward(elbo + CLASS_WEIGHT * cross_entropy + NOVELTY_WEIGHT * novelty)
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(elbo.detach()), float(cross_entropy.detach()), float(novelty.detach())
            if step % 20 == 0:
                report(f"train, epoch {epoch + 1} of {epochs}", (epoch + step / steps_per_epoch) / epochs)
        losses.append(Losses(*(total / steps_per_epoch).tolist()))
        if journal is not None and held_out is not None:
            journal.end_epoch(state, _terms(losses[-1]), _measured(network, held_out, seed, device))
    return network.eval().cpu(), losses


def _novelty(network: StampNetwork, stamps: Tensor, mask: Tensor, features: Tensor, rng: np.random.Generator) -> Tensor:
    """Return the cross-entropy of telling made-up alerts from simulated ones; it leaves the VAE as it is."""
    some = slice(0, max(1, len(stamps) // MADE_UP))
    made = tensor_on(stamps.device, make_up(stamps[some].cpu().numpy(), mask[some].cpu().numpy(), rng))
    with torch.no_grad():
        made_features = network.vae.features(made, mask[some])
        known_deviance = network.contribution(stamps, mask, network.vae.posterior(features).mean)
        deviance = network.contribution(made, mask[some], network.vae.posterior(made_features).mean)
    seen = network.head.seen(torch.cat([stamps, made]), torch.cat([features, made_features]))
    logits = network.novelty(seen, torch.cat([known_deviance, deviance]))
    truth = torch.zeros_like(logits)
    truth[len(stamps) :] = 1.0
    return functional.binary_cross_entropy_with_logits(logits, truth)


def _terms(losses: Losses) -> dict[str, float]:
    total = losses.elbo + CLASS_WEIGHT * losses.cross_entropy + NOVELTY_WEIGHT * losses.novelty
    return {TOTAL: total, ELBO: losses.elbo, CROSS_ENTROPY: losses.cross_entropy, NOVELTY: losses.novelty}


def _measured(network: StampNetwork, held_out: Sample, seed: int, device: Device) -> HeldOut:
    """Measure held-out alerts as they are, with the same noise of the latent after each epoch."""
    noise = torch.Generator().manual_seed(seed + 1)
    unlike = np.random.default_rng([seed, 5])
    terms: list[tuple[dict[str, float], int]] = []
    probabilities = []
    start = 0
    with torch.no_grad():
        for rows in held_out.batches(BATCH):
            stamps, mask = (tensor_on(device, array) for array in rows)
            labels = tensor_on(device, held_out.labels[start : start + len(stamps)])
            start += len(stamps)
            features = network.vae.features(stamps, mask)
            elbo = float(network.vae.negative_elbo(features, stamps, mask, noise))
            seen = network.head.seen(stamps, features)
            logits = network.head(seen)
            novelty = float(_novelty(network, stamps, mask, features, unlike))
            losses = Losses(elbo, float(functional.cross_entropy(logits, labels)), novelty)
            terms.append((_terms(losses), len(stamps)))
            probabilities.append(torch.softmax(logits, dim=1))
    return HeldOut(joined(terms), top_class(torch.cat(probabilities).cpu().numpy(), held_out.labels))


def _turned(array: NDArray[np.float32], turn: int) -> NDArray[np.float32]:
    """Return one of the eight symmetries of the square of (b, 3, side, side) images."""
    view = np.rot90(array, turn % 4, axes=(2, 3))
    return np.ascontiguousarray(view[..., ::-1] if turn >= 4 else view)
