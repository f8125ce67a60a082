"""The fit: chi-square of each template times a polynomial against velocity, first over whole bins, then within one.

A spectrum f with weights w is compared with P t: a template at some velocity, t = 1 + s, times a polynomial in log
wavelength of ``TERMS`` Chebyshev terms p. That is the weighted form of cross-correlation (Tonry & Davis 1979, AJ 84,
1511) with the continuum marginalised instead of removed. P is first the best polynomial for t = 1, then for the best
template so far; its further changes d, which are small because templates have no slope, are taken to first order:

    y = f / P - 1,    W = w P^2,    chi2 = sum W (y - s - sum_k d_k p_k)^2,    minimal over d.

The sums over pixels are matrix products of rows that belong to the spectrum (W y and W p_k) with columns that belong
to the templates (s and p_k). Where templates fit worse than the noise their own errors decide: ``MISMATCH`` of the flux
is added to the noise.

A row's numbers depend on that row alone, bit for bit: everything is elementwise or a matrix product whose shape is the
same for each row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from classifiers.lines.sweep import sweep
from classifiers.stars.columns import COARSE, FARTHEST_BINS, PHASES, TERMS, coarse, continuum, fine
from classifiers.stars.templates import templates

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integers = NDArray[np.int64]

MISMATCH = np.float32(0.01)
_LARGEST_CHANGE = np.float32(0.5)
_RIDGE = 1e-6  # of a polynomial's terms against the spectrum's own weight: decides only where little is seen
_TINY = np.float32(1e-20)
_BLOCK, _PIECE = 64, 4  # rows that are worked on together; they change speed, never results
_J, _K = np.indices((TERMS, TERMS))


@dataclass(frozen=True, slots=True)
class Fit:
    """What was fitted in n spectra.

    Attributes:
        shift: (n,) int64, the best whole bin.
        correlation: (n,) float64, with the best template there: sum W y s over its own error, (sum W s^2)^(1/2).
        coarse: (n, 2 ``FARTHEST_BINS`` + 1) float64, least chi-square over ``COARSE`` by whole bin, less a constant and
            with d = 0, which costs a twentieth of the faintest stars their velocity and half the time.
        chi2: (n, template, phase) float64, at ``PHASES`` around the best whole bin.
        bins: (n,) int64, how many were compared with templates.
        power: (n,) float64, mean of W over these: squared signal over the noise with ``MISMATCH``.
    """

    shift: Integers
    correlation: Floats
    coarse: Floats
    chi2: Floats
    bins: Integers
    power: Floats


class _Data(NamedTuple):
    """W and W y, both (n, bin) float32."""

    weight: Float32
    weighted: Float32


class _Sums(NamedTuple):
    """Sums over pixels for n spectra around their best whole bins.

    Attributes:
        products: (n, 1 + TERMS, 64) float32, of W y and of W p_k with ``Columns.beside``.
        squares: (n, column, 1) float32, of W with s^2.
        whole: (n,) float64, of W y^2.
    """

    products: Float32
    squares: Float32
    whole: Floats

    @classmethod
    def blank(cls, n: int) -> _Sums:
        """Return the sums of nothing."""
        products = np.zeros((n, 1 + TERMS, fine().beside.shape[1]), np.float32)
        return cls(products, np.zeros((n, len(fine().values), 1), np.float32), np.zeros(n))

    def rows(self, which: slice) -> _Sums:
        """Return some of the rows, as views."""
        return _Sums(self.products[which], self.squares[which], self.whole[which])


def fit(flux: Float32, inverse_variance: Float32) -> Fit:
    """Fit n spectra.

    Args:
        flux: (n, pixel) float32 on the common grid, of a scale near 1; 0 where masked.
        inverse_variance: (n, pixel) float32; 0 where masked.
    """
    n = len(flux)
    blank = np.zeros((n, 2 * FARTHEST_BINS + 1)), np.zeros((n, len(templates().names), PHASES.size))
    out = Fit(np.zeros(n, np.int64), np.zeros(n), *blank, np.zeros(n, np.int64), np.zeros(n))
    sums = _Sums.blank(n)
    for start in range(0, n, _BLOCK):
        rows = slice(start, min(start + _BLOCK, n))
        data = _over_continuum(flux[rows, continuum().bins], inverse_variance[rows, continuum().bins])
        _fit_block(data, rows, out, sums)
    out.chi2[:] = _chi2(sums).reshape(out.chi2.shape)
    return out


def _over_continuum(flux: Float32, weight: Float32) -> _Data:
    """Divide by the best polynomial, and add the templates' errors to the noise; all bins that may be read."""
    known = continuum()
    rows = np.empty((len(flux), 2, flux.shape[1]), np.float32)
    rows[:, 0] = weight
    np.multiply(weight, flux, out=rows[:, 1])
    moments = np.matmul(rows, known.moments).astype(np.float64).transpose(1, 2, 0)
    level = np.matmul(_solved(moments[0], moments[1][:TERMS])[:, None, :], known.polynomials)[:, 0]
    error = MISMATCH * level
    error *= error
    error *= weight
    error += np.float32(1.0)
    scaled = np.divide(weight, error, out=error)
    scaled *= level
    beyond = flux - level
    beyond *= scaled
    scaled *= level
    return _Data(scaled, beyond)


