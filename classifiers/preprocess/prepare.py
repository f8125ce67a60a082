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

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.items import GridAxis, Spectrum
from classifiers.preprocess.axis import VELOCITY_STEP_KM_S, axis_key, pixel_edges
from classifiers.preprocess.grid import CommonGrid
from classifiers.preprocess.normalise import normalise
from classifiers.preprocess.rebin import Rebinner, rebinner
from classifiers.preprocess.units import FluxUnit, flux_unit
from classifiers.preprocess.weights import Weighed, weigh
from classifiers.quality import Quality

_BLOCK_PIXELS = (
    160_000  # worked on at a time: as many as stay in a core's second-level cache (32 SDSS spectra: 64 in two)
)
_scratch = threading.local()


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

    @classmethod
    def blank(cls, n: int, grid: CommonGrid) -> PreparedBatch:
        """Return n rows without a valid pixel."""
        return cls(
            flux=np.zeros((n, grid.n), np.float32),
            inverse_variance=np.zeros((n, grid.n), np.float32),
            scale=np.ones(n),
            snr=np.full(n, np.nan),
            coverage=np.zeros(n),
            quality_flags=np.zeros(n, np.int64),
        )

    def rows(self, which: slice) -> PreparedBatch:
        """Return some of the rows, as views."""
        return PreparedBatch(*(getattr(self, name)[which] for name in self.__slots__))


def prepare(spectra: Sequence[Spectrum], grid: CommonGrid, into: PreparedBatch | None = None) -> PreparedBatch:
    """Bring n >= 1 spectra onto the grid.

    Args:
        spectra: any axes, units and uncertainty kinds together.
        grid: the bundles' grid.
        into: n blank rows to fill; made where there are none.

    Raises:
        UnitError: a flux unit is not one that can be classified (the stream rejects such records before).
    """
    batch = PreparedBatch.blank(len(spectra), grid) if into is None else into
    for rows in groups(spectra):
        for block in blocks(spectra, rows, grid):
            _fill(block, spectra, batch)
    return batch


def groups(spectra: Sequence[Spectrum]) -> list[list[int]]:
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


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one axis, uncertainty kind and unit that are worked on together."""

    rows: list[int]
    operator: Rebinner
    unit: FluxUnit
    factor: NDArray[np.float32] | None
    flags: int

    def weigh(self, spectra: Sequence[Spectrum]) -> Weighed:
        """Return the weighed pixels of this block's rows, in memory that the thread's next block takes."""
        needed = 2 * len(self.rows) * self.operator.pixels
        memory: NDArray[np.float32] | None = getattr(_scratch, "memory", None)
        if memory is None or memory.size < needed:  # fresh memory costs a page fault every 4 KiB
            memory = _scratch.memory = np.empty(max(needed, 2 * _BLOCK_PIXELS), np.float32)
        return weigh([spectra[row] for row in self.rows], self.operator.source, self.factor, memory)


def blocks(spectra: Sequence[Spectrum], rows: list[int], grid: CommonGrid) -> Iterator[Block]:
    """Yield the rows of a group in blocks that stay in a core's cache."""
    key = axis_key(spectra[rows[0]])
    unit = flux_unit(spectra[rows[0]].flux_unit)
    operator = rebinner(key, grid)
    edges = pixel_edges(key) if unit.wavelength_power or not isinstance(key.axis, GridAxis) else None
    factor = None if edges is None else unit.per_pixel(edges.centres_angstrom)
    flags = 0 if unit.calibrated else int(Quality.UNCALIBRATED_FLUX)
    flags |= int(Quality.GAPS) if edges is not None and edges.has_gaps else 0
    count = math.ceil(len(rows) / max(1, _BLOCK_PIXELS // max(1, operator.pixels)))
    size = math.ceil(len(rows) / count)
    for start in range(0, len(rows), size):
        yield Block(rows[start : start + size], operator, unit, factor, flags)


def _fill(block: Block, spectra: Sequence[Spectrum], batch: PreparedBatch) -> None:
    """Prepare one block into its rows of the batch."""
    members = [spectra[row] for row in block.rows]
    where, operator = np.array(block.rows), block.operator
    flags = np.full(len(members), block.flags, np.int64)
    flags |= [int(Quality.NO_QUALITY_ARRAY) * (spectrum.quality is None) for spectrum in members]
    flags |= [int(Quality.SKY_FIBRE) * spectrum.sky_fibre for spectrum in members]
    if operator.pixels:  # else nothing is on the grid
        weighed = block.weigh(spectra)
        done = normalise(operator.sums(weighed.weight), operator.sums(weighed.weighted))
        batch.flux[where] = done.flux
        batch.inverse_variance[where] = done.inverse_variance
        batch.scale[where] = block.unit.factor * np.ldexp(done.scale, -weighed.exponent)
        batch.snr[where] = done.snr
        batch.coverage[where] = done.coverage
        flags |= weighed.flags
    batch.quality_flags[where] = flags
