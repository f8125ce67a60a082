"""What the survey does to a flux: sky and source noise at the published depths, zero points, missing bands.

Depths: miniJPAS reached 22 to 23.5 AB (5 sigma, 3 arcsec) in the narrow bands (Bonoli et al. 2021, A&A 653, A31,
abstract). Between these ends the run with wavelength is this model's: deepest from 4000 to 5000 Angstrom, shallowest
where the sky is bright and the detector is not. Stated errors hold sky and source noise and a floor; zero points are
off by more than stated errors say: each by 0.03 mag, and all together by a slope and a curve over wavelength of 0.04
mag at the ends, as extinction, atmosphere and apertures leave them (assumptions).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from classifiers.training.narrowband import missing
from classifiers.training.narrowband.bands import SPEED_OF_LIGHT_ANGSTROM_S, UNIT_CGS, ab_flux
from classifiers.training.simulation.grid import Float64, NDBool

_DEPTH_ANGSTROM = (3545.0, 3800.0, 4100.0, 4900.0, 5600.0, 6600.0, 7600.0, 8500.0, 9600.0)
_DEPTH_AB = (22.9, 22.9, 23.4, 23.5, 23.2, 23.0, 22.6, 22.3, 22.0)
_SKY_AB_PER_ARCSEC2 = (22.3, 22.4, 22.5, 22.2, 21.8, 21.4, 20.9, 20.4, 19.9)
_APERTURE_ARCSEC2 = np.pi * 1.5**2
_BAND_SCATTER, _FIELD_SCATTER = 0.12, 0.12
_FLOOR, _ERROR_OF_ERRORS = 0.01, 0.05
ZERO_POINT_MAG, COLOUR_MAG = 0.03, 0.04
"""By how much a band's zero point is off, and those of all bands by a slope and by a curve."""

Present = Callable[[missing.Shape, np.random.Generator], NDBool]
"""Which of the bands are there, for a shape and a generator."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What a catalogue holds of n sources: flux and error (n, 56) float64 [1e-17 erg/s/cm2/A], and which are there."""

    flux: Float64
    sigma: Float64
    good: NDBool


def depths(pivot_angstrom: Float64) -> Float64:
    """Return the 5-sigma depth in an aperture of 3 arcsec of each band, (m,) AB."""
    return np.asarray(np.interp(pivot_angstrom, _DEPTH_ANGSTROM, _DEPTH_AB))


def stated_depths(pivot_angstrom: Float64, rng: np.random.Generator, n: int = 2000) -> Float64:
    """Return the 16, 50 and 84 % quantiles of the 5-sigma depth that stated errors of empty sky mean, (3, m) AB."""
    sigma = observe(np.zeros((n, pivot_angstrom.size)), pivot_angstrom, rng, None).sigma
    per_hertz = SPEED_OF_LIGHT_ANGSTROM_S / pivot_angstrom**2 / UNIT_CGS
    depth = -2.5 * np.log10(5.0 * sigma / (ab_flux(np.zeros(1)) * per_hertz))
    return np.asarray(np.quantile(depth, (0.16, 0.5, 0.84), axis=0), np.float64)


def observe(
    flux: Float64, pivot_angstrom: Float64, rng: np.random.Generator, present: Present | None = missing.of_a_survey
) -> Observed:
    """Observe sources.

    Args:
        flux: (n, 56) noiseless <F_lambda> [1e-17 erg/s/cm2/Angstrom].
        pivot_angstrom: (56,).
        rng: source of randomness.
        present: draws which bands are there; None: all.
    """
    shape = flux.shape
    per_hertz = SPEED_OF_LIGHT_ANGSTROM_S / pivot_angstrom**2 / UNIT_CGS
    field = rng.normal(0.0, _FIELD_SCATTER, (shape[0], 1)) + rng.normal(0.0, _BAND_SCATTER, shape)
    sky_noise = ab_flux(depths(pivot_angstrom) + field) * per_hertz / 5.0
    sky_ab = np.interp(pivot_angstrom, _DEPTH_ANGSTROM, _SKY_AB_PER_ARCSEC2) - 2.5 * np.log10(_APERTURE_ARCSEC2)
    sky = ab_flux(sky_ab) * per_hertz
    sigma = np.sqrt(sky_noise**2 * (1.0 + flux / sky) + (_FLOOR * flux) ** 2)
    off = rng.normal(0.0, ZERO_POINT_MAG, shape) + rng.normal(0.0, COLOUR_MAG, (shape[0], 2)) @ _curves(pivot_angstrom)
    seen = flux * 10.0 ** (-0.4 * off) + sigma * rng.standard_normal(shape)
    stated = sigma * np.exp(rng.normal(0.0, _ERROR_OF_ERRORS, shape))
    good = np.ones(shape, np.bool_) if present is None else present((shape[0], shape[1]), rng)
    return Observed(seen, stated, good)


def _curves(pivot_angstrom: Float64) -> Float64:
    """Return a slope and a curve over ln wavelength, (2, m), at most 1: Legendre polynomials of degree 1 and 2."""
    x = np.log(pivot_angstrom)
    x = (2.0 * x - x.max() - x.min()) / (x.max() - x.min())
    return np.stack([x, 1.5 * x**2 - 0.5])
