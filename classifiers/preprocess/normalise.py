"""Robust normalisation on the common grid: every spectrum to a median near 1, or to its noise where it has no signal.

scale = max(|median flux|, 0.5 median sigma)        over valid pixels
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled

Floats = NDArray[np.float32]

FLUX_LIMIT = np.float32(1e6)
WEIGHT_LIMIT = np.float32(1e10)
"""Normalised flux and inverse variance are clipped to these: S/N per bin beyond 1e5 is not measured by any instrument,
and a chi-square of clipped values stays far from float32 overflow."""
_LARGEST = float(np.finfo(np.float32).max)
_scratch = threading.local()
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
        weighted: (b, pixel) float32, sum of inverse variance times flux [u^-1].
    """
    b, n = weight.shape
    flux, count = np.empty_like(weight), np.empty(b, np.int64)
    ordered = _memory(b, n)
    _divide(weight, weighted, flux, ordered, count)
    ordered.sort(axis=1)
    snr = _median_of_first(ordered, count)
    np.copyto(ordered, flux)
    ordered.sort(axis=1)
    centre = _median_of_first(ordered, count)
    np.copyto(ordered, weight)
    ordered.sort(axis=1)
    rows = np.arange(b)
    upper, lower = ordered[rows, n - 1 - _low(count)], ordered[rows, n - 1 - np.minimum(count // 2, n - 1)]
    with np.errstate(divide="ignore"):
        sigma = 0.5 * (upper.astype(np.float64) ** -0.5 + lower.astype(np.float64) ** -0.5)
    scale = np.where(count > 0, np.clip(np.fmax(np.abs(centre), 0.5 * sigma), 1 / _SCALE_LIMIT, _SCALE_LIMIT), 1.0)
    _rescale(flux, weight, scale)
    return Normalised(flux, weight, scale, snr, count / n)


def _memory(b: int, n: int) -> Floats:
    """Return (b, n) to write over, the thread's own: fresh memory costs a page fault every 4 KiB."""
    memory: Floats | None = getattr(_scratch, "memory", None)
    if memory is None or memory.size < b * n:
        memory = _scratch.memory = np.empty(b * n, np.float32)
    return memory[: b * n].reshape(b, n)


@compiled
def _divide(weight: Floats, weighted: Floats, flux: Floats, significance: Floats, count: NDArray[np.int64]) -> None:
    """Mask what is not finite, and write flux and significance of the rest; NaN, which sorts last, where masked."""
    for row in range(weight.shape[0]):
        w, wf, f, s = weight[row], weighted[row], flux[row], significance[row]
        valid = 0
        for i in range(w.size):
            finite = (w[i] <= _LARGEST) & (abs(wf[i]) <= _LARGEST)
            w[i] = w[i] if finite else np.float32(0.0)
            known = w[i] > 0
            f[i] = wf[i] / w[i] if known else np.float32(np.nan)
            s[i] = wf[i] / np.sqrt(w[i]) if known else np.float32(np.nan)
            valid += known
        count[row] = valid


@compiled
def _rescale(flux: Floats, weight: Floats, scale: NDArray[np.float64]) -> None:
    for row in range(weight.shape[0]):
        f, w = flux[row], weight[row]
        inverse, square = np.float32(1.0 / scale[row]), np.float32(scale[row] * scale[row])
        for i in range(w.size):
            scaled = min(max(f[i] * inverse, -FLUX_LIMIT), FLUX_LIMIT)
            f[i] = scaled if w[i] > 0 else np.float32(0.0)
            w[i] = min(w[i] * square, WEIGHT_LIMIT)


def _low(count: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.maximum(count - 1, 0) // 2


def _median_of_first(ordered: NDArray[np.float32], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the median of the first ``count`` values of each ascending row; NaN for count 0."""
    rows = np.arange(ordered.shape[0])
    low = ordered[rows, _low(count)].astype(np.float64)
    high = ordered[rows, np.minimum(count // 2, ordered.shape[1] - 1)].astype(np.float64)
    return np.where(count > 0, 0.5 * (low + high), np.nan)
