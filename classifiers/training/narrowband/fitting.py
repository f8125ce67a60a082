"""Fitting of the narrow-band network on mocks; deterministic for a seed and a number of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from classifiers.networks.narrowband import ExportedNarrowband, NarrowbandNet, residuals, target_bins
from classifiers.training.devices import CPU, Device, tensor_on
from classifiers.training.journal.checkpoint import TrainingState
from classifiers.training.journal.history import TOTAL, HeldOut, top_class
from classifiers.training.journal.journal import Journal
from classifiers.training.narrowband.missing import of_any
from classifiers.training.narrowband.samples import Inputs, observed_inputs
from classifiers.training.narrowband.simulator import Mocks, NarrowbandSimulator
from classifiers.training.schedule import one_cycle

Progress: TypeAlias = Callable[[str, float], None]

BATCH = 512
PEAK_LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-3
RECONSTRUCTION_WEIGHT = 0.3
LARGEST_CHI2 = 400.0
"""Residuals beyond this pull no further, so that one strange band of one source does not lead a step."""
POSTERIOR, RECONSTRUCTION = "cross-entropy of the posterior", "reconstruction"
_RISE = 0.1
_VALIDATION_NOISE = 11


def fit(
    mocks: Mocks,
    simulator: NarrowbandSimulator,
    seed: int,
    epochs: int,
    report: Progress,
    journal: Journal | None = None,
    held_out: Mocks | None = None,
    device: Device = CPU,
) -> tuple[NarrowbandNet, list[float]]:
    """Train with AdamW under a one-cycle learning rate; return the network and the mean loss of each epoch [nat].

    Args:
        mocks: sources; each epoch observes them anew.
        simulator: that drew them.
        seed: of initial weights, order and observation.
        epochs: passes over the mocks.
        report: told what is being done and the fraction done.
        journal: keeps state and losses of each epoch, and is resumed; None: nothing is kept.
        held_out: what a journal's losses are measured on; goes with the journal.
        device: that computes; the network is on the host again when it is returned.
    """
    order, noise = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = NarrowbandNet()
    net.to(device)
    bins = torch.from_numpy(target_bins(mocks.kind, mocks.redshift))
    steps = -(-len(mocks) // BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), lr=PEAK_LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = one_cycle(optimiser, PEAK_LEARNING_RATE, steps * epochs, _RISE)
    state = TrainingState(net, optimiser, schedule, {"order": order, "noise": noise}, {})
    first = journal.begin(state) if journal is not None else 0
    losses = [round(epoch.training[POSTERIOR], 4) for epoch in journal.history.epochs] if journal is not None else []
    for epoch in range(first, epochs):
        inputs = observed_inputs(mocks, simulator.pivot_angstrom, noise, of_any)
        flux, inverse_variance = torch.from_numpy(inputs.flux), torch.from_numpy(inputs.inverse_variance)
        shuffled = torch.from_numpy(order.permutation(len(mocks)))
        total, explained_total = 0.0, 0.0
        for step in range(steps):
            rows = shuffled[step * BATCH : (step + 1) * BATCH]
            optimiser.zero_grad(set_to_none=True)
            loss, explained = _losses(net, *(each[rows].to(device) for each in (flux, inverse_variance, bins)))
            torch.autograd.backward(loss + RECONSTRUCTION_WEIGHT * explained)
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
            explained_total += float(explained.detach())
            if step % 50 == 0:
                report(f"train, epoch {epoch + 1} of {epochs}", (epoch + step / steps) / epochs)
        losses.append(round(total / steps, 4))
        if journal is not None and held_out is not None:
            rng = np.random.default_rng([seed, _VALIDATION_NOISE])  # the same observation after each epoch
            seen = observed_inputs(held_out, simulator.pivot_angstrom, rng, of_any)
            measured = _measured(net, held_out, seen, device)
            journal.end_epoch(state, _terms(total / steps, explained_total / steps), measured)
    return net.eval().cpu(), losses


def _losses(net: NarrowbandNet, flux: Tensor, inverse_variance: Tensor, bins: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of the posterior and the cost of the reconstruction, scalars [nat]."""
    logits, decoded = net(flux, inverse_variance)
    loss = torch.nn.functional.cross_entropy(logits, bins)
    left = residuals(flux, inverse_variance, decoded)
    return loss, 0.5 * (left.chi2.clamp(max=LARGEST_CHI2) + left.log_variance).mean()


def _terms(posterior: float, reconstruction: float) -> dict[str, float]:
    total = posterior + RECONSTRUCTION_WEIGHT * reconstruction
    return {TOTAL: total, POSTERIOR: posterior, RECONSTRUCTION: reconstruction}


def _measured(net: NarrowbandNet, held_out: Mocks, seen: Inputs, device: Device) -> HeldOut:
    flux, inverse_variance = tensor_on(device, seen.flux), tensor_on(device, seen.inverse_variance)
    bins = tensor_on(device, target_bins(held_out.kind, held_out.redshift))
    with torch.no_grad():
        loss, explained = _losses(net, flux, inverse_variance, bins)
        logits = ExportedNarrowband(net).to(device)(flux, inverse_variance)[0]
        classes = torch.softmax(logits, dim=1).cpu().numpy()
    return HeldOut(_terms(float(loss), float(explained)), top_class(classes, held_out.class_index()))
