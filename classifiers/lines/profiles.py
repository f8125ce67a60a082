"""Gaussians in log wavelength, integrated over bins, with their derivatives, tabulated by place and width.

With l and u the distances of the two edges of a bin from the centre in units of sigma, g and G the normal density and
distribution, the share of a line in the bin is G(u) - G(l); its derivatives by the centre and by ln sigma are
(g(l) - g(u)) / sigma and l g(l) - u g(u). A table costs a copy where computing costs some thirty operations on every
bin. Its nodes are eighths of a bin and 0.12 in ln sigma; between them the derivatives carry on.
"""

from __future__ import annotations

from functools import cache
from math import erf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.lines.table import BIN_KM_S, COMPLEXES, NARROW, Complex, rest_bin

FARTHEST_KM_S = 1500.0
"""Shifts are at most this far from the redshift that is given."""
LOWEST_KM_S: NDArray[np.float64] = np.array([60.0, 60.0, 200.0, 200.0, 200.0])
HIGHEST_KM_S: NDArray[np.float64] = np.array([700.0, 8000.0, 8000.0, 8000.0, 8000.0])
"""(5,) range of each width group [km/s]."""
FARTHEST_BINS = int(np.ceil(FARTHEST_KM_S / BIN_KM_S + 1.0))
"""No line is farther from where the given redshift puts it, the fraction of a bin included."""
PHASES = 8
"""Tabulated places of a centre within a bin."""
WIDTH_STEP = 0.12
"""Between tabulated widths [ln sigma]."""

_NARROW_REACH = int(np.ceil((3.0 * HIGHEST_KM_S[NARROW] + FARTHEST_KM_S) / BIN_KM_S + 1.0))
"""A narrow Gaussian is cut at three times its largest width, farther out by what it may be shifted [bins]."""

_FAINTEST = 1e-12
"""Wings below this are 0: processors are slow with numbers that float32 cannot hold in full."""

Pattern = tuple[tuple[float, float], ...]
"""Gaussians of one amplitude: (bins from the first one's centre, share)."""


class Table(NamedTuple):
    """Profiles of one pattern over a range of widths.

    Attributes:
        log_lowest: smallest tabulated ln sigma [ln bins].
        reach: bins to either side of the whole bin of a place.
        values: (width, phase, 3, 2 reach + 1) float32, share and derivatives by centre and by ln sigma.
    """

    log_lowest: float
    reach: int
    values: NDArray[np.float32]


def tabulated(lowest_km_s: float, highest_km_s: float, pattern: Pattern, reach: int) -> Table:
    """Compute a table for standard deviations from the lowest to the highest [km/s]."""
    log_lowest = float(np.log(lowest_km_s / BIN_KM_S))
    widths = round(float(np.log(highest_km_s / lowest_km_s)) / WIDTH_STEP) + 1
    edges = np.arange(-reach, reach + 2) - 0.5
    phases = np.arange(PHASES) / PHASES
    found = np.zeros((widths, PHASES, 3, 2 * reach + 1), np.float64)
    for width in range(widths):
        sigma = np.exp(log_lowest + width * WIDTH_STEP)
        for offset, share in pattern:
            u = (edges - phases[:, None] - offset) / sigma
            density = np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi)
            found[width, :, 0] += share * np.diff(_normal(u))
            found[width, :, 1] -= share * np.diff(density) / sigma
            found[width, :, 2] -= share * np.diff(u * density)
    found[np.abs(found) < _FAINTEST] = 0.0
    return Table(log_lowest, reach, found.astype(np.float32))


def _normal(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal distribution function, interpolated to 1e-7."""
    return np.asarray(np.interp(u, *_knots()))


@cache
def _knots() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    knots = np.linspace(-6.0, 6.0, 12_001)
    return knots, np.array([0.5 * (1.0 + erf(x / np.sqrt(2.0))) for x in knots.tolist()])


class Placed(NamedTuple):
    """Where a line is looked for in its complex.

    Attributes:
        table: of its profile; broad lines share theirs.
        bins: of the complex that its profile covers.
        centre: of its first Gaussian at the given redshift [bins from the first of ``bins``].
    """

    table: Table
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
        reach = _NARROW_REACH + span + FARTHEST_BINS
        return tabulated(float(LOWEST_KM_S[NARROW]), float(HIGHEST_KM_S[NARROW]), pattern, reach)
    longest = max(part.n for part in COMPLEXES)
    return tabulated(float(LOWEST_KM_S.min()), float(HIGHEST_KM_S.max()), pattern, longest + FARTHEST_BINS)
