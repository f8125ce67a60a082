"""Golden inputs as raw spectra, and what the CPU makes of them: what a device that prepares spectra itself must make.

Preparation is not exact in its last bits, since sums are added up in another order; masks, flags and coverage are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.items import GridAxis, Spectrum
from classifiers.preprocess.grid import CommonGrid
from classifiers.preprocess.prepare import PreparedBatch, prepare

TOLERANCE: Final = 1e-5
"""Largest difference of a number from the CPU's, relative to it or to 1. Measured: 5e-7 on CPU tensors."""
PIXELS_PER_BIN: Final = 100 / 31
"""About those of SDSS. No edge of a pixel is an edge of a bin, where last bits would decide on which side it lies."""


def as_raw(inputs: Mapping[str, NDArray[np.float32]], grid: CommonGrid) -> list[Spectrum]:
    """Return spectra of a survey's finer pixels, of one form, that are on the grid what inputs are, but for edges.

    Args:
        inputs: flux and inverse variance on the grid, (g, bin) float32.
        grid: theirs.
    """
    n = int(grid.n * PIXELS_PER_BIN)
    step = grid.log10_step / PIXELS_PER_BIN
    axis = GridAxis("LOG10", grid.log10_start, step, n)
    bins = np.clip(np.rint(np.arange(n) / PIXELS_PER_BIN).astype(np.int64), 0, grid.n - 1)
    return [
        Spectrum(
            axis,
            "VACUUM",
            flux[bins],
            weight[bins],
            "IVAR",
            "1e-17 erg/s/cm2/Angstrom",
            (weight[bins] == 0).astype(np.int32),
            0.0,
            None,
            "DISPERSED",
            sky_fibre=False,
        )
        for flux, weight in zip(inputs["flux"], inputs["inverse_variance"], strict=True)
    ]


@dataclass(frozen=True, slots=True)
class PreparedOnCpu:
    """g spectra as ``prepare`` leaves them."""

    batch: PreparedBatch

    @classmethod
    def of(cls, spectra: Sequence[Spectrum], grid: CommonGrid) -> PreparedOnCpu:
        """Prepare spectra."""
        return cls(prepare(spectra, grid))

    @property
    def inputs(self) -> dict[str, NDArray[np.float32]]:
        """Return what a program reads of them."""
        return {"flux": self.batch.flux, "inverse_variance": self.batch.inverse_variance}

    def difference(self, found: PreparedBatch, rows: NDArray[np.int64]) -> str | None:
        """Return how n spectra that something else prepared differ, in words, or None.

        Args:
            found: n rows.
            rows: which of the g spectra each of them is, (n,).
        """
        mine = self.batch
        for exact, words in (
            (np.array_equal(found.quality_flags, mine.quality_flags[rows]), "other quality flags"),
            (np.array_equal(found.coverage, mine.coverage[rows]), "another coverage"),
            (np.array_equal(found.inverse_variance > 0, (mine.inverse_variance > 0)[rows]), "other masks"),
        ):
            if not exact:
                return words
        for name in ("flux", "inverse_variance", "scale", "snr"):
            wanted = getattr(mine, name)[rows]
            by = np.abs(getattr(found, name) - wanted) / np.maximum(np.abs(wanted), 1.0)
            largest = float(np.max(np.where(np.isnan(wanted) & np.isnan(getattr(found, name)), 0.0, by)))
            if not largest <= TOLERANCE:
                return f"{name.replace('_', ' ')} that differs by {largest:.2g}, expected at most {TOLERANCE:.0e}"
        return None
