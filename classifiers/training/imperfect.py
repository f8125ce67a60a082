"""What goes wrong with spectra on their way, whatever they show: ends, arms and bins are missing, arms do not join.

Surveys deliver spectra whose blue or red half is lost, with gaps between detectors, masked here and there, or with arms
whose flux scales disagree, and a bundle must tell what it has not seen from what nobody has seen. A share of the
training spectra, and of those that calibrate, goes through this; labels stay those of the whole spectrum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Halves = NDArray[np.float16]

LOSING = 0.2
"""Share of the spectra that lose bins."""
STEPPING = 0.06
"""Share of the spectra whose arms do not join."""
LEAST_LEFT = 0.35
"""Of the bins of the grid; a spectrum that would keep less stays as it is."""
_END, _ARM, _SCATTERED = range(3)
_CHANCES = (0.5, 0.25, 0.25)
_LARGEST_END, _LARGEST_ARM, _LARGEST_SCATTERED = 0.6, 0.4, 0.4
_LONGEST_RUN = 8
_STEP = 0.35  # standard deviation of the natural logarithm
_LARGEST = np.finfo(np.float16).max


def spoil(flux: Halves, significance: Halves, rng: np.random.Generator, losing: float = LOSING) -> None:
    """Take bins from some spectra and shift the arms of others, in place.

    Args:
        flux: (n, bin) float16 on the common grid, 0 where masked.
        significance: (n, bin) float16 inverse errors, 0 where masked.
        rng: source of randomness.
        losing: share of the spectra that lose bins.
    """
    _step(flux, significance, rng)
    left = kept(significance, rng, losing)
    flux[~left] = 0
    significance[~left] = 0


def _step(flux: Halves, significance: Halves, rng: np.random.Generator) -> None:
    n, bins = flux.shape
    rows = np.flatnonzero(rng.random(n) < STEPPING)
    factor = np.exp(_STEP * rng.standard_normal(rows.size)).astype(np.float32)
    places = rng.integers(bins // 5, 4 * bins // 5, rows.size)
    with np.errstate(over="ignore"):  # of the brightest, which are at the end of what a half holds already
        for row, place, scale in zip(rows.tolist(), places.tolist(), factor.tolist(), strict=True):
            flux[row, place:] *= scale
            significance[row, place:] /= scale
    for values in (flux, significance):
        np.clip(values, -_LARGEST, _LARGEST, out=values)


def kept(significance: Halves, rng: np.random.Generator, losing: float = LOSING) -> NDArray[np.bool_]:
    """Draw which bins are left: (n, bin) bool, all true for spectra that lose nothing; arguments as ``spoil``'s."""
    n, bins = significance.shape
    good = significance > 0
    left = np.ones((n, bins), np.bool_)
    rows = np.flatnonzero((rng.random(n) < losing) & good.any(axis=1))
    kinds = rng.choice(3, rows.size, p=_CHANCES)
    amounts = rng.random(rows.size)
    for row, kind, amount in zip(rows.tolist(), kinds.tolist(), amounts.tolist(), strict=True):
        covered = np.flatnonzero(good[row])
        first, last = int(covered[0]), int(covered[-1]) + 1
        span = last - first
        if kind == _END:
            lost = int(_LARGEST_END * amount * span)
            left[row, slice(first, first + lost) if rng.random() < 0.5 else slice(last - lost, last)] = False
        elif kind == _ARM:
            lost = int(_LARGEST_ARM * amount * span)
            start = first + int(rng.integers(0, span - lost + 1))
            left[row, start : start + lost] = False
        else:
            runs = rng.integers(1, _LONGEST_RUN + 1, int(_LARGEST_SCATTERED * amount * span / _LONGEST_RUN * 2) + 1)
            for start, length in zip(rng.integers(first, last, runs.size).tolist(), runs.tolist(), strict=True):
                left[row, start : start + length] = False
    left[(left & good).sum(axis=1) < LEAST_LEFT * bins] = True
    return left
