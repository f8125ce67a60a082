"""Noiseless galaxies on the narrow-band grid: mixtures of stellar populations, dust, emission lines.

The same populations, dust law and line ratios as the spectral simulator's, at the resolution that bands need. E-MILES
begins at 2000 Angstrom: below, spectra go on as a power law with the population's own slope at 2000 to 2600 Angstrom
and some scatter. That matters for bands bluer than 2000 (1 + z): uJava beyond z = 0.6, J0378 beyond z = 0.83.
"""

from __future__ import annotations

import numpy as np

from classifiers.training.narrowband.bands import LOG10_STEP, PIXELS, shifted
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.emission import REST, relative_extinction
from classifiers.training.simulation.families import (
    ACTIVE,
    EXTREME_SHARE,
    HALPHA_ANGSTROM,
    PASSIVE,
    STARBURST,
    draw_lines,
)
from classifiers.training.simulation.galaxies import SSP_LOG10_START
from classifiers.training.simulation.grid import Float32, Float64, Integers, NDBool
from classifiers.training.simulation.newborn import add_newborn

_LEFT_PIXELS = 340
_SLOPE_PIXELS = 228  # log10(2600 / 2000) / 5e-4
_REST_LOG10_START = SSP_LOG10_START + 2e-4 - _LEFT_PIXELS * LOG10_STEP
_NEAR_MIX, _FAR_MIX = (0.38, 0.42, 0.12, 0.08), (0.18, 0.52, 0.25, 0.05)
"""Shares of passive, star-forming, starburst and active galaxies at z = 0 and from z = 1 on (an assumption)."""


class Galaxies:
    """Draws noiseless galaxies."""

    def __init__(self, basis: Basis) -> None:
        native = basis["ssp_flux"].astype(np.float64)
        coarse = native[:, : native.shape[1] // 5 * 5].reshape(len(native), -1, 5).mean(axis=2)
        logarithm = np.log(np.maximum(coarse, 1e-6))
        head, tail = logarithm[:, :20].mean(axis=1), logarithm[:, _SLOPE_PIXELS - 20 : _SLOPE_PIXELS].mean(axis=1)
        slope = np.clip((tail - head) / (_SLOPE_PIXELS - 20), -0.004, 0.006)  # per pixel: -3.5 to +5.2 in d ln / d ln
        left = np.exp(head[:, None] - slope[:, None] * np.arange(_LEFT_PIXELS, 0, -1))
        self._populations = np.concatenate([left, coarse], axis=1).astype(np.float32)
        self._pixels = self._populations.shape[1]
        self._wavelength: Float64 = np.power(10.0, _REST_LOG10_START + LOG10_STEP * np.arange(self._pixels))
        self._dimming = (-0.4 * np.log(10.0) * (relative_extinction(self._wavelength) - 3.1)).astype(np.float32)
        age = basis["ssp_age_gyr"]
        self._ages = [np.flatnonzero(group) for group in (age < 0.3, (age >= 0.3) & (age < 3.0), age >= 3.0)]

    def draw(self, redshift: Float64, rng: np.random.Generator, even: NDBool) -> Float32:
        """Draw galaxies at redshifts (n,), of all families evenly where told: (n, 1085) float32 F_lambda, any scale."""
        part = np.minimum(redshift, 1.0)[:, None]
        cumulative = np.cumsum((1.0 - part) * np.array(_NEAR_MIX) + part * np.array(_FAR_MIX), axis=1)
        cumulative[even] = (0.25, 0.5, 0.75, 1.0)
        family = (rng.random((redshift.size, 1)) > cumulative).sum(axis=1)
        return self.at(redshift, np.minimum(family, ACTIVE), rng)

    def at(self, redshift: Float64, family: Integers, rng: np.random.Generator) -> Float32:
        """Draw galaxies of given families at given redshifts."""
        flux = np.empty((redshift.size, PIXELS), np.float32)
        for start in range(0, redshift.size, 4096):
            rows = slice(start, start + 4096)
            rest = self._rest(family[rows], rng)
            flux[rows] = shifted(rest, _REST_LOG10_START, redshift[rows])
        return np.maximum(flux, 0.0, out=flux)

    def _rest(self, family: Integers, rng: np.random.Generator) -> Float32:
        count = family.size
        extreme = rng.random(count) < EXTREME_SHARE
        young = np.select([family == PASSIVE, family == STARBURST], [0.02, 0.6], 0.25) * rng.uniform(0.1, 1.6, count)
        young = np.where(extreme & (family == STARBURST), np.maximum(young, 0.9), young)
        middle = np.select([family == PASSIVE, family == STARBURST], [0.08, 0.5], 0.4) * rng.uniform(0.0, 1.5, count)
        shares = np.stack([young, middle * (1.0 - np.minimum(young, 0.95)), np.ones(count)], axis=1)
        shares[:, 2] = np.maximum(1.0 - shares[:, 0] - shares[:, 1], 0.03)
        weights = np.zeros((count, len(self._populations)), np.float32)
        for share, members in zip(shares.T, self._ages, strict=True):
            weights[:, members] = share[:, None] * rng.dirichlet(np.full(members.size, 0.25), count)
        rest = weights @ self._populations
        add_newborn(rest, self._wavelength, family, extreme & (family == STARBURST), rng)
        tilt = rng.normal(0.0, 0.0008, (count, 1)).astype(np.float32)
        rest[:, :_LEFT_PIXELS] *= np.exp(tilt * np.arange(_LEFT_PIXELS, 0, -1, dtype=np.float32))
        ebv = np.where(family == PASSIVE, 0.3, 1.0) * np.minimum(rng.exponential(0.17, count), 0.9)
        self._add_lines(rest, family, extreme, ebv, rng)
        rest *= np.exp((0.5 * ebv)[:, None].astype(np.float32) * self._dimming)
        return rest

    def _add_lines(
        self, rest: Float32, family: Integers, extreme: NDBool, ebv: Float64, rng: np.random.Generator
    ) -> None:
        """Put each line into the two pixels around it; equivalent widths and ratios as in the spectral simulator."""
        # the ratios are those of reddened gas; the continuum is reddened afterwards, by half as much as the gas
        drawn = draw_lines(family, extreme, 0.5 * ebv, rng)
        # of the stars alone: a view would hold H alpha, too, once that is put in
        at_halpha = rest[:, int(np.searchsorted(self._wavelength, HALPHA_ANGSTROM))].copy()
        position = (np.log10(REST) - _REST_LOG10_START) / LOG10_STEP
        for column, place in enumerate(position):
            pixel, part = int(place), float(place - int(place))
            angstrom = self._wavelength[pixel] * np.log(10.0) * LOG10_STEP
            height = (drawn.ew_halpha * at_halpha * drawn.ratios[:, column] / angstrom).astype(np.float32)
            rest[:, pixel] += height * np.float32(1.0 - part)
            rest[:, pixel + 1] += height * np.float32(part)
