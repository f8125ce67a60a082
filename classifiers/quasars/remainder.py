"""What one redshift leaves unexplained in a spectrum: compiled, one spectrum at a time.

A spectrum is fitted at its redshift by a parabola and the eigenspectra of quasars and of galaxies: an active nucleus is
both. What is left is divided by the fit, whose own error is a share of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

_POWERS = 3  # of the parabola
_SINGULAR = 1e-7  # a pivot smaller than this times its diagonal element carries no information
_LEAST_BINS = 60
_LEAST_LEVEL = 0.2  # of the mean: a fit that is lower is not divided by
_FLOOR = 0.02  # relative error of the fit


class Vectors(NamedTuple):
    """Eigenspectra of one kind: ``binned`` (phase, 4, place) float64, and the pixel at the first bin at redshift 0."""

    binned: Floats
    origin: int


@compiled
def _place(vectors: Vectors, shift: int, columns: Floats) -> None:
    """Fill (4, m) with eigenspectra at a redshift; 0 where they do not reach."""
    phases = vectors.binned.shape[0]
    pixel = vectors.origin - shift
    phase = pixel % phases
    start = (pixel - phase) // phases
    low, high = max(0, -start), min(columns.shape[1], vectors.binned.shape[2] - start)
    for k in range(columns.shape[0]):
        columns[k].fill(0.0)
        column, source = columns[k][low:high], vectors.binned[phase][k][start + low : start + high]
        for i in range(column.size):
            column[i] = source[i]


@compiled
def _join(flux: Float32, inverse_variance: Float32, together: int, first: int, mean: Floats, weight: Floats) -> Any:
    """Fill weighted means of so many bins and their weights, 0 before the first; return how many have weight."""
    count = 0
    for i in range(weight.size):
        w = f = 0.0
        for j in range(i * together, (i + 1) * together):
            w += inverse_variance[j]
            f += np.float64(inverse_variance[j]) * flux[j]
        w = w if i >= first else 0.0
        weight[i] = w
        mean[i] = f / w if w > 0.0 else 0.0
        count += int(w > 0.0)
    return count


@compiled
def _fit(columns: Floats, weight: Floats, flux: Floats, model: Floats) -> None:
    """Fill the model (m,) that fits best among the combinations of columns (k, m)."""
    size, m = columns.shape
    normal, value, weighted = np.zeros((size, size)), np.zeros(size), np.empty(m)
    for k in range(size):
        one = columns[k]
        total = 0.0
        for i in range(m):
            weighted[i] = weight[i] * one[i]
            total += weighted[i] * flux[i]
        value[k] = total
        for j in range(k + 1):
            two = columns[j]
            total = 0.0
            for i in range(m):
                total += weighted[i] * two[i]
            normal[k, j] = total
    for k in range(size):
        whole = normal[k, k]
        pivot = whole
        for j in range(k):
            pivot -= normal[k, j] * normal[k, j]
            value[k] -= normal[k, j] * value[j]
        known = pivot > _SINGULAR * whole
        inverse = 1.0 / np.sqrt(pivot) if known else 0.0
        normal[k, k] = np.sqrt(pivot) if known else 0.0
        value[k] *= inverse
        for i in range(k + 1, size):
            for j in range(k):
                normal[i, k] -= normal[i, j] * normal[k, j]
            normal[i, k] *= inverse
    for k in range(size - 1, -1, -1):
        for i in range(k + 1, size):
            value[k] -= normal[i, k] * value[i]
        value[k] = value[k] / normal[k, k] if normal[k, k] > 0.0 else 0.0
    model.fill(0.0)
    for k in range(size):
        one, total = columns[k], value[k]
        for i in range(m):
            model[i] += total * one[i]


@compiled
def _relative(flux: Floats, weight: Floats, model: Floats) -> None:
    """Turn flux into what is left over the model, and weights into those of it."""
    level, count = 0.0, 0
    for i in range(flux.size):
        level += model[i] if weight[i] > 0.0 else 0.0
        count += int(weight[i] > 0.0)
    level = _LEAST_LEVEL * level / max(count, 1)
    for i in range(flux.size):
        under = max(model[i], level)
        if weight[i] > 0.0 and under > 0.0:
            flux[i] = (flux[i] - model[i]) / under
            weight[i] = 1.0 / (1.0 / (weight[i] * under * under) + _FLOOR * _FLOOR)
        else:
            flux[i], weight[i] = 0.0, 0.0


@compiled
def leave(
    quasars: Vectors,
    galaxies: Vectors,
    flux: Float32,
    inverse_variance: Float32,
    together: int,
    first: NDArray[np.int64],
    shift: NDArray[np.int64],
    left: Floats,
    weight: Floats,
) -> None:
    """Fit n spectra at their redshifts and keep what is left.

    Args:
        quasars: eigenspectra.
        galaxies: eigenspectra.
        flux: (n, bin) float32; 0 where masked.
        inverse_variance: (n, bin) float32; 0 where masked.
        together: bins in one bin of the fit.
        first: (n,) bin of the fit before which nothing is looked at.
        shift: (n,) log10(1 + z) in pixels.
        left: (n, m) filled: what is left over the fit; 0 where nothing is known.
        weight: (n, m) filled: its inverse variance; 0 where nothing is known.
    """
    m = left.shape[1]
    columns, model = np.empty((_POWERS + 8, m)), np.empty(m)
    one, slope, bend = columns[0], columns[1], columns[2]
    for i in range(m):
        x = 2.0 * i / m - 1.0
        one[i], slope[i], bend[i] = 1.0, x, x * x
    for row in range(flux.shape[0]):
        own, known = left[row], weight[row]
        if _join(flux[row], inverse_variance[row], together, first[row], own, known) < _LEAST_BINS:
            own.fill(0.0)
            known.fill(0.0)
            continue
        _place(quasars, shift[row], columns[_POWERS : _POWERS + 4])
        _place(galaxies, shift[row], columns[_POWERS + 4 :])
        _fit(columns, known, own, model)
        _relative(own, known, model)
