"""Plain means of pixels over the bins of the common grid, for what is measured there instead of recognised.

The inverse-variance weighted means of ``prepare`` are biased where the flux changes within a bin and brings its own
photon noise: the brighter pixels weigh less, and a strong narrow line loses 5 to 50 % of its flux (measured on SDSS
spectra of emission-line galaxies). A plain mean conserves flux. Masks and units are those of ``prepare``; with h the
share of a pixel that lies in the bin and v its inverse variance,

    flux density      F = sum h f / sum h
    inverse variance  W = (sum h)^2 / sum h / v
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled
from classifiers.items import Spectrum
from classifiers.preprocess.grid import CommonGrid
from classifiers.preprocess.normalise import FLUX_LIMIT, WEIGHT_LIMIT
from classifiers.preprocess.prepare import Block, blocks, groups

Floats = NDArray[np.float32]

_LARGEST = float(np.finfo(np.float32).max)
_LEAST_PIXELS = 0.3  # of the pixels of a bin


class PlainMeans(NamedTuple):
    """n spectra on the grid: flux over scale and inverse variance times scale^2, (n, pixel) float32, 0 where masked."""

    flux: NDArray[np.float32]
    inverse_variance: NDArray[np.float32]


def plain_means(spectra: Sequence[Spectrum], grid: CommonGrid, scale: NDArray[np.float64]) -> PlainMeans:
    """Bring n spectra onto the grid by plain means.

    Args:
        spectra: any axes, units and uncertainty kinds together.
        grid: the common grid.
        scale: (n,) by which flux is divided, as in ``PreparedBatch``.
    """
    out = PlainMeans(*np.zeros((2, len(spectra), grid.n), np.float32))
    for rows in groups(spectra):
        for block in blocks(spectra, rows, grid):
            if block.operator.pixels:
                _fill(block, spectra, scale, out)
    return out


def _fill(block: Block, spectra: Sequence[Spectrum], scale: NDArray[np.float64], out: PlainMeans) -> None:
    where, operator = np.array(block.rows), block.operator
    weighed = block.weigh(spectra)
    valid = np.empty_like(weighed.weight)
    _unweigh(weighed.weight, weighed.weighted, valid)
    count, total, noise = (operator.sums(each) for each in (valid, weighed.weighted, weighed.weight))
    unit = (block.unit.factor * np.ldexp(1.0, -weighed.exponent) / scale[where]).astype(np.float32)
    _average(count, total, noise, unit, FLUX_LIMIT, WEIGHT_LIMIT)
    out.flux[where] = total
    out.inverse_variance[where] = noise


@compiled
def _unweigh(weight: Floats, weighted: Floats, valid: Floats) -> None:
    """Turn weights into variances and weighted fluxes into fluxes, 0 where masked, and write 1 where they are not."""
    for row in range(weight.shape[0]):
        w, wf, known = weight[row], weighted[row], valid[row]
        for i in range(w.size):
            variance = np.float32(1.0) / w[i] if w[i] > 0 else np.float32(0.0)
            flux = wf[i] * variance
            usable = (variance > 0) & (variance <= _LARGEST) & (abs(flux) <= _LARGEST)
            w[i] = variance if usable else np.float32(0.0)
            wf[i] = flux if usable else np.float32(0.0)
            known[i] = np.float32(1.0) if usable else np.float32(0.0)


@compiled
def _average(
    count: Floats, total: Floats, noise: Floats, unit: Floats, most_flux: np.float32, most_weight: np.float32
) -> None:
    """Turn sums of flux into means and sums of variance into inverse variances of these, 0 where too little is seen."""
    for row in range(count.shape[0]):
        pixels, flux, variance = count[row], total[row], noise[row]
        least = np.float32(_LEAST_PIXELS) * pixels.max()
        for i in range(pixels.size):
            mean = flux[i] / pixels[i] * unit[row]
            scaled = pixels[i] / unit[row]
            inverse = scaled * scaled / variance[i]
            seen = (pixels[i] > least) & (abs(mean) <= _LARGEST) & (inverse <= _LARGEST)
            flux[i] = min(max(mean, -most_flux), most_flux) if seen else np.float32(0.0)
            variance[i] = min(inverse, most_weight) if seen else np.float32(0.0)
