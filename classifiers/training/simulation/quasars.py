"""Quasars: real-population continua and lines, Lyman-alpha forest, broad absorption; ``near_quasars`` has the rest."""

from __future__ import annotations

import numpy as np

from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.emission import relative_extinction
from classifiers.training.simulation.galaxies import Galaxies
from classifiers.training.simulation.grid import (
    LOG10_START,
    LOG10_STEP,
    PIXELS,
    Float32,
    Float64,
    Integers,
    NDBool,
    native_wavelength,
    rows_at,
)
from classifiers.training.simulation.near_quasars import add_nearby

LYMAN_ALPHA = 1215.67
LYMAN_LIMIT = 911.75
_PCA_LOG10_START, _PCA_LOG10_STEP = 2.93, 5e-4
_LINES_LOG10_START = 2.77803658
_BAL_START_ANGSTROM, _BAL_STEP_ANGSTROM = 944.6, 0.3
# Ultraviolet lines of the templates, which are means over many quasars, differ by 0.06 dex in width; widths of SDSS's
# quasars are log-normal and scatter more (Shen et al. 2008, ApJ 680, 169); with what is added here they have 0.10 dex.
WIDENED_ANGSTROM = (1549.06, 1908.73, 2798.75)
WIDTH_SCATTER_DEX = 0.12
# Near quasars are less luminous than those that templates are made of, and their Mg II is narrower.
NARROWER_DEX, NARROWER_BELOW = -0.2, (0.5, 0.8)
_LEAST_DEX, _MOST_DEX = -0.3, 0.4
_WIDENED_REACH = 0.033  # in ln wavelength, 10,000 km/s: beyond, nothing moves
REDSHIFT_RANGE = (0.03, 5.5)
# Quasars behind dust of their hosts: of the Small Magellanic Cloud's kind (Prevot et al. 1984, A&A 132, 389, as used by
# Richards et al. 2003, AJ 126, 1131), in a tail of about a sixth of them (Hopkins et al. 2004, AJ 128, 1112).
_DUSTY_SHARE, _DUSTY_EBV = 0.15, 0.15
# Windows of narrow lines, which pixels of 345 km/s make wide: they are put in anew (``near_quasars``).
_CUT_OUT_ANGSTROM = ((3715.0, 3745.0), (3852.0, 3888.0), (4932.0, 5042.0))


