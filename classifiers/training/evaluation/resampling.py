"""Intervals of numbers that are no proportions: objects are drawn again, with all their spectra (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
DRAWS, SEED = 1000, 20_261_122


def resampled_interval(
    statistic: Callable[[Rows], float], objects: Sequence[str], rng: np.random.Generator, draws: int = DRAWS
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of a statistic; None below two objects.

    Args:
        statistic: of some of the n spectra, by their positions, which may repeat.
        objects: (n,) whose spectrum each is: epochs of one object are drawn together.
        rng: source of randomness.
        draws: of as many objects as there are.
    """
    _, member = np.unique(np.asarray(objects, np.str_), return_inverse=True)
    count = int(member.max(initial=-1)) + 1
    if count < 2:
        return None
    order = np.argsort(member, kind="stable")
    size = np.bincount(member)
    start = np.cumsum(size) - size

    def drawn() -> Rows:
        objects_drawn = rng.integers(0, count, count)
        lengths = size[objects_drawn]
        first = np.cumsum(lengths) - lengths
        places = np.arange(int(lengths.sum())) + np.repeat(start[objects_drawn] - first, lengths)
        return np.asarray(order[places], np.int64)

    low, high = np.percentile([statistic(drawn()) for _ in range(draws)], (2.5, 97.5))
    return float(low), float(high)
