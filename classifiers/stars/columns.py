"""What spectra are multiplied with: templates at the velocities that are tried, and polynomials, on the common grid."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.stars.templates import templates

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

TERMS = 5
"""Of the polynomial: a quartic in log wavelength, as in the rule that star types follow."""
FARTHEST_BINS = 7
"""Whole bins that are searched to either side: 1,450 km/s, and ``PHASES`` around the best."""
COARSE = ("A0", "F9", "K3")
"""Templates of the search over whole bins."""
PHASES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) / 3.0
"""Shifts at which all templates are compared around the best whole bin [bins]: whole pixels of the templates, so that
none of them is smoothed by interpolation. Velocities between them are found within 3 km/s (noiseless templates)."""


_WIDTH = 64


class Columns(NamedTuple):
    """Templates and polynomials on some bins.

    Attributes:
        values: (column, bin) float32, templates less 1; the shifts of a template are neighbours.
        squares: (column, bin) float32, of the same.
        moments: (bin, 2 TERMS - 1) float32, Chebyshev polynomials.
        polynomials: (TERMS, bin) float32, the first of them.
        beside: (bin, 64) float32, values, the first TERMS polynomials, and zeros: 64 columns are faster than 60.
    """

    values: Float32
    squares: Float32
    moments: Float32
    polynomials: Float32
    beside: Float32


class Continuum(NamedTuple):
    """Polynomials on all bins that may be read.

    Attributes:
        bins: of the common grid.
        moments: (bin, 2 TERMS - 1) float32, Chebyshev polynomials.
        polynomials: (TERMS, bin) float32, the first of them.
    """

    bins: slice
    moments: Float32
    polynomials: Float32


@lru_cache(maxsize=1)
def coarse() -> Columns:
    """Return ``COARSE`` at whole bins: their shifts stay within what the templates cover."""
    bins = _template_bins()
    inner = slice(bins.start + FARTHEST_BINS, bins.stop - FARTHEST_BINS)
    return _columns(COARSE, inner, np.arange(-FARTHEST_BINS, FARTHEST_BINS + 1.0))


@lru_cache(maxsize=1)
def fine() -> Columns:
    """Return all templates at ``PHASES``."""
    return _columns(templates().names, _template_bins(), PHASES)


@lru_cache(maxsize=1)
def continuum() -> Continuum:
    """Return the polynomials."""
    bins = _all_bins()
    moments = _polynomials(bins).astype(np.float32)
    return Continuum(bins, moments, np.ascontiguousarray(moments[:, :TERMS].T))


def _columns(names: tuple[str, ...], bins: slice, shifts: Floats) -> Columns:
    rows = np.array([templates().names.index(name) for name in names])
    values = templates().binned(rows, bins, shifts).reshape(-1, bins.stop - bins.start) - 1.0
    moments = _polynomials(bins)
    beside = np.concatenate([values.T, moments[:, :TERMS]], axis=1)
    beside = np.pad(beside, ((0, 0), (0, -beside.shape[1] % _WIDTH)))
    each = values, values**2, moments, moments[:, :TERMS].T, beside
    return Columns(*(np.ascontiguousarray(array, np.float32) for array in each))


def _polynomials(bins: slice) -> Floats:
    """Return Chebyshev polynomials (bin, 2 TERMS - 1), in one coordinate whatever the bins."""
    everything = _all_bins()
    x = np.interp(np.arange(bins.start, bins.stop), [everything.start, everything.stop - 1], [-1.0, 1.0])
    return np.asarray(np.polynomial.chebyshev.chebvander(x, 2 * TERMS - 2), np.float64)


def _template_bins() -> slice:
    """Return the bins that all templates cover at all ``PHASES``."""
    covered = templates().covered()
    return slice(covered.start + 1, covered.stop - 1)


def _all_bins() -> slice:
    bins = _template_bins()
    return slice(bins.start - FARTHEST_BINS, bins.stop + FARTHEST_BINS)
