"""Evidence for a broad trough blueward of C IV: compiled, one spectrum at a time.

Around C IV a spectrum is fitted by the eigenspectra and a parabola, which know no broad absorption. A trough that takes
a share d of that model over some bins is one more column of the fit, so that

    d = t' W (model - flux) / t' P t,    variance of d = 1 / t' P t

with t the model in these bins and 0 elsewhere, W the weights and t' P t = t' W t - |Q' W t|^2 for columns Q of the fit
that are orthonormal under W: that the fit gives way to a trough is taken into account, and no bin has to be clipped.
All places and widths are tried; sums along the bins make each cheap. With every share between 0 and 1 as likely as any
other, a trough is more probable than none by the factor

    B = exp(d^2 / 2 s^2) sqrt(2 pi) s [Phi((1 - d) / s) - Phi(-d / s)]

where s is the error with what the model itself gets wrong.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled

Floats = NDArray[np.float64]

_COLUMNS = 7  # a parabola and four eigenspectra
_TROUGH, _LACKING, _SEEN = _COLUMNS, _COLUMNS + 1, _COLUMNS + 2  # of the sums along the bins, after Q' W t
_RIDGE = 1e-9  # of each diagonal element: two eigenspectra may be the same over a short piece
_LARGEST = 300.0  # of the exponent in B
_LEAST_SEEN = 0.5  # of the bins of a trough
_ROOT2, _ROOT2PI = 1.4142135623730951, 2.5066282746310002


@compiled
def _factor(normal: Floats, right: Floats, solution: Floats) -> None:
    """Turn normal equations into their Cholesky factor, 0 for what earlier columns say, and solve them."""
    size = right.size
    for k in range(size):
        whole = normal[k, k] * (1.0 + _RIDGE)
        pivot, value = whole, right[k]
        for j in range(k):
            pivot -= normal[k, j] * normal[k, j]
            value -= normal[k, j] * solution[j]
        known = pivot > _RIDGE * whole and pivot > 0.0
        inverse = 1.0 / np.sqrt(pivot) if known else 0.0
        normal[k, k] = np.sqrt(pivot) if known else 0.0
        solution[k] = value * inverse
        for i in range(k + 1, size):
            value = normal[i, k]
            for j in range(k):
                value -= normal[i, j] * normal[k, j]
            normal[i, k] = value * inverse
    for k in range(size - 1, -1, -1):
        value = solution[k]
        for i in range(k + 1, size):
            value -= normal[i, k] * solution[i]
        solution[k] = value / normal[k, k] if normal[k, k] > 0.0 else 0.0


@compiled
def _fit(columns: Floats, weight: Floats, flux: Floats, normal: Floats, model: Floats) -> Any:
    """Fit one piece of a spectrum; return reduced chi-square, at least 1.

    Args:
        columns: (_COLUMNS, m).
        weight: (m,).
        flux: (m,).
        normal: (_COLUMNS, _COLUMNS), filled: the Cholesky factor of the normal equations.
        model: (m,) filled.
    """
    m = weight.size
    right, solution, weighted = np.empty(_COLUMNS), np.empty(_COLUMNS), np.empty(m)
    for k in range(_COLUMNS):
        one = columns[k]
        total = 0.0
        for i in range(m):
            weighted[i] = weight[i] * one[i]
            total += weighted[i] * flux[i]
        right[k] = total
        for j in range(k + 1):
            two = columns[j]
            total = 0.0
            for i in range(m):
                total += weighted[i] * two[i]
            normal[k, j] = total
    _factor(normal, right, solution)
    model.fill(0.0)
    for k in range(_COLUMNS):
        one, value = columns[k], solution[k]
        for i in range(m):
            model[i] += value * one[i]
    chi2, count = 0.0, 0
    for i in range(m):
        chi2 += weight[i] * (flux[i] - model[i]) ** 2
        count += int(weight[i] > 0.0)
    return max(1.0, chi2 / max(count - _COLUMNS, 1))


@compiled
def _sum_along(
    columns: Floats, weight: Floats, flux: Floats, normal: Floats, model: Floats, line: int, along: Floats
) -> None:
    """Fill the sums (bins + 1, _SEEN + 1) over the first bins before ``line``: Q' W t, t' W t, t' W (t - f), bins."""
    place = np.empty(_COLUMNS)
    along[0].fill(0.0)
    for b in range(along.shape[0] - 1):
        i = line - 1 - b
        w, t = weight[i], max(model[i], 0.0)
        for k in range(_COLUMNS):
            value = columns[k, i]
            for j in range(k):
                value -= normal[k, j] * place[j]
            place[k] = value / normal[k, k] if normal[k, k] > 0.0 else 0.0
            along[b + 1, k] = along[b, k] + w * t * place[k]
        along[b + 1, _TROUGH] = along[b, _TROUGH] + w * t * t
        along[b + 1, _LACKING] = along[b, _LACKING] + w * t * (model[i] - flux[i])
        along[b + 1, _SEEN] = along[b, _SEEN] + (1.0 if w > 0.0 else 0.0)


