"""How well templates of stars outside the scheme fit, against those of the scheme's types.

Surveys call a star what fits it best. Each template t of both groups is fitted as it is, times a polynomial in log
wavelength of ``TERMS`` Chebyshev terms p, at ``SHIFTS``:

    chi2 = sum w (f - t sum_k c_k p_k)^2,    minimal over c,

without what ``classifiers.stars.fit`` takes to first order, as templates of two groups differ by much. The sums over
pixels are matrix products of rows that belong to the spectrum (w p_j and w f p_k) with columns that belong to the
templates (t^2 and t), since the product of two Chebyshev polynomials is half the sum of two others.

A row's numbers depend on that row alone, bit for bit: each row is a matrix product of one shape, and the normal
equations are solved one by one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled
from classifiers.stars.columns import TERMS
from classifiers.stars.fit import MISMATCH
from classifiers.stars.measure import DETAIL, LEAST_BINS
from classifiers.stars.templates import OUTSIDE_TYPES, outside, templates

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integers = NDArray[np.int64]

SHIFTS = np.arange(-2.0, 3.0)
"""At which templates are tried [bins]: 415 km/s to either side, beyond which are few stars. Between whole bins a
template is at most 104 km/s off, which costs both groups alike."""
_RIDGE = 1e-6  # of a polynomial's terms against the spectrum's own weight
_TINY = 1e-30
_ORDER = 5  # TERMS, which compiled loops cannot read from another file
_BLOCK = 16  # rows that are worked on together; it changes speed, never results


class _Columns(NamedTuple):
    """All templates at ``SHIFTS`` on the bins that they cover.

    Attributes:
        bins: of the common grid.
        values, squares: (bin, column) float32; the shifts of a template are neighbours.
        polynomials: (2 TERMS - 1, bin) float32, Chebyshev polynomials.
        group: (template,) int64, into ``OUTSIDE_TYPES``, -1 for the scheme.
    """

    bins: slice
    values: Float32
    squares: Float32
    polynomials: Float32
    group: Integers


@lru_cache(maxsize=1)
def _columns() -> _Columns:
    covered, reach = templates().covered(), int(np.abs(SHIFTS).max())
    bins = slice(covered.start + reach, covered.stop - reach)
    known, others = (each.binned(np.arange(len(each.names)), bins, SHIFTS) for each in (templates(), outside()))
    values = np.concatenate([known, others]).reshape(-1, bins.stop - bins.start).T
    x = np.linspace(-1.0, 1.0, len(values))
    polynomials = np.polynomial.chebyshev.chebvander(x, 2 * TERMS - 2).T
    group = np.concatenate([np.full(len(known), -1), outside().star_type])
    values, squares, polynomials = (np.ascontiguousarray(each, np.float32) for each in (values, values**2, polynomials))
    return _Columns(bins, values, squares, polynomials, group)


def outside_misfits(flux: Float32, inverse_variance: Float32) -> Floats:
    """Return how much worse templates outside the scheme fit than those inside.

    Args:
        flux: (n, pixel) float32 on the common grid, of a scale near 1; 0 where masked.
        inverse_variance: (n, pixel) float32; 0 where masked.

    Returns:
        (n, type) float64 in the order of ``OUTSIDE_TYPES``: least chi-square of the type's templates less the least of
        the scheme's, with errors scaled as if ``DETAIL`` of the flux were added; NaN where fewer than ``LEAST_BINS``
        bins are seen.
    """
    columns, n = _columns(), len(flux)
    values = flux[:, columns.bins]
    weight, power, seen = _weights(values, inverse_variance[:, columns.bins])
    explained = np.empty((n, columns.values.shape[1]))
    for start in range(0, n, _BLOCK):
        rows = slice(start, start + _BLOCK)
        moments = np.matmul(weight[rows, None, :] * columns.polynomials, columns.squares)
        right = np.matmul((weight[rows] * values[rows])[:, None, :] * columns.polynomials[:TERMS], columns.values)
        _explain(moments, right, explained[rows])
    most = explained.reshape(n, columns.group.size, SHIFTS.size).max(axis=2)
    inside = most[:, columns.group < 0].max(axis=1)
    by_type = np.stack([most[:, columns.group == kind].max(axis=1) for kind in range(len(OUTSIDE_TYPES))], axis=1)
    misfit = (inside[:, None] - by_type) / (1.0 + DETAIL**2 * power[:, None])
    return np.where((seen >= LEAST_BINS)[:, None], misfit, np.nan)


def _weights(flux: Float32, weight: Float32) -> tuple[Float32, Floats, Integers]:
    """Return weights with ``MISMATCH`` of the flux added to the noise, the squared signal over it, and bins seen."""
    total = np.maximum(weight.sum(axis=1, dtype=np.float64), _TINY)
    level = (weight * flux * flux).sum(axis=1, dtype=np.float64) / total
    mismatch = (float(MISMATCH) ** 2 * level).astype(np.float32)
    weight = weight / (np.float32(1.0) + weight * mismatch[:, None])
    seen = np.count_nonzero(weight, axis=1)
    signal = (weight * flux * flux).sum(axis=1, dtype=np.float64) - seen
    return weight, np.maximum(signal, 0.0) / np.maximum(seen, 1), seen


@compiled
def _explain(moments: Float32, right: Float32, explained: Floats) -> None:
    """Write by how much polynomials times each column lower chi-square (Cholesky's factors of the normal equations).

    Args:
        moments: (n, 2 TERMS - 1, column) float32, sums of w t^2 p.
        right: (n, TERMS, column) float32, sums of w f t p.
        explained: (n, column) float64, written to.
    """
    factor = np.empty((_ORDER, _ORDER))
    solved = np.empty(_ORDER)
    for row in range(moments.shape[0]):
        for column in range(moments.shape[2]):
            ridge = _RIDGE * moments[row, 0, column] + _TINY
            gained = 0.0
            for i in range(_ORDER):
                value = float(right[row, i, column])
                for j in range(i + 1):
                    element = 0.5 * (float(moments[row, i + j, column]) + float(moments[row, i - j, column]))
                    if i == j:
                        element += ridge
                    for k in range(j):
                        element -= factor[i, k] * factor[j, k]
                    factor[i, j] = np.sqrt(max(element, ridge)) if i == j else element / factor[j, j]
                for k in range(i):
                    value -= factor[i, k] * solved[k]
                solved[i] = value / factor[i, i]
                gained += solved[i] * solved[i]
            explained[row, column] = gained