def _fit_block(data: _Data, rows: slice, out: Fit, sums: _Sums) -> None:
    n, where, shifts = len(data.weight), np.arange(len(data.weight)), 2 * FARTHEST_BINS + 1
    tried = coarse()
    inner = slice(2 * FARTHEST_BINS, -2 * FARTHEST_BINS)
    weight, weighted = (np.ascontiguousarray(each[:, inner]) for each in data)
    squares = np.matmul(tried.squares, weight[:, :, None])[..., 0].astype(np.float64)
    products = np.matmul(tried.values, weighted[:, :, None])[..., 0].astype(np.float64)
    by_template = (squares - 2.0 * products).reshape(n, len(COARSE), shifts)
    out.coarse[rows] = by_template.min(axis=1)
    best = out.coarse[rows].argmin(axis=1)
    out.shift[rows] = best - FARTHEST_BINS
    column = by_template[where, :, best].argmin(axis=1) * shifts + best
    out.correlation[rows] = products[where, column] / np.sqrt(np.maximum(squares[where, column], _TINY))
    changed = _with_template(data, weight, weighted, tried.values[column])
    # the template stays and the spectrum moves, so that the same columns serve every row
    size = fine().values.shape[1]
    moved = _Data(*(sliding_window_view(each, size, axis=1)[where, best] for each in changed))
    _multiply(moved, sums.rows(rows))
    out.bins[rows] = np.count_nonzero(moved.weight, axis=1)
    out.power[rows] = moved.weight.sum(axis=1, dtype=np.float64) / np.maximum(out.bins[rows], 1)


def _with_template(data: _Data, weight: Float32, weighted: Float32, values: Float32) -> _Data:
    """Return the data over the polynomial that is best for a template.

    Args:
        data: over the polynomial that is best for 1.
        weight: (n, bin) float32, the part of it that templates cover at any shift.
        weighted: (n, bin) float32, the same.
        values: (n, bin) float32, templates less 1 there; overwritten.
    """
    values *= weight
    np.subtract(weighted, values, out=values)
    rows = np.stack([weight, values], axis=1)
    moments = np.matmul(rows, coarse().moments).astype(np.float64).transpose(1, 2, 0)
    change = np.matmul(_solved(moments[0], moments[1][:TERMS])[:, None, :], continuum().polynomials)[:, 0]
    np.clip(change, -_LARGEST_CHANGE, _LARGEST_CHANGE, out=change)
    beyond = data.weight * change
    np.subtract(data.weighted, beyond, out=beyond)
    change += np.float32(1.0)
    beyond *= change
    change *= change
    change *= data.weight
    return _Data(change, beyond)


def _solved(moments: Floats, right: Floats) -> Float32:
    """Return the polynomial of least squares: (n, TERMS) float32.

    Args:
        moments: (2 TERMS - 1, n) sums of w p; those of w p_j p_k follow, as T_j T_k = (T_(j+k) + T_|j-k|) / 2.
        right: (TERMS, n) sums of w y p_k.
    """
    system = np.zeros((TERMS + 1, TERMS + 1, right.shape[1]))
    system[:-1, :-1] = _with_ridge(0.5 * (moments[_J + _K] + moments[abs(_J - _K)]))
    system[:-1, -1] = system[-1, :-1] = right
    return sweep(system, range(TERMS))[:-1, -1].T.astype(np.float32)


def _multiply(data: _Data, into: _Sums) -> None:
    """Multiply some rows with all templates at ``PHASES``."""
    tried, n = fine(), len(data.weight)
    rows = np.empty((_PIECE, 1 + TERMS, data.weight.shape[1]), np.float32)
    for start in range(0, n, _PIECE):
        part = slice(start, min(start + _PIECE, n))
        here = rows[: part.stop - part.start]
        here[:, 0] = data.weighted[part]
        np.multiply(data.weight[part, None, :], tried.polynomials, out=here[:, 1:])
        np.matmul(here, tried.beside, out=into.products[part])
    np.matmul(tried.squares, data.weight[:, :, None], out=into.squares)
    whole = np.maximum(data.weight, _TINY)
    np.divide(data.weighted, whole, out=whole)
    whole *= data.weighted
    whole.sum(axis=1, dtype=np.float64, out=into.whole)


def _chi2(sums: _Sums) -> Floats:
    """Return chi-square, minimal over changes of the polynomial: (n, column) float64."""
    products, count = sums.products.astype(np.float64), len(fine().values)
    columns, polynomials = products[:, :, :count], products[:, :, count : count + TERMS]
    normal = _with_ridge(polynomials[:, 1:].transpose(1, 2, 0).copy())
    covariance = np.ascontiguousarray(-sweep(normal, range(TERMS)).transpose(2, 0, 1))
    right = polynomials[:, 0, :, None] - columns[:, 1:]
    gained = (np.matmul(covariance, right) * right).sum(axis=1)
    return np.asarray(sums.whole[:, None] + sums.squares[..., 0] - 2.0 * columns[:, 0] - gained, np.float64)


def _with_ridge(normal: Floats) -> Floats:
    """Add a weak prior to normal equations (TERMS, TERMS, n), in place."""
    place = np.arange(TERMS)
    normal[place, place] += _RIDGE * normal[0, 0] + 1e-30
    return normal
