"""Tidal disruption events as published ones look: a hot black body and very broad lines. Nothing is trained on them.

No observed spectra are at hand, so these are made up: temperatures of 12,000 to 40,000 K (van Velzen et al. 2021, ApJ
908, 4, Sect. 5), lines of hydrogen, of He II 4686 with N III 4640, or of both, 5,000 to 20,000 km/s wide at half their
height and up to 3,000 km/s off their place (Charalampopoulos et al. 2022, A&A 659, A34).
"""

from __future__ import annotations

import numpy as np

from classifiers.training.simulation.grid import SPEED_OF_LIGHT_KM_S, Float32, Float64, native_wavelength

_KELVIN = (12_000.0, 40_000.0)
_FWHM_KM_S = (5_000.0, 20_000.0)
_OFFSET_KM_S = 1_500.0
_SECOND_RADIATION_ANGSTROM_K = 1.438777e8
_HYDROGEN = ((6564.61, 1.0), (4862.69, 0.45), (4341.69, 0.2))
_HELIUM = ((4687.02, 1.0), (4640.0, 0.5))
_WIDTH_ANGSTROM = (60.0, 250.0)
_SPECIES = 3  # hydrogen, helium, both


def tidal_disruptions(n: int, rng: np.random.Generator) -> Float32:
    """Return n spectra at rest on the native grid, (n, 4671) float32 of median 1, without noise and hosts."""
    wavelength = native_wavelength()
    temperature = np.exp(rng.uniform(np.log(_KELVIN[0]), np.log(_KELVIN[1]), n))[:, None]
    flux = wavelength**-5.0 / np.expm1(_SECOND_RADIATION_ANGSTROM_K / (wavelength * temperature))
    species = rng.integers(0, _SPECIES, n)
    for number, lines in enumerate((_HYDROGEN, _HELIUM)):
        seen = (species == number) | (species == _SPECIES - 1)
        strength = rng.uniform(*_WIDTH_ANGSTROM, n) * seen
        sigma = rng.uniform(*_FWHM_KM_S, n) / (2.0 * np.sqrt(2.0 * np.log(2.0)))
        offset = rng.normal(0.0, _OFFSET_KM_S, n)
        for rest, share in lines:
            flux *= 1.0 + share * _profile(wavelength, rest, sigma, offset) * strength[:, None]
    flux /= np.median(flux, axis=1, keepdims=True)
    return np.asarray(flux, np.float32)


def _profile(wavelength: Float64, rest: float, sigma_km_s: Float64, offset_km_s: Float64) -> Float64:
    """Return Gaussians of unit area [1 / Angstrom], (n, 4671)."""
    velocity = SPEED_OF_LIGHT_KM_S * (wavelength / rest - 1.0) - offset_km_s[:, None]
    width = rest * sigma_km_s[:, None] / SPEED_OF_LIGHT_KM_S
    return np.asarray(np.exp(-0.5 * (velocity / sigma_km_s[:, None]) ** 2) / (np.sqrt(2.0 * np.pi) * width))
