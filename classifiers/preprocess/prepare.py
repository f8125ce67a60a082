"""From raw spectra to what spectral engines read; a spectrum gives the same bits whatever batch it comes in.

Steps: mask, inverse variance, rebin (``rebin``), normalise (``normalise``). Rules for pixels and what a user is told:

| pixel of a spectrum                                         | outcome | quality bit                  |
| ----------------------------------------------------------- | ------- | ---------------------------- |
| flagged by the survey                                       | masked  | (MASKED_PIXELS)              |
| flux NaN or inf                                             | masked  | NON_FINITE_INPUT             |
| uncertainty NaN or inf                                      | masked  | NON_FINITE_INPUT             |
| uncertainty negative                                        | masked  | BAD_UNCERTAINTY              |
| uncertainty 0, kind SIGMA or VARIANCE                       | masked  | BAD_UNCERTAINTY              |
| uncertainty 0, kind IVAR                                    | masked  | (MASKED_PIXELS)              |
| flux or weight beyond float32 relative to the spectrum      | masked  | (MASKED_PIXELS)              |
| flux negative                                               | kept    |                              |

Bits NON_FINITE_INPUT and BAD_UNCERTAINTY speak of pixels that the survey did not flag. MASKED_PIXELS is set when more
than 10 % of the pixels between the first and the last valid one are masked. A spectrum with no valid pixel on the grid
gets coverage 0 and S/N NaN; its rows are 0. NARROWBAND spectra are not rebinned: coverage 0 as well.

Numbers are brought near 1 by an exact power of two before weights are formed, so that 1e-17 erg/s/cm2/Angstrom and
inverse variances of 1e40 neither over- nor underflow float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.items import GridAxis, Spectrum
from classifiers.preprocess.axis import VELOCITY_STEP_KM_S, axis_key, pixel_edges
from classifiers.preprocess.grid import CommonGrid
from classifiers.preprocess.normalise import normalise
from classifiers.preprocess.rebin import rebinner
from classifiers.preprocess.units import flux_unit
from classifiers.preprocess.weights import weigh
from classifiers.quality import Quality

_BLOCK_PIXELS = 1 << 17  # pixels worked on at a time: the work arrays stay in a core's second-level cache


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A batch of n spectra on the common grid.

    Attributes:
        flux: (n, pixel) float32, F_lambda divided by ``scale``; 0 where masked, NaN never.
        inverse_variance: (n, pixel) float32, multiplied by scale^2; 0 where masked, NaN never.
        scale: (n,) float64, in the flux unit of the spectrum (1e-17 erg/s/cm2/Angstrom for F_nu and photon units).
        snr: (n,) float64, median of flux x sqrt(inverse_variance) over valid grid pixels; NaN without any.
        coverage: (n,) float64, fraction of grid pixels that are valid.
        quality_flags: (n,) int64, bits of ``Quality``.
    """

    flux: NDArray[np.float32]
    inverse_variance: NDArray[np.float32]
    scale: NDArray[np.float64]
    snr: NDArray[np.float64]
    coverage: NDArray[np.float64]
    quality_flags: NDArray[np.int64]


def prepare(spectra: Sequence[Spectrum], grid: CommonGrid) -> PreparedBatch:
    """Bring n >= 1 spectra onto the grid.

    Raises:
        UnitError: a flux unit is not one that can be classified (the stream rejects such records before).
    """
    n = len(spectra)
    batch = PreparedBatch(
        flux=np.zeros((n, grid.n), np.float32),
        inverse_variance=np.zeros((n, grid.n), np.float32),
        scale=np.ones(n),
        snr=np.full(n, np.nan),
        coverage=np.zeros(n),
        quality_flags=np.zeros(n, np.int64),
    )
    for rows in _groups(spectra):
        _prepare_group([spectra[row] for row in rows], np.array(rows), grid, batch)
    return batch


def _groups(spectra: Sequence[Spectrum]) -> list[list[int]]:
    """Return the rows that share axis, uncertainty kind and unit, and so can be worked on together."""
    found: dict[tuple[object, ...], list[int]] = {}
    for row, spectrum in enumerate(spectra):
        if spectrum.sampling == "DISPERSED":
            axis = spectrum.axis
            velocity_steps = round(spectrum.velocity_correction_km_s / VELOCITY_STEP_KM_S)
            identity = axis if isinstance(axis, GridAxis) else axis.digest
            key = (identity, spectrum.medium, velocity_steps, spectrum.uncertainty_kind, spectrum.flux_unit)
            found.setdefault(key, []).append(row)
    return list(found.values())


def _prepare_group(spectra: list[Spectrum], rows: NDArray[np.int64], grid: CommonGrid, batch: PreparedBatch) -> None:
    first = spectra[0]
    key = axis_key(first)
    unit = flux_unit(first.flux_unit)
    operator = rebinner(key, grid)
    edges = pixel_edges(key) if unit.wavelength_power or not isinstance(key.axis, GridAxis) else None
    factor = None if edges is None else unit.per_pixel(edges.centres_angstrom)
    common = 0 if unit.calibrated else int(Quality.UNCALIBRATED_FLUX)
    common |= int(Quality.GAPS) if edges is not None and edges.has_gaps else 0
    if operator.source.stop <= operator.source.start:  # nothing on the grid
        batch.quality_flags[rows] = common
        return
    size = max(1, min(len(spectra), _BLOCK_PIXELS // max(1, operator.width)))
    work = np.zeros((2, size, operator.width), np.float32)
    for start in range(0, len(spectra), size):
        block, where = spectra[start : start + size], rows[start : start + size]
        weight, weighted = work[0, : len(block)], work[1, : len(block)]
        exponent, flags = weigh(block, operator.source, operator.target, factor, weight, weighted)
        with np.errstate(over="ignore", invalid="ignore"):  # sums that are not finite are masked by normalise
            sums = operator.sums(weight), operator.sums(weighted)
        done = normalise(*sums)
        batch.flux[where] = done.flux
        batch.inverse_variance[where] = done.inverse_variance
        batch.scale[where] = unit.factor * np.ldexp(done.scale, -exponent)
        batch.snr[where] = done.snr
        batch.coverage[where] = done.coverage
        flags |= common
        flags |= [int(Quality.NO_QUALITY_ARRAY) * (spectrum.good is None) for spectrum in block]
        flags |= [int(Quality.SKY_FIBRE) * spectrum.sky_fibre for spectrum in block]
        batch.quality_flags[where] = flags
