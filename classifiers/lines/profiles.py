"""Gaussians in log wavelength, integrated over bins, with their derivatives, tabulated by shift and width.

With l and u the distances of the two edges of a bin from the centre in units of sigma, g and G the normal density and
distribution, the share of a line in the bin is G(u) - G(l); its derivatives by the centre and by ln sigma are
(g(l) - g(u)) / sigma and l g(l) - u g(u). A table costs a copy where computing costs some thirty operations on every
bin. Between its nodes the derivatives carry on.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from math import erf

import numpy as np
from numpy.typing import NDArray

from classifiers.lines.table import BIN_KM_S, HALF_WINDOW, NARROW

FARTHEST_KM_S = 1500.0
"""Shifts are at most this far from the redshift that is given."""
LOWEST_KM_S: NDArray[np.float64] = np.array([60.0, 60.0, 200.0, 200.0, 200.0])
HIGHEST_KM_S: NDArray[np.float64] = np.array([700.0, 8000.0, 8000.0, 8000.0, 8000.0])
"""(5,) range of each width group [km/s]."""

_SHIFT_STEP = 0.125  # bins
_WIDTH_STEP = 0.12  # ln sigma
_REACH_SIGMA = 3.0  # a narrow Gaussian is cut at its largest width times this


class Table:
    """Profiles of one range of widths.

    Attributes:
        half: a profile covers 2 half + 1 bins.
    """

    def __init__(self, lowest_km_s: float, highest_km_s: float, half: int) -> None:
        self.half = half
        self._log_lowest = float(np.log(lowest_km_s / BIN_KM_S))
        self._widths = round(float(np.log(highest_km_s / lowest_km_s)) / _WIDTH_STEP) + 1
        self._most = round((FARTHEST_KM_S / BIN_KM_S + 1.0) / _SHIFT_STEP)

    def at(self, shift: NDArray[np.float64], log_sigma: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return share, derivative by centre and by ln sigma: (c, m, 3, 2 half + 1) float32.

        Args:
            shift: (c, m) centres of c Gaussians from their middle bins [bins].
            log_sigma: (m,) [ln bins].
        """
        place = np.rint(shift * (1.0 / _SHIFT_STEP))
        np.minimum(np.maximum(place, -self._most, out=place), self._most, out=place)
        width = np.rint((log_sigma - self._log_lowest) * (1.0 / _WIDTH_STEP))
        np.minimum(np.maximum(width, 0.0, out=width), self._widths - 1.0, out=width)
        found: NDArray[np.float32] = self._values[(width * (2 * self._most + 1) + self._most + place).astype(np.int64)]
        found[:, :, 0] += (shift - place * _SHIFT_STEP).astype(np.float32)[..., None] * found[:, :, 1]
        found[:, :, 0] += (log_sigma - self._log_lowest - width * _WIDTH_STEP).astype(np.float32)[:, None] * found[
            :, :, 2
        ]
        return found

    @cached_property
    def _values(self) -> NDArray[np.float32]:
        edges = np.arange(-self.half, self.half + 2) - 0.5
        centres = np.arange(-self._most, self._most + 1) * _SHIFT_STEP
        found = np.empty((self._widths, centres.size, 3, 2 * self.half + 1), np.float32)
        for width in range(self._widths):
            sigma = np.exp(self._log_lowest + width * _WIDTH_STEP)
            u = (edges - centres[:, None]) / sigma
            below = _normal(u)
            density = np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi)
            found[width, :, 0] = np.diff(below)
            found[width, :, 1] = -np.diff(density) / sigma
            found[width, :, 2] = -np.diff(u * density)
        return found.reshape(-1, 3, 2 * self.half + 1)


def _normal(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal distribution function, by a table of erf that is interpolated to 1e-7."""
    knots = np.linspace(-6.0, 6.0, 12_001)
    values = np.array([0.5 * (1.0 + erf(x / np.sqrt(2.0))) for x in knots.tolist()])
    return np.asarray(np.interp(u, knots, values))


@lru_cache(maxsize=2)
def _table(narrow: bool) -> Table:
    shift = FARTHEST_KM_S / BIN_KM_S + 1.0
    if narrow:
        reach = _REACH_SIGMA * HIGHEST_KM_S[NARROW] / BIN_KM_S + shift
        return Table(float(LOWEST_KM_S[NARROW]), float(HIGHEST_KM_S[NARROW]), int(np.ceil(reach)))
    return Table(float(LOWEST_KM_S.min()), float(HIGHEST_KM_S.max()), int(np.ceil(HALF_WINDOW + shift)))


def table(group: int) -> Table:
    """Return the table of a width group."""
    return _table(group == NARROW)