class Quasars:
    """Draws noiseless quasars."""

    def __init__(self, basis: Basis, galaxies: Galaxies) -> None:
        order = np.argsort(basis["qso_redshift"])
        self._pca = _without_narrow_lines(basis["qso_vectors"])
        self._pca_coefficients = basis["qso_coefficients"][order]
        self._pca_redshift = basis["qso_redshift"][order].astype(np.float64)
        order = np.argsort(basis["line_redshift"])
        self._lines = basis["line_vectors"]
        self._line_coefficients = basis["line_coefficients"][order]
        self._line_redshift = basis["line_redshift"][order].astype(np.float64)
        self._bal = basis["bal_transmission"].astype(np.float64) / 200.0
        self._galaxies = galaxies
        self._native = native_wavelength()

    def draw(
        self, count: int, rng: np.random.Generator, seen_by: Integers | None = None
    ) -> tuple[Float32, Float64, NDBool]:
        """Draw quasars.

        Args:
            count: how many.
            rng: source of randomness.
            seen_by: (count,) instruments that make narrow lines wide; see ``line_spread``.

        Returns:
            flux (count, 4671) float32 of median about 1, redshift (count,), and whether broad absorption was put in.
        """
        low, high = np.log1p(REDSHIFT_RANGE)
        uniform = np.expm1(rng.uniform(low, high, count))
        survey = rng.choice(self._line_redshift, count) * rng.uniform(0.97, 1.03, count)
        redshift = np.clip(np.where(rng.random(count) < 0.5, survey, uniform), *REDSHIFT_RANGE)
        flux, cut_out = self._continua(redshift, rng)
        self._widen(flux, redshift, rng)
        self._redden(flux, redshift, rng)
        self._forest(flux, redshift, rng)
        absorbed = self._absorb(flux, redshift, rng)
        instruments = np.zeros(count, np.int64) if seen_by is None else seen_by
        add_nearby(flux, redshift, cut_out, self._galaxies, rng, instruments)
        return flux, redshift, absorbed

    def _continua(self, redshift: Float64, rng: np.random.Generator) -> tuple[Float32, NDBool]:
        """Return continua with broad lines, and which of them have no narrow lines, (count,)."""
        count = redshift.size
        flux = np.empty((count, PIXELS), dtype=np.float32)
        by_lines = (rng.random(count) < 0.45) & (redshift > 0.2) & (redshift < 4.8)
        rows = np.flatnonzero(~by_lines)
        nearest = _near(self._pca_redshift, redshift[rows], 60, rng)
        rest = self._pca_coefficients[nearest] @ self._pca
        axis = _PCA_LOG10_START + _PCA_LOG10_STEP * np.arange(rest.shape[1])
        native = LOG10_START + LOG10_STEP * np.arange(PIXELS)
        for row, spectrum in zip(rows, rest, strict=True):
            flux[row] = np.interp(native - np.log10(1.0 + redshift[row]), axis, spectrum, left=0.0)
        rows = np.flatnonzero(by_lines)
        nearest = _near(self._line_redshift, redshift[rows], 120, rng)
        contrast = self._line_coefficients[nearest] @ self._lines
        contrast *= (10.0 ** rng.normal(0.0, 0.15, rows.size))[:, None].astype(np.float32)
        offset = (LOG10_START - np.log10(1.0 + redshift[rows]) - _LINES_LOG10_START) / LOG10_STEP
        slope = rng.normal(-1.56, 0.35, rows.size)
        power_law = np.exp(slope[:, None] * np.log(self._native / 6000.0))
        flux[rows] = np.maximum(1.0 + rows_at(contrast, offset), 0.0) * power_law
        level = np.median(flux[:, 500:4000], axis=1, keepdims=True)
        flux /= np.maximum(level, 1e-3)
        return np.maximum(flux, 0.0, out=flux), ~by_lines

    def _widen(self, flux: Float32, redshift: Float64, rng: np.random.Generator) -> None:
        """Make the broad lines of each quasar wider or narrower by one factor, by stretching wavelengths around them.

        At an offset u from a line the spectrum takes the flux at u (1 + (1/factor - 1) cos^2(pi u / 2 reach)), which
        grows with u for factors from 0.5 upwards.
        """
        mean = np.interp(redshift, NARROWER_BELOW, (NARROWER_DEX, 0.0))
        factor = 10.0 ** np.clip(rng.normal(mean, WIDTH_SCATTER_DEX), _LEAST_DEX, _MOST_DEX)
        x = np.log(self._native)
        for rest in WIDENED_ANGSTROM:
            centre = np.log(rest * (1.0 + redshift))
            first, last = np.searchsorted(x, [centre - _WIDENED_REACH, centre + _WIDENED_REACH])
            for row in np.flatnonzero(last > first):
                part = slice(int(first[row]), int(last[row]))
                offset = x[part] - centre[row]
                taper = np.cos(0.5 * np.pi * offset / _WIDENED_REACH) ** 2
                moved = x[part] + offset * (1.0 / factor[row] - 1.0) * taper
                flux[row, part] = np.interp(moved, x, flux[row])

    def _redden(self, flux: Float32, redshift: Float64, rng: np.random.Generator) -> None:
        """Give each another slope, and some dust: of the Galaxy as observed, or of their hosts at rest."""
        count = flux.shape[0]
        ebv = rng.exponential(0.12, (count, 1)) * (rng.random((count, 1)) < 0.2)
        slope = rng.normal(-0.05, 0.3, (count, 1))
        log_wave = np.log(self._native / 6000.0).astype(np.float32)
        extinction = (relative_extinction(self._native) - 3.1).astype(np.float32)
        exponent = slope.astype(np.float32) * log_wave
        exponent -= (0.921 * ebv).astype(np.float32) * extinction
        dusty = np.flatnonzero(rng.random(count) < _DUSTY_SHARE)
        ebv = rng.exponential(_DUSTY_EBV, (dusty.size, 1))
        microns = 1e-4 * self._native / (1.0 + redshift[dusty, None])
        middle = 0.6 / (1.0 + redshift[dusty, None])
        exponent[dusty] -= (0.921 * ebv * 1.39 * (microns**-1.2 - middle**-1.2)).astype(np.float32)
        flux *= np.exp(np.clip(exponent, -6.0, 6.0, out=exponent), out=exponent)

    def _forest(self, flux: Float32, redshift: Float64, rng: np.random.Generator) -> None:
        """Absorb blueward of Lyman alpha: tau = 0.0018 (1 + z)^3.92 (Faucher-Giguere+ 2008, ApJ 681, 831, Eq. 5)."""
        for row in np.flatnonzero(redshift > self._native[0] / LYMAN_ALPHA - 1.0 + 0.01):
            end = int(np.searchsorted(self._native, LYMAN_ALPHA * (1.0 + redshift[row])))
            end = min(end, PIXELS)
            white = rng.standard_normal(end + 4, dtype=np.float32)
            field = (white[:-4] + 2 * white[1:-3] + 3 * white[2:-2] + 2 * white[3:-1] + white[4:]) / np.sqrt(19.0)
            depth = 0.0018 * (self._native[:end] / LYMAN_ALPHA) ** 3.92
            # The templates are of observed quasars and hold the mean absorption: what is put in has a mean of 1.
            flux[row, :end] *= np.exp(-depth * np.exp(1.4 * field - 0.98)) / np.interp(depth, *_MEAN_TRANSMISSION)
            limit = int(np.searchsorted(self._native, LYMAN_LIMIT * (1.0 + redshift[row])))
            flux[row, :limit] *= np.exp(-rng.exponential(1.5))

    def _absorb(self, flux: Float32, redshift: Float64, rng: np.random.Generator) -> NDBool:
        absorbed = (redshift > 1.5) & (rng.random(redshift.size) < 0.1)
        axis = _BAL_START_ANGSTROM + _BAL_STEP_ANGSTROM * np.arange(self._bal.shape[1])
        for row in np.flatnonzero(absorbed):
            transmission = self._bal[rng.integers(self._bal.shape[0])]
            flux[row] *= np.interp(self._native / (1.0 + redshift[row]), axis, transmission, left=1.0, right=1.0)
        return absorbed


