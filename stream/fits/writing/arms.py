"""Cutting joined spectra into the arms of a spectrograph so that joining them again gives the same numbers.

A pixel that two arms see has the joined flux in both and half of the weight in each: the inverse-variance mean of the
two is then the flux, and their weights add up to its weight, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.fits.writing.fields import shared_grid, stacked


@dataclass(frozen=True, slots=True)
class Arm:
    """Name and range of an arm; ``first`` and ``last`` are its outer pixels [Angstrom]."""

    name: str
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class ArmSpectra:
    """Spectra of one arm.

    Attributes:
        arm: which.
        wavelength: (pixel,) float64 Angstrom.
        flux, inverse_variance: (spectrum, pixel) float32.
        quality: (spectrum, pixel) int32.
    """

    arm: Arm
    wavelength: NDArray[np.float64]
    flux: NDArray[np.float32]
    inverse_variance: NDArray[np.float32]
    quality: NDArray[np.int32]


def cut_arms(records: Sequence[Mapping[str, Any]], arms: Sequence[Arm]) -> list[ArmSpectra]:
    """Return the arms of joined spectra on one LINEAR grid.

    Raises:
        ValueError: the grid is not the lattice from the first arm's start to the last arm's end.
    """
    grid = shared_grid(records, "LINEAR")
    start, step, n = grid["start"], grid["step"], int(grid["n"])
    places = [slice(round((arm.first - start) / step), round((arm.last - start) / step) + 1) for arm in arms]
    if places[0].start != 0 or places[-1].stop != n:
        whole = f"{arms[0].first:g} to {arms[-1].last:g} Angstrom"
        raise ValueError(f"grid: expected {whole}, got {n} pixels of {step:g} from {start:g}")
    seen_by = np.zeros(n, dtype=np.float32)
    for place in places:
        seen_by[place] += 1.0
    wavelength = start + step * np.arange(n)
    flux, weight = stacked(records, "flux"), np.asarray(stacked(records, "uncertainty") / seen_by, dtype=np.float32)
    quality = stacked(records, "quality")
    return [
        ArmSpectra(arm, wavelength[place], flux[:, place], weight[:, place], quality[:, place])
        for arm, place in zip(arms, places, strict=True)
    ]
