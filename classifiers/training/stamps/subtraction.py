"""Noise of simulated images and what imperfect subtraction leaves: registration, kernel width, flux scale, ringing.

Noise is correlated between pixels by a Gaussian kernel (drizzled and resampled images), applied in Fourier space.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifiers.training.stamps.conditions import FULL_SIDE, Conditions
from classifiers.training.stamps.profiles import Floats, PointSpread, render_points
from classifiers.training.stamps.sources import Scene

_ROW_FREQUENCY = np.fft.fftfreq(FULL_SIDE).astype(np.float32)[:, None]
_COLUMN_FREQUENCY = np.fft.rfftfreq(FULL_SIDE).astype(np.float32)[None, :]
_FREQUENCY_SQUARED = _ROW_FREQUENCY**2 + _COLUMN_FREQUENCY**2
_LEAST_BLUR = 0.25


def correlated_noise(blur: Floats, rng: np.random.Generator) -> Floats:
    """Return Gaussian noise of unit variance, (n, 63, 63) float32, correlated by a Gaussian of sigma ``blur`` [pixel].

    Args:
        blur: (n,) sigma; below 0.25 pixel the noise is white.
        rng: source of all randomness.
    """
    noise = rng.standard_normal((len(blur), FULL_SIDE, FULL_SIDE), dtype=np.float32)
    rows = np.flatnonzero(blur >= _LEAST_BLUR)
    if rows.size:
        squared = (blur[rows] ** 2)[:, None, None]
        kernel = np.exp(np.float32(-2 * np.pi**2) * squared * _FREQUENCY_SQUARED)
        noise[rows] = _filtered(noise[rows], kernel)
        noise[rows] /= noise[rows].std(axis=(1, 2), keepdims=True)
    return noise


def photon_noise(clean: Floats, sky_sigma: Floats, gain: Floats, unit: Floats) -> Floats:
    """Scale unit noise to sky and photons: variance sky_sigma^2 + clean / gain.

    Args:
        clean: (n, side, side) noiseless image.
        sky_sigma: (n,) sigma of the sky.
        gain: (n,) photo-electrons a unit of flux.
        unit: (n, side, side) noise of unit variance.
    """
    variance = (sky_sigma * sky_sigma)[:, None, None] + np.maximum(clean, 0) / gain[:, None, None]
    noise: Floats = unit * np.sqrt(variance)
    return noise


def subtraction_residual(
    points: Floats, galaxy: Floats, scene: Scene, spread: PointSpread, conditions: Conditions, rng: np.random.Generator
) -> Floats:
    """Return what subtraction leaves of the persistent sources, (n, 63, 63).

    Args:
        points: (n, 63, 63) persistent point sources as the science image shows them, unsaturated.
        galaxy: (n, 63, 63) galaxies.
        scene: the sources.
        spread: of the science images.
        conditions: of the n alerts.
        rng: source of all randomness.
    """
    n = len(points)
    quality = conditions.residual
    shift = quality[:, None] * rng.normal(0, 1, (n, 2)).astype(np.float32)
    jitter_x = shift[:, :1] + 0.5 * quality[:, None] * rng.normal(0, 1, scene.x.shape).astype(np.float32)
    jitter_y = shift[:, 1:] + 0.5 * quality[:, None] * rng.normal(0, 1, scene.x.shape).astype(np.float32)
    wider = np.exp(quality * rng.normal(0, 1, n)).astype(np.float32)
    flux = scene.persistent()
    matched = render_points(FULL_SIDE, scene.x + jitter_x, scene.y + jitter_y, flux, spread.widened(wider))
    residual = points - matched
    science = points + galaxy
    residual += (0.5 * quality * rng.normal(0, 1, n).astype(np.float32))[:, None, None] * science
    # Galaxies: the same shift, to first order.
    residual += shift[:, :1, None] * np.gradient(galaxy, axis=2) + shift[:, 1:, None] * np.gradient(galaxy, axis=1)
    grain = (0.5 * quality)[:, None, None] * rng.standard_normal(science.shape, dtype=np.float32)
    residual += grain * np.abs(science)
    # A saturated core is no longer the star's profile in either image.
    level = conditions.saturation[:, None, None]
    core = np.maximum(science - level, 0)
    residual += core * rng.normal(0, 0.3, n).astype(np.float32)[:, None, None]
    return residual


def ringing(image: Floats, strength: Floats, rng: np.random.Generator) -> Floats:
    """Return what a matching kernel that rings adds to an image: a band of spatial frequencies, amplified.

    Args:
        image: (n, 63, 63) what the kernel is applied to.
        strength: (n,) amplification of the band; 0 = none.
        rng: source of all randomness.

    Returns:
        (n, 63, 63); half of the bands are rings, half are stripes of one direction.
    """
    added = np.zeros_like(image)
    rows = np.flatnonzero(strength > 0)
    if rows.size == 0:
        return added
    n = rows.size
    period = rng.uniform(2.1, 5.0, n).astype(np.float32)
    centre, width = (1 / period)[:, None, None], rng.uniform(0.02, 0.08, n).astype(np.float32)[:, None, None]
    radial = np.sqrt(_FREQUENCY_SQUARED)[None]
    band = np.exp(-0.5 * ((radial - centre) / width) ** 2)
    angle = rng.uniform(0, np.pi, n).astype(np.float32)[:, None, None]
    along = (_COLUMN_FREQUENCY * np.cos(angle) + _ROW_FREQUENCY * np.sin(angle)) / np.maximum(radial, 1e-6)
    striped = (rng.random(n) < 0.5)[:, None, None]
    band *= np.where(striped, np.exp(-0.5 * ((1 - along**2) / 0.1) ** 2), 1.0)
    added[rows] = _filtered(image[rows], strength[rows, None, None] * band.astype(np.float32))
    return added


def _filtered(images: Floats, transfer: Floats) -> Floats:
    """Multiply images by a real transfer function in Fourier space."""
    spectrum = np.fft.rfft2(images)
    spectrum *= transfer
    back: NDArray[np.float32] = np.fft.irfft2(spectrum, s=(FULL_SIDE, FULL_SIDE)).astype(np.float32)
    return back