def _without_narrow_lines(vectors: Float32) -> Float32:
    """Return the principal components with straight lines in place of narrow lines: (vector, pixel)."""
    angstrom = 10.0 ** (_PCA_LOG10_START + _PCA_LOG10_STEP * np.arange(vectors.shape[1]))
    kept = np.ones(angstrom.size, np.bool_)
    for low, high in _CUT_OUT_ANGSTROM:
        kept &= (angstrom < low) | (angstrom > high)
    straight = [np.interp(angstrom, angstrom[kept], vector[kept]) for vector in vectors]
    return np.asarray(straight, np.float32)


def _mean_transmission() -> tuple[Float64, Float64]:
    """Return depths and the mean of exp(-depth exp(1.4 g - 0.98)) over normal g, by Gauss-Hermite quadrature."""
    g, weight = np.polynomial.hermite_e.hermegauss(40)
    depth = np.linspace(0.0, 4.0, 401)
    transmission = np.exp(-depth[:, None] * np.exp(1.4 * g - 0.98)) @ (weight / weight.sum())
    return depth, np.asarray(transmission)


_MEAN_TRANSMISSION = _mean_transmission()


def _near(sorted_redshift: Float64, wanted: Float64, spread: int, rng: np.random.Generator) -> Integers:
    index = np.searchsorted(sorted_redshift, wanted) + rng.integers(-spread, spread + 1, wanted.size)
    return np.asarray(np.clip(index, 0, sorted_redshift.size - 1), dtype=np.int64)
