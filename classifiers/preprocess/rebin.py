"""Sums of pixels over the bins of the common grid, with pixels that straddle an edge split by length.

With ``h[j, i]`` the fraction of pixel j that lies in bin i, v the inverse variance and f the flux density of a pixel:

    inverse variance of the bin  W_i = sum_j h[j, i] v_j
    flux density of the bin      F_i = sum_j h[j, i] v_j f_j / W_i

This is the inverse-variance weighted mean of the pixels in the bin. It conserves flux where the inverse variance is
uniform over the bin, keeps a constant constant whatever the weights, gives masked pixels (v = 0) no say, and conserves
information: the sum of W over the bins is the sum of v over the pixels inside the grid, so that the chi-square of a
model that is smooth on the scale of a bin is the same before and after. A pixel that is split gives each part its
fraction of the information, which stands for the covariance of the two bins. Correlations between neighbouring input
pixels are not known and not undone.

A ``Rebinner`` computes both sums for many spectra at once: its rows are any quantities that add up.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Axis, GridAxis
from classifiers.preprocess.axis import AxisKey, PixelEdges, pixel_edges
from classifiers.preprocess.grid import CommonGrid

Floats = NDArray[np.float32]

LATTICE_TOLERANCE = 0.01
"""A log10 axis this close to the grid's own sub-division [native pixels] is summed without splitting (0.7 km/s)."""


class Rebinner(Protocol):
    """Sums over the bins of one grid for the spectra of one axis.

    Attributes:
        source: pixels of the spectrum that are used.
        target: columns of a work row into which they are put; all other columns must be 0.
        width: columns of a work row.
    """

    source: slice
    target: slice
    width: int

    def sums(self, rows: Floats) -> Floats:
        """Return the sums of each row over the bins, the same for a row whatever rows stand beside it.

        Args:
            rows: (row, width) float32, C-contiguous.

        Returns:
            (row, bin) float32.
        """
        ...


class LatticeRebinner:
    """Every bin is a whole number of pixels: strided additions, no splitting."""

    def __init__(self, first: int, n_pixel: int, per_bin: int, n_bin: int) -> None:
        """Place ``n_pixel`` pixels; the first is pixel ``first`` of the grid's sub-division (may be negative)."""
        self.width = per_bin * n_bin
        start, stop = max(0, first), max(0, min(self.width, first + n_pixel))
        stop = max(start, stop)
        self.source = slice(start - first, stop - first) if stop > start else slice(0, 0)
        self.target = slice(start, stop) if stop > start else slice(0, 0)
        self._per_bin = per_bin

    def sums(self, rows: Floats) -> Floats:
        """Return the sums of each row over the bins."""
        k = self._per_bin
        total = rows[:, 0::k].copy() if k == 1 else rows[:, 0::k] + rows[:, 1::k]
        for i in range(2, k):
            total += rows[:, i::k]
        return total


class EdgeRebinner:
    """General case: whole pixels are summed by ``reduceat``, the pixel under each edge is split.

    Bin i takes ``1 - share[i]`` of pixel ``under[i]`` (which its lower edge cuts), the whole pixels after it, and
    ``share[i+1]`` of pixel ``under[i+1]``. An edge in a gap cuts nothing: share 0 of the next pixel.
    """

    def __init__(self, edges: PixelEdges, grid: CommonGrid) -> None:
        bounds = grid.edges_angstrom
        first = int(np.searchsorted(edges.upper, bounds[0], side="right"))
        stop = int(np.searchsorted(edges.lower, bounds[-1], side="left"))
        stop = max(first, stop)
        self.source = slice(first, stop)
        self.target = slice(0, stop - first)
        self.width = stop - first + 1  # a last column of 0 stands for "after the last pixel"
        lower, upper = edges.lower[first:stop], edges.upper[first:stop]
        under = np.searchsorted(upper, bounds, side="right")
        share = np.zeros(bounds.size)
        inside = under < upper.size
        cut = under[inside]
        share[inside] = np.maximum(0.0, (bounds[inside] - lower[cut]) / (upper[cut] - lower[cut]))
        self._under = under
        self._share = share.astype(np.float32)
        empty = np.diff(under) == 0
        self._empty = empty if empty.any() else None

    def sums(self, rows: Floats) -> Floats:
        """Return the sums of each row over the bins."""
        total: Floats = np.add.reduceat(rows, self._under, axis=1)[:, :-1]
        if self._empty is not None:
            total = np.where(
                self._empty, np.float32(0), total
            )  # reduceat gives the element itself for an empty stretch
        part = rows[:, self._under]
        part *= self._share
        total -= part[:, :-1]
        total += part[:, 1:]
        return total


@lru_cache(maxsize=256)
def rebinner(key: AxisKey, grid: CommonGrid) -> LatticeRebinner | EdgeRebinner:
    """Return the operator from an axis to a grid; cached, bounded."""
    lattice = _lattice(key.axis, grid) if key.medium == "VACUUM" and key.velocity_steps == 0 else None
    return lattice or EdgeRebinner(pixel_edges(key), grid)


def _lattice(axis: Axis, grid: CommonGrid) -> LatticeRebinner | None:
    """Return the cheap operator if every pixel of the axis is one of the equal parts of the grid's bins."""
    if isinstance(axis, GridAxis):
        if axis.kind != "LOG10" or axis.step <= 0:
            return None
        step, log10_ends = axis.step, axis.start + axis.step * np.array([0, axis.n - 1])
    else:
        log10_ends = np.log10(axis.wavelength_angstrom[[0, -1]])
        step = float(log10_ends[1] - log10_ends[0]) / max(1, axis.wavelength_angstrom.size - 1)
    per_bin = round(grid.log10_step / step) if step > 0.1 * grid.log10_step else 0
    if per_bin < 1:
        return None
    native = grid.log10_step / per_bin
    origin = grid.log10_start - 0.5 * grid.log10_step + 0.5 * native  # centre of the grid's first sub-pixel
    n = axis.n if isinstance(axis, GridAxis) else axis.wavelength_angstrom.size
    first = round(float(log10_ends[0] - origin) / native)
    expected = origin + native * (first + np.array([0, n - 1]))
    if np.max(np.abs(log10_ends - expected)) > LATTICE_TOLERANCE * native:
        return None
    if not isinstance(axis, GridAxis):
        inner = origin + native * (first + np.arange(n))
        if np.max(np.abs(np.log10(axis.wavelength_angstrom) - inner)) > LATTICE_TOLERANCE * native:
            return None
    return LatticeRebinner(first, n, per_bin, grid.n)
