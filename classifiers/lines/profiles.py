"""Gaussians in log wavelength, integrated over bins, with their derivatives, tabulated by place and width.

With l and u the distances of the two edges of a bin from the centre in units of sigma, g and G the normal density and
distribution, the share of a line in the bin is G(u) - G(l); its derivatives by the centre and by ln sigma are
(g(l) - g(u)) / sigma and l g(l) - u g(u). A table costs a copy where computing costs some thirty operations on every
bin. Its nodes are eighths of a bin and 0.12 in ln sigma; between them the derivatives carry on.
"""

from __future__ import annotations

from functools import cache, cached_property
from math import erf
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from classifiers.lines.table import BIN_KM_S, COMPLEXES, NARROW, Complex, rest_bin

FARTHEST_KM_S = 1500.0
"""Shifts are at most this far from the redshift that is given."""
LOWEST_KM_S: NDArray[np.float64] = np.array([60.0, 60.0, 200.0, 200.0, 200.0])
HIGHEST_KM_S: NDArray[np.float64] = np.array([700.0, 8000.0, 8000.0, 8000.0, 8000.0])
"""(5,) range of each width group [km/s]."""
FARTHEST_BINS = int(np.ceil(FARTHEST_KM_S / BIN_KM_S + 1.0))
"""No line is farther from where the given redshift puts it, the fraction of a bin included."""

_NARROW_REACH = int(np.ceil((3.0 * HIGHEST_KM_S[NARROW] + FARTHEST_KM_S) / BIN_KM_S + 1.0))
"""A narrow Gaussian is cut at three times its largest width, farther out by what it may be shifted [bins]."""

_PHASES = 8  # places of a centre within a bin
_WIDTH_STEP = 0.12  # ln sigma

Pattern = tuple[tuple[float, float], ...]
"""Gaussians of one amplitude: (bins from the first one's centre, share)."""


class Table:
    """Profiles of one pattern over a range of widths."""

    def __init__(self, lowest_km_s: float, highest_km_s: float, pattern: Pattern, reach: int) -> None:
        """Describe the table; it is computed when it is first read.

        Args:
            lowest_km_s: smallest standard deviation [km/s].
            highest_km_s: largest one [km/s].
            pattern: its Gaussians.
            reach: bins to either side of the place that may be asked for.
        """
        self._log_lowest = float(np.log(lowest_km_s / BIN_KM_S))
        self._widths = round(float(np.log(highest_km_s / lowest_km_s)) / _WIDTH_STEP) + 1
        self._pattern, self._reach = pattern, reach
        self._views: dict[int, NDArray[np.float32]] = {}

    def at(
        self, place: NDArray[np.float64], log_sigma: NDArray[np.float64], bins: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return profiles at the next node of m lines, and how to get from there to the lines.

        Args:
            place: (m,) centre of the first Gaussian [bins from the first bin].
            log_sigma: (m,) [ln bins].
            bins: how many from the first one on.

        Returns:
            share, derivative by centre and by ln sigma at the node, (m, 3, bins) float32; and 1, centre less that of
            the node [bins], and ln sigma less that of the node, (3, m): a share is their scalar product.
        """
        eighths = np.rint(place * _PHASES)
        width = np.rint((log_sigma - self._log_lowest) * (1.0 / _WIDTH_STEP))
        np.minimum(np.maximum(width, 0.0, out=width), self._widths - 1.0, out=width)
        beyond = np.stack(
            [np.ones_like(place), place - eighths / _PHASES, log_sigma - self._log_lowest - width * _WIDTH_STEP]
        )
        whole = np.floor(eighths / _PHASES)
        first = self._reach - whole
        row = width * _PHASES + (eighths - whole * _PHASES)
        length = self._values.shape[-1]
        start = (row * (3 * length) + first).astype(np.int64)
        return self._windows(bins)[start[:, None] + length * np.arange(3)], beyond

    def _windows(self, bins: int) -> NDArray[np.float32]:
        """Return all runs of ``bins`` values: a view."""
        if bins not in self._views:
            shape, strides = (self._values.size - bins + 1, bins), self._values.strides[-1:] * 2
            self._views[bins] = as_strided(self._values, shape, strides, writeable=False)
        return self._views[bins]

    @cached_property
    def _values(self) -> NDArray[np.float32]:
        """Share and derivatives of the bins around the whole bin of a place: (width x phase, 3, bin)."""
        edges = np.arange(-self._reach, self._reach + 2) - 0.5
        phases = np.arange(_PHASES) / _PHASES
        found = np.zeros((self._widths, _PHASES, 3, 2 * self._reach + 1), np.float64)
        for width in range(self._widths):
            sigma = np.exp(self._log_lowest + width * _WIDTH_STEP)
            for offset, share in self._pattern:
                u = (edges - phases[:, None] - offset) / sigma
                density = np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi)
                found[width, :, 0] += share * np.diff(_normal(u))
                found[width, :, 1] -= share * np.diff(density) / sigma
                found[width, :, 2] -= share * np.diff(u * density)
        return found.reshape(-1, 3, 2 * self._reach + 1).astype(np.float32)


def _normal(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal distribution function, by a table of erf that is interpolated to 1e-7."""
    knots = np.linspace(-6.0, 6.0, 12_001)
    values = np.array([0.5 * (1.0 + erf(x / np.sqrt(2.0))) for x in knots.tolist()])
    return np.asarray(np.interp(u, knots, values))


class Placed(NamedTuple):
    """Where a line is looked for in its complex.

    Attributes:
        profiles: of the line; broad lines share theirs.
        bins: of the complex that its profile covers.
        centre: of its first Gaussian at the given redshift [bins from the first of ``bins``].
    """

    profiles: Table
    bins: slice
    centre: float


@cache
def placed(which: Complex) -> tuple[Placed, ...]:
    """Return the place of each line of a complex.

    A narrow line covers the bins that its widest Gaussian reaches, a broad one the whole complex.
    """
    found = []
    for line in which.lines:
        centres = [rest_bin(wavelength) - which.first for wavelength, _ in line.parts]
        bins = slice(0, which.n)
        if line.group == NARROW:
            middle = [round(centre) for centre in centres]
            bins = slice(max(min(middle) - _NARROW_REACH, 0), min(max(middle) + _NARROW_REACH + 1, which.n))
        pattern = tuple((centre - centres[0], share) for centre, (_, share) in zip(centres, line.parts, strict=True))
        found.append(Placed(_table(line.group == NARROW, pattern), bins, centres[0] - bins.start))
    return tuple(found)


@cache
def _table(narrow: bool, pattern: Pattern) -> Table:
    if narrow:
        span = int(np.ceil(max(abs(offset) for offset, _ in pattern)))
        return Table(
            float(LOWEST_KM_S[NARROW]), float(HIGHEST_KM_S[NARROW]), pattern, _NARROW_REACH + span + FARTHEST_BINS
        )
    longest = max(part.n for part in COMPLEXES)
    return Table(float(LOWEST_KM_S.min()), float(HIGHEST_KM_S.max()), pattern, longest + FARTHEST_BINS)
