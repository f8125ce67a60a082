"""Galaxies: mixtures of E-MILES stellar populations, dust, velocity dispersion and emission lines on a BPT sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.emission import REST, RULE_LINES, add_lines, line_significance, relative_extinction
from classifiers.training.simulation.families import EXTREME_SHARE, HALPHA_ANGSTROM, MIX, PASSIVE, STARBURST, draw_lines
from classifiers.training.simulation.grid import (
    LOG10_START,
    LOG10_STEP,
    PIXEL_KM_S,
    SPEED_OF_LIGHT_KM_S,
    Float32,
    Float64,
    Integers,
    NDBool,
    rows_at,
    smooth_rows,
)
from classifiers.training.simulation.labels import galaxy_labels
from classifiers.training.simulation.line_spread import line_spread_km_s
from classifiers.training.simulation.newborn import add_newborn

SSP_LOG10_START = 3.30103
FARTHEST = 1.6
"""Redshift to which galaxies are drawn, where [O II] is about to leave the reddest instruments."""
_LEFT_PAD = 1700  # blueward of the populations: what is seen of a galaxy at FARTHEST
# Pixels from which they go on as a power law, at 2060 and 2560 Angstrom, and over how many; d ln flux of a pixel, at
# indices of -3.5 and 5.2.
_SLOPE_PIXELS, _SLOPE_LIMITS = (130, 1070, 60), (-8e-4, 1.2e-3)
# How far passive ones are drawn, without lines to be found by; the share of the others that is drawn evenly to FARTHEST
# and not where surveys found theirs.
_FARTHEST_PASSIVE, _DISTANT = 1.1, 0.15
_DISPERSIONS_KM_S = (80.0, 150.0, 230.0, 310.0)
# Gas within a fibre does not move quite as the stars do; no published figure, the floor of errors holds the same.
_GAS_KM_S = 10.0


@dataclass(frozen=True, slots=True)
class GalaxyTruth:
    """What the label rule needs of n galaxies: (n, line) fluxes and widths, redshift, equivalent width of H alpha."""

    redshift: Float64
    line_flux: Float64
    sigma_km_s: Float64
    ew_halpha: Float64

    def rows(self, chosen: Integers) -> GalaxyTruth:
        """Return some of the galaxies."""
        return GalaxyTruth(
            self.redshift[chosen], self.line_flux[chosen], self.sigma_km_s[chosen], self.ew_halpha[chosen]
        )


class Galaxies:
    """Draws noiseless galaxies; holds the smoothed stellar populations."""

    def __init__(self, basis: Basis) -> None:
        flux = _continued(basis["ssp_flux"].astype(np.float32))
        self._levels = [smooth_rows(flux, sigma / PIXEL_KM_S) for sigma in _DISPERSIONS_KM_S]
        self._start = SSP_LOG10_START - _LEFT_PAD * LOG10_STEP
        self._wavelength: Float64 = np.power(10.0, self._start + LOG10_STEP * np.arange(flux.shape[1]))
        age = basis["ssp_age_gyr"]
        self._young = np.flatnonzero(age < 0.3)
        self._middle = np.flatnonzero((age >= 0.3) & (age < 3.0))
        self._old = np.flatnonzero(age >= 3.0)
        self._redshifts = basis["galaxy_redshift"].astype(np.float64)

    def draw(
        self, count: int, rng: np.random.Generator, seen_by: Integers | None = None
    ) -> tuple[Float32, GalaxyTruth]:
        """Draw galaxies with lines.

        Args:
            count: how many.
            rng: source of randomness.
            seen_by: (count,) instruments that make their lines wide; see ``line_spread``.

        Returns:
            flux (count, 4671) float32, any scale, and the truth.
        """
        family = rng.choice(4, count, p=MIX)
        redshift = self._draw_redshift(family, rng)
        return self.at(redshift, family, rng, seen_by)

    def continua(self, count: int, rng: np.random.Generator) -> tuple[Float64, Float32]:
        """Draw galaxies without lines, in the rest frame.

        Args:
            count: how many.
            rng: source of randomness.

        Returns:
            log10 of the vacuum wavelength [Angstrom] (pixel,) and flux (count, pixel) float32, any scale.
        """
        rest, _ = self._continuum(rng.choice(4, count, p=MIX), rng.random(count) < EXTREME_SHARE, rng)
        return np.log10(self._wavelength), rest

    def _draw_redshift(self, family: Integers, rng: np.random.Generator) -> Float64:
        count = family.size
        survey = rng.choice(self._redshifts, count) * rng.uniform(0.9, 1.1, count)
        redshift = np.where(rng.random(count) < 0.55, survey, rng.uniform(0.003, 0.40, count))
        distant = rng.random(count) < np.where(family == PASSIVE, 0.45, _DISTANT)
        farthest = np.where(family == PASSIVE, _FARTHEST_PASSIVE, FARTHEST)
        return np.asarray(np.where(distant, rng.uniform(0.25, farthest, count), redshift))

    def at(
        self, redshift: Float64, family: Integers, rng: np.random.Generator, seen_by: Integers | None = None
    ) -> tuple[Float32, GalaxyTruth]:
        """Draw galaxies of given families at given redshifts; see ``draw``."""
        count = redshift.size
        extreme = rng.random(count) < EXTREME_SHARE
        rest, ebv = self._continuum(family, extreme, rng)
        offset = (LOG10_START - np.log10(1.0 + redshift) - self._start) / LOG10_STEP
        flux = rows_at(rest, offset)
        line_flux, sigma, ew = self._lines(rest, family, extreme, ebv, rng)
        sigma = np.hypot(sigma[:, None], line_spread_km_s(seen_by, REST * (1.0 + redshift[:, None])))
        gas = rng.normal(0.0, _GAS_KM_S, count) / SPEED_OF_LIGHT_KM_S
        add_lines(flux, line_flux, redshift + gas * (1.0 + redshift), sigma)
        return flux, GalaxyTruth(redshift.reshape(count), line_flux, sigma, ew)

    def _continuum(self, family: Integers, extreme: NDBool, rng: np.random.Generator) -> tuple[Float32, Float64]:
        """Draw stars and dust; returns E(B-V) of the gas, too, which has twice as much."""
        newborn = extreme & (family == STARBURST)
        rest = self._populations(family, newborn, rng)
        add_newborn(rest, self._wavelength, family, newborn, rng)
        ebv = np.where(family == PASSIVE, 0.3, 1.0) * np.minimum(rng.exponential(0.17, family.size), 0.9)
        extinction = relative_extinction(self._wavelength) - 3.1
        rest *= np.exp((-0.4 * np.log(10.0) * 0.5 * ebv)[:, None].astype(np.float32) * extinction.astype(np.float32))
        return rest, ebv

    def _populations(self, family: Integers, newborn: NDBool, rng: np.random.Generator) -> Float32:
        """Draw stars; nearly all stars of newborn galaxies are young."""
        count = family.size
        weights = np.zeros((count, self._levels[0].shape[0]), dtype=np.float32)
        young = np.select([family == PASSIVE, family == STARBURST], [0.02, 0.6], 0.25) * rng.uniform(0.2, 1.6, count)
        young = np.where(newborn, np.maximum(young, 0.9), young)
        middle = np.select([family == PASSIVE, family == STARBURST], [0.08, 0.5], 0.4) * rng.uniform(0.0, 1.5, count)
        shares = np.stack([young, middle * (1.0 - np.minimum(young, 0.95)), np.ones(count)], axis=1)
        shares[:, 2] = np.maximum(1.0 - shares[:, 0] - shares[:, 1], 0.03)
        for share, members in zip(shares.T, (self._young, self._middle, self._old), strict=True):
            weights[:, members] = share[:, None] * rng.dirichlet(np.full(members.size, 0.25), count)
        level = rng.integers(0, len(self._levels), count)
        rest = np.empty((count, self._levels[0].shape[1]), dtype=np.float32)
        for index, populations in enumerate(self._levels):
            chosen = level == index
            rest[chosen] = weights[chosen] @ populations
        return rest

    def _lines(
        self, rest: Float32, family: Integers, extreme: NDBool, ebv: Float64, rng: np.random.Generator
    ) -> tuple[Float64, Float64, Float64]:
        drawn = draw_lines(family, extreme, ebv, rng)
        at_halpha = rest[:, int(np.searchsorted(self._wavelength, HALPHA_ANGSTROM))]
        line_flux = (drawn.ew_halpha * at_halpha)[:, None] * drawn.ratios
        count = family.size
        gas = np.where(drawn.active, rng.uniform(80, 220, count), rng.uniform(30, 130, count))
        return line_flux, gas, drawn.ew_halpha


def _continued(populations: Float32) -> Float32:
    """Return populations with ``_LEFT_PAD`` pixels more to the blue, where each goes on with its slope up to there."""
    first, last, over = _SLOPE_PIXELS
    logarithm = np.log(populations[:, : last + over].astype(np.float64))
    head, tail = (np.median(logarithm[:, at : at + over], axis=1) for at in (first, last))
    slope = np.clip((tail - head) / (last - first), *_SLOPE_LIMITS)
    whole = np.pad(populations, ((0, 0), (_LEFT_PAD, 8)), mode="edge")
    to_the_blue = np.arange(-_LEFT_PAD - first, 0)
    whole[:, : to_the_blue.size] = np.exp(head[:, None] + slope[:, None] * to_the_blue)
    return whole


def label(truth: GalaxyTruth, scale: Float64, inverse_variance: Float32, rng: np.random.Generator) -> Integers:
    """Label galaxies by SDSS's rule at the simulated noise.

    Args:
        truth: of the noiseless galaxies.
        scale: (n,) factor from noiseless to observed flux.
        inverse_variance: (n, 4671) float32 of the observed spectra.
        rng: of the measurement errors.

    Returns:
        (n,) int64 class index.
    """
    expected = line_significance(
        truth.line_flux * scale[:, None], RULE_LINES, truth.redshift, truth.sigma_km_s, inverse_variance
    )
    measured = np.where(expected > 0, expected + rng.normal(size=expected.shape), 0.0)
    ratio = np.maximum(measured, 0.1) / np.maximum(expected, 1e-9) * truth.line_flux[:, RULE_LINES]
    oiii, hbeta, halpha, nii = np.log10(np.maximum(ratio, 1e-12)).T
    return galaxy_labels(measured, oiii - hbeta, nii - halpha, truth.ew_halpha * (1.0 + truth.redshift))