@compiled
def _mean_factor(along: Floats, widths: NDArray[np.int64], noise: float, floor: float) -> Any:
    """Return the logarithm of the mean of B over all troughs that are seen, NaN where none is."""
    reach = along.shape[0] - 1
    total, tried = 0.0, 0.0
    for width in widths:
        step = max(1, width // 3)
        share = step / width  # narrow troughs have more places: every width counts as many
        for begin in range(0, reach - width + 1, step):
            last, before = along[begin + width], along[begin]
            trough = last[_TROUGH] - before[_TROUGH]
            if last[_SEEN] - before[_SEEN] < _LEAST_SEEN * width or trough <= 0.0:
                continue
            left = trough
            for k in range(_COLUMNS):
                value = last[k] - before[k]
                left -= value * value
            left = max(left, 1e-6 * trough)
            depth = (last[_LACKING] - before[_LACKING]) / left
            error = np.sqrt(noise / left + floor * floor)
            x = depth / error
            between = 0.5 * (math.erf((1.0 / error - x) / _ROOT2) + math.erf(x / _ROOT2))
            total += share * np.exp(min(0.5 * x * x, _LARGEST)) * _ROOT2PI * error * max(between, 0.0)
            tried += share
    return np.log(max(total / tried, 1e-30)) if tried > 0.0 else np.nan


@compiled
def weigh_troughs(
    binned: Floats,
    origin: int,
    pixels: int,
    flux: NDArray[np.float32],
    inverse_variance: NDArray[np.float32],
    shift: NDArray[np.int64],
    window: NDArray[np.int64],
    reach: int,
    widths: NDArray[np.int64],
    floor: float,
    least: NDArray[np.int64],
    evidence: Floats,
) -> None:
    """Weigh a trough against none in n spectra.

    Args:
        binned: (phase, 4, place) as in ``Eigenspectra``.
        origin: the pixel of the eigenspectra at the first bin at redshift 0.
        pixels: of an eigenspectrum.
        flux: (n, bin) float32; 0 where masked.
        inverse_variance: (n, bin) float32; 0 where masked.
        shift: (n,) log10(1 + z) in pixels of the eigenspectra.
        window: (3,) first and last bin that are fitted, and the bin of C IV, at redshift 0.
        reach: a trough lies in so many bins blueward of C IV.
        widths: of troughs [bins].
        floor: error of a depth that comes from the model.
        least: (2,) bins with weight that a fit needs, and those of them blueward of C IV; NaN is said with fewer.
        evidence: (n,) filled: the logarithm of the mean of B.
    """
    phases = binned.shape[0]
    normal = np.empty((_COLUMNS, _COLUMNS))
    for row in range(flux.shape[0]):
        evidence[row] = np.nan
        whole = int(np.rint(shift[row] / phases))
        first = max(window[0] + whole, 0, -((origin - shift[row] - 1) // phases))
        last = min(window[1] + whole + 1, flux.shape[1], (pixels - 2 - origin + shift[row]) // phases + 1)
        line = window[2] + whole
        if last - first < least[0] or line > last or line - first < least[1]:
            continue
        m = last - first
        columns, weight, observed, model = np.empty((_COLUMNS, m)), np.empty(m), np.empty(m), np.empty(m)
        w, f = inverse_variance[row][first:last], flux[row][first:last]
        one, slope, bend = columns[0], columns[1], columns[2]
        seen, before = 0, 0
        for i in range(m):
            x = 2.0 * i / m - 1.0
            one[i], slope[i], bend[i] = 1.0, x, x * x
            weight[i], observed[i] = w[i], f[i]
            seen += int(w[i] > 0.0)
            before += int(w[i] > 0.0 and line - reach <= first + i < line)
        if seen < least[0] or before < least[1]:
            continue
        pixel = origin - shift[row] + phases * first
        phase = pixel % phases
        start = (pixel - phase) // phases
        for k in range(_COLUMNS - 3):
            vector, column = binned[phase][k][start : start + m], columns[3 + k]
            for i in range(m):
                column[i] = vector[i]
        noise = _fit(columns, weight, observed, normal, model)
        along = np.empty((min(reach, line - first) + 1, _SEEN + 1))
        _sum_along(columns, weight, observed, normal, model, line - first, along)
        evidence[row] = _mean_factor(along, widths, noise, floor)
