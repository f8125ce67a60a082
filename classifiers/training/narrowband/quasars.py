"""Noiseless quasars on the narrow-band grid: real-population continua and lines, forest, absorption, host light.

The populations are the spectral simulator's: principal components with the coefficients of real quasars near the wanted
redshift, or a power law times the line contrast of another real population. The forest varies from sight line to sight
line: a band averages over some 35 Mpc.
"""

from __future__ import annotations

import numpy as np

from classifiers.training.narrowband.bands import LOG10_STEP, PIXELS, grid_wavelength, shifted
from classifiers.training.narrowband.counts import distance_modulus
from classifiers.training.narrowband.galaxies import Galaxies
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.emission import relative_extinction
from classifiers.training.simulation.families import ACTIVE, PASSIVE
from classifiers.training.simulation.grid import Float32, Float64, Integers
from classifiers.training.simulation.quasars import LYMAN_ALPHA, LYMAN_LIMIT

_PCA_LOG10_START = 2.93
_LINES_LOG10_START = 2.77803658 + 2e-4
_BAL_START_ANGSTROM, _BAL_STEP_ANGSTROM = 944.6, 0.3
_BAL_SHARE, _REDDENED_SHARE, _MEAN_GALACTIC_REDDENING = 0.1, 0.15, 0.02
"""At least 15 % of the quasars of SDSS are reddened by dust (Richards et al. 2003, AJ 126, 1131)."""
_SLOPE, _SLOPE_SCATTER = -1.56, 0.4
"""Of F_lambda over wavelength (Vanden Berk et al. 2001, AJ 122, 549, Sect. 4.1)."""
_HOST_M_R, _HOST_SCATTER, _HOST_FAINTER, _HOSTS_TO, _LARGEST_HOST = -20.5, 0.8, 0.5, 1.0, 0.6
"""Hosts are common galaxies (M* = -21.2: Blanton et al. 2003, ApJ 592, 819), half of their light within the aperture,
in r as observed fainter by half a magnitude for each unit of redshift: by K correction, less what they were younger.
What has most of its light from its host is no quasar to any survey."""


