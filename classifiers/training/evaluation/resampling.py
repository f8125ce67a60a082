"""Intervals of what is measured on dependent spectra: objects are drawn again, with all their spectra (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.training.intervals import clopper_pearson

Rows = NDArray[np.int64]
DRAWS, SEED = 1000, 20_261_122


def first_spectra(objects: Sequence[str]) -> Rows:
    """Return the positions of the first spectrum of each object, ascending; ``objects`` (n,) whose each is."""
    _, first = np.unique(np.asarray(objects, np.str_), return_index=True)
    return np.sort(first).astype(np.int64)


def share_interval(
    hits: NDArray[np.bool_], objects: Sequence[str], rng: np.random.Generator, draws: int = DRAWS
) -> tuple[float, float]:
    """Return the 95 % interval of a share of spectra, several of which are of one object.

    Where all are hits or none is, drawing again changes nothing: then it is the exact one of as many trials as objects.

    Args:
        hits: (n,).
        objects: (n,) whose spectrum each is.
        rng: source of randomness.
        draws: see ``resampled_interval``.
    """
    count = len(set(objects))
    if hits.all() or not hits.any():
        return clopper_pearson(count if hits.any() else 0, count)
    found = resampled_interval(lambda rows: float(hits[rows].mean()), objects, rng, draws)
    return (0.0, 1.0) if found is None else found


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
