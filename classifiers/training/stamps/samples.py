"""Prepared simulated alerts, as the network reads them, with their classes. Numpy alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from classifiers.images.prepare import SIDE, prepare_stamps
from classifiers.training.stamps.simulate import CHUNK, simulate_stamps

Progress: TypeAlias = Callable[[str, float], None]


class Sample:
    """Prepared simulated alerts, kept in half precision: an alert takes 36 kB.

    Attributes:
        stamps: (n, 3, 63, 63) float16.
        mask: (n, 3, 63, 63) uint8, 1 = valid.
        labels: (n,) int64, ``StampClass``.
    """

    def __init__(self, n: int, rng: np.random.Generator, report: Progress, what: str) -> None:
        self.stamps = np.empty((n, 3, SIDE, SIDE), dtype=np.float16)
        self.mask = np.empty((n, 3, SIDE, SIDE), dtype=np.uint8)
        self.labels = np.empty(n, dtype=np.int64)
        for start in range(0, n, CHUNK):
            report(what, start / n)
            stop = min(start + CHUNK, n)
            simulated = simulate_stamps(stop - start, rng)
            prepared = prepare_stamps(simulated.items())
            self.stamps[start:stop] = prepared.stamps
            self.mask[start:stop] = prepared.mask
            self.labels[start:stop] = simulated.labels

    def __len__(self) -> int:
        """Return n."""
        return len(self.stamps)

    def rows(self, index: NDArray[np.int64] | slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return stamps and mask of some alerts as an engine reads them."""
        return self.stamps[index].astype(np.float32), self.mask[index].astype(np.float32)

    def batches(self, size: int = 256) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Yield stamps and mask of all alerts in order."""
        for start in range(0, len(self), size):
            yield self.rows(slice(start, start + size))
