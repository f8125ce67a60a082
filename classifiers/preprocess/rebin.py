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
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled
from classifiers.items import Axis, GridAxis
from classifiers.preprocess.axis import AxisKey, PixelEdges, pixel_edges
from classifiers.preprocess.grid import CommonGrid

Floats = NDArray[np.float32]

LATTICE_TOLERANCE = 0.01
"""A log10 axis this close to the grid's own sub-division [native pixels] is summed without splitting (0.7 km/s)."""


@dataclass(frozen=True, slots=True)
class Rebinner:
    """From the pixels of one axis to the bins of one grid.

    Bin i takes ``1 - share[i]`` of pixel ``under[i]`` (which its lower edge cuts), the whole pixels after it, and
    ``share[i+1]`` of pixel ``under[i+1]``. An edge between pixels or in a gap cuts nothing: share 0 of the next pixel.

    Attributes:
        source: pixels of the axis that are used; none where the grid does not reach them.
        under: (bin + 1,) uint64, counted from the first pixel used; their number stands for "after the last".
        share: (bin + 1,) float64: of a pixel wider than a bin the bin takes the difference of two.
    """

    source: slice
    under: NDArray[np.uint64]
    share: NDArray[np.float64]

    @property
    def pixels(self) -> int:
        """Return how many pixels are used."""
        return int(self.source.stop - self.source.start)

    def sums(self, rows: Floats) -> Floats:
        """Return the sums of each of (b, pixel) float32 rows over the bins: (b, bin) float32."""
        out = np.empty((len(rows), self.share.size - 1), np.float32)
        _sums(rows, self.under, self.share, out)
        return out


@compiled
def _sums(rows: Floats, under: NDArray[np.uint64], share: NDArray[np.float64], out: Floats) -> None:
    n = rows.shape[1]
    for row in range(rows.shape[0]):
        pixels, bins = rows[row], out[row]
        cut = under[0]
        before = share[0] * pixels[cut] if cut < n else 0.0  # of the pixel under the edge, what lies before it
        for i in range(bins.size):
            total = -before
            for j in range(cut, under[i + 1]):
                total += pixels[j]
            cut = under[i + 1]
            before = share[i + 1] * pixels[cut] if cut < n else 0.0
            bins[i] = total + before


@lru_cache(maxsize=256)
def rebinner(key: AxisKey, grid: CommonGrid) -> Rebinner:
    """Return the operator from an axis to a grid; cached, bounded."""
    lattice = _lattice(key.axis, grid) if key.medium == "VACUUM" and key.velocity_steps == 0 else None
    return lattice or _general(pixel_edges(key), grid)


def _general(edges: PixelEdges, grid: CommonGrid) -> Rebinner:
    bounds = grid.edges_angstrom
    first = int(np.searchsorted(edges.upper, bounds[0], side="right"))
    stop = int(np.searchsorted(edges.lower, bounds[-1], side="left"))
    stop = max(first, stop)
    lower, upper = edges.lower[first:stop], edges.upper[first:stop]
    under = np.searchsorted(upper, bounds, side="right")
    share = np.zeros(bounds.size)
    inside = under < upper.size
    cut = under[inside]
    share[inside] = np.maximum(0.0, (bounds[inside] - lower[cut]) / (upper[cut] - lower[cut]))
    return Rebinner(slice(first, stop), under.astype(np.uint64), share)


def _lattice(axis: Axis, grid: CommonGrid) -> Rebinner | None:
    """Return the operator if every pixel of the axis is one of the equal parts of the grid's bins."""
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
    start, stop = max(0, -first), min(n, per_bin * grid.n - first)
    used = slice(start, stop) if stop > start else slice(0, 0)
    under = np.clip(per_bin * np.arange(grid.n + 1) - first - used.start, 0, used.stop - used.start)
    return Rebinner(used, under.astype(np.uint64), np.zeros(grid.n + 1))
