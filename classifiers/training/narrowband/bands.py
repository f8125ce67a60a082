"""The J-PAS bands and synthetic photometry through them, on one coarse wavelength grid.

Everything is simulated on log10(wavelength / Angstrom) = 3.5 + 5e-4 i, i = 0 .. 1084 (3162 to 11015 Angstrom; a pixel
is 4 to 13 Angstrom wide, a narrow band 145). The basis file beside this module holds, for each band, the share of each
pixel in the photon-weighted mean; it is derived from the measured filter curves (``building``), which do not ship.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.grid import Float32, Float64

SHIPPED = Path(__file__).with_name("basis.npz")
LOG10_START, LOG10_STEP, PIXELS = 3.5, 5e-4, 1085
SPEED_OF_LIGHT_ANGSTROM_S = 2.99792458e18
NAMES = ("uJava", *(f"J0{centre}" for centre in (378, *range(390, 920, 10))), "J1007")
"""The 56 bands by wavelength."""
REFERENCE = "rSDSS"
"""The broad band in which sources are counted; no input of the network."""
UNIT_CGS = 1e-17
"""Simulated fluxes are in this many erg/s/cm2/Angstrom."""
TRAYS = 4
"""Bands change together in the camera: 14 neighbours a tray, as a model of what is missing together."""


def grid_wavelength() -> Float64:
    """Return the grid's pixels, (1085,) float64, Angstrom."""
    return np.asarray(10.0 ** (LOG10_START + LOG10_STEP * np.arange(PIXELS)))


def ab_flux(magnitude: Float64) -> Float64:
    """Return the flux density of AB magnitudes [erg/s/cm2/Hz] (Oke & Gunn 1983, ApJ 266, 713)."""
    return np.asarray(10.0 ** (-0.4 * (magnitude + 48.6)))


@dataclass(frozen=True, slots=True)
class Photometry:
    """Photon-weighted synthetic photometry: <F_lambda> = int F_lambda T lambda / int T lambda over each band.

    Attributes:
        weights: (57, 1085) float64, the 56 bands and the reference band; rows sum to 1.
        pivot_angstrom: (57,) float64, where <F_nu> = <F_lambda> pivot^2 / c (Tokunaga & Vacca 2005, PASP 117, 421).
    """

    weights: Float64
    pivot_angstrom: Float64

    @staticmethod
    def of(basis: Basis) -> Photometry:
        """Return the photometry of a narrow-band basis."""
        weights = basis["band_weights"].astype(np.float64)
        weights /= weights.sum(axis=1, keepdims=True)
        # pivot^2 = int T lambda / int T / lambda, of the weights themselves, so that AB magnitudes agree exactly
        pivot = 1.0 / np.sqrt(weights @ grid_wavelength() ** -2.0)
        return Photometry(weights, pivot)

    def mean_flux(self, spectra: Float32) -> Float64:
        """Return <F_lambda> in the bands and the reference band, (n, 57), of spectra (n, 1085) F_lambda."""
        return np.asarray(spectra.astype(np.float64) @ self.weights.T)

    def ab_magnitude(self, mean_flux: Float64) -> Float64:
        """Return AB magnitudes (n, 57) of <F_lambda> in erg/s/cm2/Angstrom."""
        per_hertz = mean_flux * self.pivot_angstrom**2 / SPEED_OF_LIGHT_ANGSTROM_S
        return np.asarray(-2.5 * np.log10(per_hertz) - 48.6)


def shifted(rest: Float32, rest_log10_start: float, redshift: Float64) -> Float32:
    """Return rest-frame rows (n, m), on a log grid of this module's step, at their redshifts: (n, 1085) float32.

    Linear interpolation; the first and last pixel of a row stand for what lies beyond it.
    """
    offset = (LOG10_START - np.log10(1.0 + redshift) - rest_log10_start) / LOG10_STEP
    position = offset[:, None] + np.arange(PIXELS)
    position = np.clip(position, 0.0, rest.shape[1] - 1.000001)
    whole = position.astype(np.int64)
    part = (position - whole).astype(np.float32)
    left = np.take_along_axis(rest, whole, axis=1)
    right = np.take_along_axis(rest, whole + 1, axis=1)
    return np.asarray(left + part * (right - left), dtype=np.float32)
