"""Noise, masks and calibration errors on the native grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.grid import PIXELS, Float32, Float64, NDBool, native_wavelength
from classifiers.training.simulation.instruments import Instrument

_KNOTS = 9
_SKY_LINE_5577 = 5578.9
# Where the arms meet, LAMOST's blue one sees ever less over some 200 A, and the red one recovers over some 150 A.
_OVERLAP_BLUE, _OVERLAP_RED = 200.0, 150.0
_OVERLAP_IN_BLUE = 0.35  # of what is left in the red arm
_RED_ANGSTROM = (7170.0, 7230.0)  # between these, noise comes to be correlated as in the far red
_FAR_RED_ANGSTROM, _WAVE_PIXELS = 8200.0, 9
_MEDIAN_STEP = 4  # pixels: errors change slowly, and the median of every fourth is the median
# What sky subtraction leaves, in units of the error: a level of one sign over the whole spectrum that grows to the red,
# and slow waves beside it, both stronger in some spectra than in others; measured on the blank fibres of SDSS (0.11 to
# 0.28, neighbouring bands correlated by 0.8; waves of 0.10, 0.16 and 0.21 at 50, 84 and 95 %).
_SKY_LEVEL = np.linspace(0.06, 0.23, _KNOTS, dtype=np.float32)
_LEVEL_SCATTER = np.float32(0.3)  # of the natural logarithm
_PEDESTAL = np.float32(0.1)
_PEDESTAL_SCATTER = np.float32(0.45)
# Cosmic rays that pipelines leave: heights in units of the error fall as a power law, above 10, 15, 25 and 50 of them
# 1.1, 0.36, 0.18 and 0.07 in each of the 28 brightest spectra of LAMOST.
_LEAST_RAY, _RAY_SLOPE, _HIGHEST_RAY = 6.0, 1.3, 300.0
# Share of spectra with wide masks at the arms, at 5577 A, in the A band and anywhere, so that no network leans on one
# place; the others have the masks that the survey's spectra have.
_HARD_MASKS = 0.25


@dataclass(frozen=True, slots=True)
class Noise:
    """Reported errors of n spectra before any object is seen.

    Attributes:
        sigma: (n, 4671) float32 one-sigma errors of median about 1.
        good: (n, 4671) bool.
        photon_snr: median S/N at which the object's own photons are half of the variance.
    """

    sigma: Float32
    good: NDBool
    photon_snr: float


def smooth_matrix(knots: int = _KNOTS, pixels: int = PIXELS) -> Float32:
    """Return (knots, pixels) float32 raised-cosine weights that sum to 1: a smooth curve through knot values."""
    position = np.linspace(0.0, knots - 1.0, pixels)
    distance = np.abs(position[None, :] - np.arange(knots)[:, None])
    weights = np.where(distance < 1.0, 0.5 * (1.0 + np.cos(np.pi * distance)), 0.0)
    return weights.astype(np.float32)


class NoiseModel:
    """Draws what one instrument does to noiseless spectra."""

    def __init__(self, basis: Basis) -> None:
        self._basis = basis
        self._smooth = smooth_matrix()
        self._wavelength = native_wavelength()
        far = PIXELS - int(np.searchsorted(self._wavelength, _FAR_RED_ANGSTROM))
        waves = smooth_matrix(far // _WAVE_PIXELS, far)
        self._waves = waves / np.sqrt(np.mean(np.sum(waves**2, axis=0)))
        sky = np.expm1(basis["sky"])
        self._sky = np.clip(sky / np.percentile(sky, 99.0), 0.0, 3.0).astype(np.float32)
        telluric = np.clip(basis["telluric"], 0.05, 1.0)
        self._telluric_pixels = np.flatnonzero(telluric < 0.985)
        self._log_telluric = np.log(telluric[self._telluric_pixels]).astype(np.float32)

    def noise(self, instrument: Instrument, count: int, rng: np.random.Generator) -> Noise:
        """Draw noise shapes and masks; sigma has median 1 over the good pixels, roughly."""
        group = instrument.group
        mean = self._basis[f"noise_{group}_mean"]
        log_sigma = np.repeat(mean[None, :], count, axis=0)
        if f"noise_{group}_vectors" in self._basis.arrays:
            spread = self._basis[f"noise_{group}_spread"]
            draws = rng.standard_normal((count, spread.size), dtype=np.float32) * spread
            log_sigma += draws @ self._basis[f"noise_{group}_vectors"]
        if f"noise_{group}_edges" not in self._basis.arrays:  # of which no shapes were measured
            log_sigma += 0.1 * rng.standard_normal((count, _KNOTS), dtype=np.float32) @ self._smooth
        sigma = np.exp(np.clip(log_sigma, -3.0, 5.0))
        return Noise(sigma, self._masks(instrument, count, rng), instrument.photon_snr)

    def _masks(self, instrument: Instrument, count: int, rng: np.random.Generator) -> NDBool:
        edges = self._basis.arrays.get(f"noise_{instrument.group}_edges")
        if edges is None:
            first = np.searchsorted(self._wavelength, instrument.first_angstrom) + rng.integers(0, 20, count)
            last = np.searchsorted(self._wavelength, instrument.last_angstrom) - rng.integers(0, 20, count)
        else:
            quantile = np.linspace(0.0, 1.0, edges.shape[1])
            first, last = ((np.interp(rng.random(count), quantile, edge) * PIXELS).astype(np.int64) for edge in edges)
        pixel = np.arange(PIXELS)
        good = np.asarray((pixel >= first[:, None]) & (pixel < last[:, None]), dtype=np.bool_)
        for low, high in instrument.gaps_angstrom:
            good[:, slice(*np.searchsorted(self._wavelength, (low, high)))] = False
        near_5577 = int(np.searchsorted(self._wavelength, _SKY_LINE_5577))
        gaps = np.searchsorted(self._wavelength, instrument.arms_angstrom)
        telluric = slice(*np.searchsorted(self._wavelength, (7590.0, 7690.0)))
        choices = rng.random((count, 6))
        hard = choices[:, 0] < _HARD_MASKS
        runs = rng.poisson(instrument.masked_runs, count)
        for row in range(count):
            if hard[row]:
                if choices[row, 1] < 0.3:
                    good[row, near_5577 - rng.integers(2, 12) : near_5577 + rng.integers(2, 12)] = False
                if choices[row, 2] < 4.0 * instrument.masked_share:
                    gap = int(gaps[rng.integers(gaps.size)])
                    good[row, gap - rng.integers(0, 180) : gap + rng.integers(0, 60)] = False
                if choices[row, 3] < 4.0 * instrument.masked_share:
                    good[row, telluric] = False
                if choices[row, 4] < 0.5:
                    for start in rng.integers(0, PIXELS, rng.integers(1, 12)):
                        good[row, start : start + rng.integers(1, 2 + int(instrument.masked_share * 500))] = False
                continue
            if choices[row, 5] < instrument.telluric_masked:
                good[row, telluric] = False
            lengths = rng.geometric(1.0 / instrument.masked_length, runs[row])
            for start, length in zip(rng.integers(0, PIXELS, runs[row]), lengths, strict=True):
                good[row, start : start + length] = False
        return good

    def calibrate(self, flux: Float32, snr: Float64, instrument: Instrument, rng: np.random.Generator) -> None:
        """Multiply flux in place by what flux calibration gets wrong: slow waves, tilt, arm step, tellurics.

        Args:
            flux: (n, 4671) float32.
            snr: (n,) median S/N per pixel.
            instrument: the instrument.
            rng: source of randomness.
        """
        count = flux.shape[0]
        knots = instrument.calibration * rng.standard_normal((count, _KNOTS), dtype=np.float32)
        if instrument.tilt > 0:
            slope = instrument.tilt * rng.standard_normal((count, 1), dtype=np.float32)
            knots += slope * np.linspace(-1.0, 1.0, _KNOTS, dtype=np.float32)
        response = np.exp(knots, out=knots) @ self._smooth
        step = np.hypot(instrument.arm_step, instrument.arm_step_faint / np.maximum(snr, 1.0)).astype(np.float32)
        for arm in np.searchsorted(self._wavelength, instrument.arms_angstrom).tolist():
            response[:, arm:] *= np.exp(step[:, None] * rng.standard_normal((count, 1), dtype=np.float32))
        strength = instrument.telluric * rng.standard_normal((count, 1), dtype=np.float32)
        response[:, self._telluric_pixels] *= np.exp(strength * self._log_telluric)
        flux *= np.maximum(response, 0.1, out=response)

    def add_noise(self, flux: Float32, sigma: Float32, instrument: Instrument, rng: np.random.Generator) -> None:
        """Add noise to flux in place: correlated Gaussian noise, slow pedestals, sky residuals, cosmic rays.

        Args:
            flux: (n, 4671) float32.
            sigma: (n, 4671) float32, the reported errors.
            instrument: the instrument.
            rng: source of randomness.
        """
        count = flux.shape[0]
        taps = max(len(instrument.correlation), len(instrument.red_correlation))
        white = rng.standard_normal((count, PIXELS + taps), dtype=np.float32)
        chi = _correlated(white, instrument.correlation)
        if instrument.red_correlation:
            red = np.interp(self._wavelength, _RED_ANGSTROM, (0.0, 1.0)).astype(np.float32)
            chi += red * (_correlated(white, instrument.red_correlation) - chi)
        low, high = instrument.noise_factor
        chi *= rng.uniform(low, high, (count, 1)).astype(np.float32)
        if instrument.bright_noise != 1.0:
            own = np.median(flux[:, ::_MEDIAN_STEP] / sigma[:, ::_MEDIAN_STEP], axis=1).clip(min=0.0)[:, None] ** 2
            chi *= 1.0 - (1.0 - instrument.bright_noise) * own / (own + instrument.photon_snr**2)
        if instrument.noise_shape:
            chi *= np.interp(self._wavelength, *np.transpose(instrument.noise_shape)).astype(np.float32)
        self._add_sky(chi, instrument, rng)
        chi *= sigma
        flux += chi
        _add_cosmic_rays(flux, sigma, instrument, rng)

    def add_residuals(self, flux: Float32, sigma: Float32, instrument: Instrument, rng: np.random.Generator) -> None:
        """Add to flux in place what ``add_noise`` adds beside noise, for spectra that get theirs on other pixels.

        Args:
            flux: (n, 4671) float32.
            sigma: (n, 4671) float32, the reported errors.
            instrument: the instrument.
            rng: source of randomness.
        """
        chi = np.zeros_like(flux)
        self._add_sky(chi, instrument, rng)
        chi *= sigma
        flux += chi
        _add_cosmic_rays(flux, sigma, instrument, rng)

    def _add_sky(self, chi: Float32, instrument: Instrument, rng: np.random.Generator) -> None:
        """Add what sky subtraction leaves, in units of the error: a slow level, and residuals of lines."""
        count = chi.shape[0]
        stronger = np.exp([[_LEVEL_SCATTER], [_PEDESTAL_SCATTER]] * rng.standard_normal((2, count), dtype=np.float32))
        knots = stronger[0][:, None] * rng.standard_normal((count, 1), dtype=np.float32) * _SKY_LEVEL
        knots += stronger[1][:, None] * _PEDESTAL * rng.standard_normal((count, _KNOTS), dtype=np.float32)
        chi += knots @ self._smooth
        residual = np.where(rng.random((count, 1)) < instrument.sky_residual, 1.2, 0.15).astype(np.float32)
        chi += residual * rng.standard_normal((count, 1), dtype=np.float32) * self._sky
        if instrument.far_red_waves > 0:
            waves = instrument.far_red_waves * rng.standard_normal((count, len(self._waves)), dtype=np.float32)
            chi[:, -self._waves.shape[1] :] += waves @ self._waves
        if instrument.overlap > 0:
            sides = instrument.overlap * rng.standard_normal((count, 2), dtype=np.float32)
            chi += sides @ self._overlap(instrument.arms_angstrom[0])

    def _overlap(self, arm_angstrom: float) -> Float32:
        """Return (2, 4671): how strongly either arm feels that they meet."""
        beyond = self._wavelength - arm_angstrom
        blue = np.where(beyond < 0, _OVERLAP_IN_BLUE * np.exp(-0.5 * (beyond / _OVERLAP_BLUE) ** 2), 0.0)
        red = np.where(beyond >= 0, np.exp(-np.maximum(beyond, 0.0) / _OVERLAP_RED), 0.0)
        return np.stack([blue, red]).astype(np.float32)


def _correlated(white: Float32, correlation: tuple[float, ...]) -> Float32:
    """Return noise of variance 1, (n, 4671), each pixel with these shares of the white noise of those before it."""
    taps = np.array(correlation, dtype=np.float32)
    before = white.shape[1] - PIXELS
    chi = white[:, before:].copy()
    for lag, weight in enumerate(taps, start=1):
        chi += weight * white[:, before - lag : -lag]
    chi /= np.sqrt(1.0 + np.sum(taps**2))
    return chi


def _add_cosmic_rays(flux: Float32, sigma: Float32, instrument: Instrument, rng: np.random.Generator) -> None:
    count = flux.shape[0]
    hits = rng.poisson(instrument.cosmic_rays, count)
    rows = np.repeat(np.arange(count), hits)
    pixels = rng.integers(0, PIXELS - 2, rows.size)
    heights = np.minimum(_LEAST_RAY * (1.0 - rng.random(rows.size)) ** (-1.0 / _RAY_SLOPE), _HIGHEST_RAY)
    for width, share in ((0, 1.0), (1, 0.5)):
        flux[rows, pixels + width] += (share * heights * sigma[rows, pixels + width]).astype(np.float32)


def object_noise(noise: Noise, flux: Float32, snr: Float64) -> Float32:
    """Return errors scaled to a wanted S/N, with the photon noise of the object where it is bright.

    Args:
        noise: shapes and masks.
        flux: (n, 4671) float32 noiseless, median about 1 (zero for blank sky).
        snr: (n,) wanted median S/N.

    Returns:
        sigma (n, 4671) float32 in units of flux.
    """
    share = (snr**2 / (snr**2 + noise.photon_snr**2)).astype(np.float32)[:, None]
    variance = noise.sigma**2
    variance *= (1.0 - share) + share * np.clip(flux, 0.02, 30.0)
    sigma = np.sqrt(variance, out=variance)
    every = slice(None, None, _MEDIAN_STEP)
    level = np.array(
        [
            np.median(row[good]) if good.any() else 1.0
            for row, good in zip(sigma[:, every], noise.good[:, every], strict=True)
        ]
    )
    sigma *= (1.0 / (snr * level)).astype(np.float32)[:, None]
    return sigma
