"""What a classifier is given: one spectrum or one set of stamps, as arrays with everything explicit.

These are the only forms in which data enters ``classifiers``. They check nothing: ``stream/decode`` has done that.
Nobody changes one; ``Spectrum`` is not frozen only because it then takes three times as long to make, once per record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GridAxis:
    """Regular wavelength axis: start + i step (LINEAR) or 10^(start + i step) (LOG10), Angstrom, i = 0 .. n-1."""

    kind: Literal["LINEAR", "LOG10"]
    start: float
    step: float
    n: int


@dataclass(frozen=True, slots=True)
class InlineAxis:
    """Explicit wavelength axis: (n,) float64 Angstrom, strictly increasing; ``digest`` identifies it in caches."""

    wavelength_angstrom: NDArray[np.float64]
    digest: bytes


Axis: TypeAlias = GridAxis | InlineAxis


@dataclass(slots=True)
class Spectrum:
    """One raw spectrum.

    Attributes:
        axis: wavelength axis in ``medium`` and the frame that ``velocity_correction_km_s`` brings to the barycentre.
        flux: (n,) float32 in ``flux_unit``; NaN and inf allowed (masked by preprocessing).
        uncertainty: (n,) float32, meaning ``uncertainty_kind``.
        quality: (n,) int32, 0 where the survey has nothing against the pixel; None when no quality array came.
        velocity_correction_km_s: wavelengths are multiplied by (1 + v/c); 0 when already barycentric or heliocentric.
        resolving_power: wavelength/FWHM, or None.
        sky_fibre: True for fibre_use = SKY.
        sampling: DISPERSED or NARROWBAND.
        survey: upper-case survey name, by which a bundle may declare thresholds; "" where none is told.
    """

    axis: Axis
    medium: Literal["AIR", "VACUUM"]
    flux: Floats
    uncertainty: Floats
    uncertainty_kind: Literal["SIGMA", "VARIANCE", "IVAR"]
    flux_unit: str
    quality: NDArray[np.int32] | None
    velocity_correction_km_s: float
    resolving_power: float | None
    sampling: Literal["DISPERSED", "NARROWBAND"]
    sky_fibre: bool
    survey: str = ""


def quality_of(good: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the quality array, 0 or 1, of pixels that are good or not."""
    return (~good).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Stamps:
    """The three cutouts of one image alert, as they came.

    Attributes:
        science, template, difference: (height, width) float32, NaN where there is no pixel; None = missing.
        survey: upper-case survey name, which preprocessing may need.
        flags: quality bits (``classifiers.quality``) that decoding already found, for example a truncated edge.
    """

    science: Floats | None
    template: Floats | None
    difference: Floats | None
    survey: str
    flags: int
