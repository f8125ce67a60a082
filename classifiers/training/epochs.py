"""Batches over all epochs of a fit on simulated samples, and what is kept of each epoch.

A fit that keeps a journal draws the same numbers in the same order as one that keeps none: what is measured on held-out
simulations takes nothing from the generators of the training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from classifiers.training.journal.checkpoint import TrainingState
from classifiers.training.journal.history import TOTAL, HeldOut
from classifiers.training.journal.journal import Journal
from classifiers.training.losses import Terms
from classifiers.training.samples import Samples
from classifiers.training.schedule import one_cycle
from classifiers.training.simulation.scheme import KINDS

Progress = Callable[[str, float], None]
BATCH = 256
_RISE = 0.2
_SPARE_STEPS = 1
_OTHER, _NOVEL = (KINDS.index(name) for name in ("OTHER", "NOVEL"))


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


def indexed(samples: Samples) -> Samples:
    """Return the samples with row numbers in the unused column ``snr``, by which what belongs to a row is found."""
    columns = {name: getattr(samples, name) for name in samples.__dataclass_fields__}
    columns["snr"] = np.arange(len(samples), dtype=np.float64)
    return Samples(**columns)


def known_classes(samples: Samples) -> Samples:
    """Return the rows of what the classes know: neither OTHER nor made up."""
    return samples.rows(np.flatnonzero((samples.kind != _OTHER) & (samples.kind != _NOVEL)))


def measured(kept: Kept | None, measure: Callable[[Samples], HeldOut]) -> tuple[Journal, Callable[[], HeldOut]] | None:
    """Return the journal and what measures the network on the samples kept for that, None where nothing is kept."""
    return None if kept is None else (kept.journal, lambda: measure(kept.held_out))


def batches(samples: Samples) -> Iterator[Samples]:
    """Yield all samples in order."""
    for start in range(0, len(samples), BATCH):
        yield samples.rows(slice(start, start + BATCH))


def floats(terms: Terms) -> dict[str, float]:
    """Return the parts of a loss as numbers."""
    return {name: float(value) for name, value in terms.items()}
