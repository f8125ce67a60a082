"""Robust normalisation on the common grid: every spectrum to a median near 1, or to its noise where it has no signal.

scale = max(|median flux|, 0.5 median sigma)        over valid pixels
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FLUX_LIMIT = np.float32(1e6)
WEIGHT_LIMIT = np.float32(1e10)
"""Normalised flux and inverse variance are clipped to these: S/N per bin beyond 1e5 is not measured by any instrument,
and a chi-square of clipped values stays far from float32 overflow."""
_SCALE_LIMIT = 1e18  # its square is a float32; reached by nonsense only


class Normalised(NamedTuple):
    """b normalised rows; fields as in ``PreparedBatch``."""

    flux: NDArray[np.float32]
    inverse_variance: NDArray[np.float32]
    scale: NDArray[np.float64]
    snr: NDArray[np.float64]
    coverage: NDArray[np.float64]


def normalise(weight: NDArray[np.float32], weighted: NDArray[np.float32]) -> Normalised:
    """Turn sums over bins into normalised flux and inverse variance.

    Args:
        weight: (b, pixel) float32, sum of inverse variances [u^-2], 0 where nothing valid fell; overwritten.
        weighted: (b, pixel) float32, sum of inverse variance times flux [u^-1]; overwritten.
    """
    b, n = weight.shape
    if not np.isfinite(weighted).all() or not np.isfinite(weight).all():
        broken = ~(np.isfinite(weighted) & np.isfinite(weight))
        weight[broken] = 0
        weighted[broken] = 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        flux = weighted / weight  # NaN where weight is 0, which sorts last
        significance = weighted / np.sqrt(weight)
    valid = weight > 0
    count = np.array([np.count_nonzero(row) for row in valid])
    snr = _median_of_first(np.sort(significance, axis=1), count)
    centre = _median_of_first(np.sort(flux, axis=1), count)
    ordered = np.sort(weight, axis=1)
    rows = np.arange(b)
    upper, lower = ordered[rows, n - 1 - _low(count)], ordered[rows, n - 1 - np.minimum(count // 2, n - 1)]
    with np.errstate(divide="ignore"):
        sigma = 0.5 * (upper.astype(np.float64) ** -0.5 + lower.astype(np.float64) ** -0.5)
    scale = np.where(count > 0, np.clip(np.fmax(np.abs(centre), 0.5 * sigma), 1 / _SCALE_LIMIT, _SCALE_LIMIT), 1.0)
    np.copyto(flux, 0, where=~valid)
    flux *= (1.0 / scale).astype(np.float32)[:, None]
    with np.errstate(over="ignore"):
        np.multiply(weight, (scale**2).astype(np.float32)[:, None], out=weight)
    np.clip(flux, -FLUX_LIMIT, FLUX_LIMIT, out=flux)
    np.minimum(weight, WEIGHT_LIMIT, out=weight)
    return Normalised(flux, weight, scale, snr, count / n)


def _low(count: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.maximum(count - 1, 0) // 2


def _median_of_first(ordered: NDArray[np.float32], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the median of the first ``count`` values of each ascending row; NaN for count 0."""
    rows = np.arange(ordered.shape[0])
    low = ordered[rows, _low(count)].astype(np.float64)
    high = ordered[rows, np.minimum(count // 2, ordered.shape[1] - 1)].astype(np.float64)
    return np.where(count > 0, 0.5 * (low + high), np.nan)