class Quasars:
    """Draws noiseless quasars."""

    def __init__(self, basis: Basis, galaxies: Galaxies) -> None:
        order = np.argsort(basis["qso_redshift"])
        self._pca = basis["qso_vectors"]
        self._pca_coefficients = basis["qso_coefficients"][order]
        self._pca_redshift = basis["qso_redshift"][order].astype(np.float64)
        order = np.argsort(basis["line_redshift"])
        lines = basis["line_vectors"]
        self._lines = lines[:, : lines.shape[1] // 5 * 5].reshape(len(lines), -1, 5).mean(axis=2)
        self._line_coefficients = basis["line_coefficients"][order]
        self._line_redshift = basis["line_redshift"][order].astype(np.float64)
        rest = 10.0 ** (_PCA_LOG10_START + LOG10_STEP * np.arange(self._pca.shape[1]))
        bal = basis["bal_transmission"].astype(np.float64) / 200.0
        axis = _BAL_START_ANGSTROM + _BAL_STEP_ANGSTROM * np.arange(bal.shape[1])
        self._bal = np.array([np.interp(rest, axis, row, left=1.0, right=1.0) for row in bal], np.float32)
        self._galaxies = galaxies
        self._wavelength = grid_wavelength()
        self._dimming = (-0.4 * np.log(10.0) * (relative_extinction(self._wavelength) - 3.1)).astype(np.float32)

    def draw(self, redshift: Float64, r: Float64, rng: np.random.Generator) -> Float32:
        """Draw quasars at redshifts (n,) with r magnitudes (n,): (n, 1085) float32 F_lambda, any scale."""
        flux = np.empty((redshift.size, PIXELS), np.float32)
        for start in range(0, redshift.size, 4096):
            block = slice(start, start + 4096)
            flux[block] = self._block(redshift[block], r[block], rng)
        return flux

    def _block(self, redshift: Float64, r: Float64, rng: np.random.Generator) -> Float32:
        count = redshift.size
        flux = np.empty((count, PIXELS), np.float32)
        by_lines = (rng.random(count) < 0.45) & (redshift > 0.25) & (redshift < 4.8)
        rows = np.flatnonzero(~by_lines)
        rest = self._pca_coefficients[_near(self._pca_redshift, redshift[rows], 60, rng)] @ self._pca
        flux[rows] = shifted(rest, _PCA_LOG10_START, redshift[rows])
        rows = np.flatnonzero(by_lines)
        contrast = self._line_coefficients[_near(self._line_redshift, redshift[rows], 120, rng)] @ self._lines
        contrast *= (10.0 ** rng.normal(0.0, 0.15, rows.size))[:, None].astype(np.float32)
        slope = rng.normal(_SLOPE, _SLOPE_SCATTER, (rows.size, 1))
        power_law = np.exp(slope * np.log(self._wavelength / 6000.0)).astype(np.float32)
        flux[rows] = np.maximum(1.0 + shifted(contrast, _LINES_LOG10_START, redshift[rows]), 0.0) * power_law
        np.maximum(flux, 0.0, out=flux)
        flux /= np.maximum(np.median(flux[:, 200:950], axis=1, keepdims=True), 1e-3)
        self._redden(flux, redshift, rng)
        self._absorb(flux, redshift, rng)
        self._forest(flux, redshift, rng)
        self._host(flux, redshift, r, rng)
        return flux

    def _redden(self, flux: Float32, redshift: Float64, rng: np.random.Generator) -> None:
        """Tilt, redden some at their own redshift and all in the Galaxy."""
        count = redshift.size
        own = rng.exponential(0.06, count) * (rng.random(count) < _REDDENED_SHARE) * (1.0 + redshift) ** 1.3
        ebv = (np.minimum(own, 0.6) + rng.exponential(_MEAN_GALACTIC_REDDENING, count))[:, None].astype(np.float32)
        tilt = rng.normal(0.0, 0.3, (count, 1)).astype(np.float32)
        exponent = tilt * np.log(self._wavelength / 6000.0).astype(np.float32) + ebv * self._dimming
        flux *= np.exp(np.clip(exponent, -6.0, 6.0))

    def _absorb(self, flux: Float32, redshift: Float64, rng: np.random.Generator) -> None:
        rows = np.flatnonzero((redshift > 1.2) & (rng.random(redshift.size) < _BAL_SHARE))
        if rows.size:
            flux[rows] *= shifted(
                self._bal[rng.integers(0, len(self._bal), rows.size)], _PCA_LOG10_START, redshift[rows]
            )

    def _forest(self, flux: Float32, redshift: Float64, rng: np.random.Generator) -> None:
        """Vary the forest: tau = 0.0018 (1 + z)^3.92 (Faucher-Giguere+ 2008, ApJ 681, 831, Eq. 5) on average.

        The templates are of observed quasars and hold the mean absorption, so only departures from it are put in.
        """
        count = redshift.size
        scatter = np.exp(rng.normal(0.0, 0.35, (count, PIXELS)).astype(np.float32))
        common = np.exp(rng.normal(0.0, 0.2, (count, 1)).astype(np.float32))
        depth = (0.0018 * (self._wavelength / LYMAN_ALPHA) ** 3.92).astype(np.float32)
        rest = self._wavelength / (1.0 + redshift[:, None])
        absorption = np.where(rest < LYMAN_ALPHA, depth * (scatter * common - 1.0), np.float32(0.0))
        limit = rng.exponential(1.5, (count, 1)).astype(np.float32)
        flux *= np.exp(-absorption - np.where(rest < LYMAN_LIMIT, limit, np.float32(0.0)))

    def _host(self, flux: Float32, redshift: Float64, r: Float64, rng: np.random.Generator) -> None:
        """Add hosts of like luminosity to near ones: the brighter a quasar, the less of its light they are."""
        near = np.flatnonzero(redshift < _HOSTS_TO)
        if near.size == 0:
            return
        family = np.where(rng.random(near.size) < 0.5, PASSIVE, ACTIVE)
        host = self._galaxies.at(redshift[near], family, rng)
        host /= np.maximum(np.median(host[:, 200:950], axis=1, keepdims=True), 1e-3)
        magnitude = rng.normal(_HOST_M_R, _HOST_SCATTER, near.size) + _HOST_FAINTER * redshift[near]
        share = 10.0 ** (-0.4 * (magnitude - (r[near] - distance_modulus(redshift[near]))))
        share = np.minimum(share, rng.uniform(0.0, _LARGEST_HOST, near.size))
        flux[near] += (share / (1.0 - share)).astype(np.float32)[:, None] * host


def _near(sorted_redshift: Float64, wanted: Float64, spread: int, rng: np.random.Generator) -> Integers:
    index = np.searchsorted(sorted_redshift, wanted) + rng.integers(-spread, spread + 1, wanted.size)
    return np.asarray(np.clip(index, 0, sorted_redshift.size - 1), dtype=np.int64)
