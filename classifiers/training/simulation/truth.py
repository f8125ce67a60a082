"""What is drawn before and after an instrument sees it, up to the noise."""

from __future__ import annotations

from dataclasses import dataclass

from classifiers.training.simulation.galaxies import GalaxyTruth
from classifiers.training.simulation.grid import Float32, Float64, Integers, NDBool


@dataclass(frozen=True, slots=True)
class NoiselessBatch:
    """Noiseless spectra (n, 4671) float32 of median about 1 with what the label rules need."""

    flux: Float32
    kind: Integers
    redshift: Float64
    other_type: Integers
    broad_absorption: NDBool
    galaxy_truth: GalaxyTruth | None


@dataclass(frozen=True, slots=True)
class Exposure:
    """m exposed spectra before noise is added.

    Attributes:
        flux, sigma, inverse_variance: (m, 4671) float32.
        good: (m, 4671) bool.
        snr: (m,).
        factor: (m,) from noiseless to observed flux.
    """

    flux: Float32
    sigma: Float32
    inverse_variance: Float32
    good: NDBool
    snr: Float64
    factor: Float64
