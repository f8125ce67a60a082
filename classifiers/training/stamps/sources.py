"""What stands on a simulated stamp: field stars, a host galaxy, and the source whose flux changed, by class.

Fluxes are in units of the science image's sky noise in a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.training.stamps.conditions import FULL_SIDE, Conditions
from classifiers.training.stamps.hosts import draw_structure
from classifiers.training.stamps.profiles import FWHM_PER_SIGMA, Floats, Galaxies, PointSpread
from classifiers.training.stamps.scheme import StampClass

MAX_STARS = 80
MIN_SNR = 5.0
"""Least matched-filter S/N at which surveys send an alert."""
WHITE_BLUR_SQUARED = 1 / (4 * np.pi)
"""Square of the Gaussian kernel's sigma that is equivalent to one pixel [pixel^2]."""


@dataclass(frozen=True, slots=True)
class Scene:
    """n alerts' sources.

    Attributes:
        x, y: (n, MAX_STARS) float32, centres [pixel]; index 0 is the source in the middle.
        flux: (n, MAX_STARS) float32, flux in the template; 0 = none.
        galaxies: one galaxy each; peak 0 = none.
        change: (n,) float32, flux in the science image minus flux in the template, of the source in the middle.
        has_host: (n,) bool, the change is in the light of a galaxy.
    """

    x: Floats
    y: Floats
    flux: Floats
    galaxies: Galaxies
    change: Floats
    has_host: NDArray[np.bool_]

    def persistent(self) -> Floats:
        """Return the fluxes (n, MAX_STARS) that both images have: without what only the template has."""
        flux = self.flux.copy()
        flux[:, 0] = np.maximum(flux[:, 0] + np.minimum(self.change, 0), 0)
        return flux


def draw_spread(fwhm: Floats, rng: np.random.Generator) -> PointSpread:
    """Draw point-spread functions of a FWHM [pixel], slightly elongated, with wings."""
    n = len(fwhm)
    sigma = fwhm / np.float32(FWHM_PER_SIGMA)
    stretch = np.exp(rng.normal(0, 0.08, n)).astype(np.float32)
    return PointSpread(sigma * stretch, sigma / stretch, rng.uniform(0.02, 0.2, n).astype(np.float32))


def flux_per_peak(spread: PointSpread) -> Floats:
    """Return total flux over peak pixel of a point source, (n,) float32."""
    variance = np.sqrt((spread.sigma_x**2 + np.float32(1 / 12)) * (spread.sigma_y**2 + np.float32(1 / 12)))
    ratio: Floats = np.float32(2 * np.pi) * variance
    return ratio


def draw_scene(
    labels: NDArray[np.int64], conditions: Conditions, spread: PointSpread, rng: np.random.Generator
) -> Scene:
    """Draw the sources of n alerts of given classes; an ARTEFACT has no change, and may have a galaxy.

    Args:
        labels: (n,) of ``StampClass``.
        conditions: of the n alerts.
        spread: of their science images.
        rng: source of all randomness.
    """
    n = len(labels)
    x, y, flux = _stars(labels, conditions, spread, rng)
    nuclear, artefact = labels == StampClass.NUCLEAR, labels == StampClass.ARTEFACT
    off, hostless = labels == StampClass.OFF_NUCLEAR, labels == StampClass.HOSTLESS
    in_galaxy = nuclear & (rng.random(n) < 0.5)
    bystander = hostless & (rng.random(n) < 0.12)
    on_artefact = artefact & (rng.random(n) < 0.3)
    galaxies = _galaxies(in_galaxy | off | bystander | on_artefact, off, bystander, on_artefact, conditions, rng)

    per_peak = flux_per_peak(spread)
    change = np.minimum(_peak_of_change(conditions, rng), 5e3) * per_peak
    star = nuclear & ~in_galaxy
    fraction = np.exp(rng.uniform(np.log(0.03), np.log(3.0), n))
    constant = np.where(star, np.minimum(change / fraction, 1e5 * per_peak), 0.0)
    # A galaxy's nucleus may hold a persistent point source as well.
    constant = np.where(in_galaxy & (rng.random(n) < 0.4), change * np.exp(rng.normal(0.3, 1.0, n)), constant)
    fades = star & (rng.random(n) < 0.5)
    change = np.where(fades, -np.minimum(change, 0.8 * constant), change)
    gone = (hostless | off | in_galaxy) & (rng.random(n) < 0.2)  # it was in the template and is no longer there
    constant = np.where(gone, constant + change, constant)
    change = np.where(gone, -change, change)
    change = np.where(artefact, 0.0, change)
    constant = np.where(artefact, 0.0, constant)

    centre = FULL_SIDE // 2
    scatter = 0.06 * conditions.fwhm + 0.15
    x[:, 0], y[:, 0] = centre + rng.normal(0, 1, n) * scatter, centre + rng.normal(0, 1, n) * scatter
    flux[:, 0] = constant
    return Scene(x, y, flux, galaxies, change.astype(np.float32), in_galaxy | off)


def _peak_of_change(conditions: Conditions, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the peak of the change [sky sigma] that gives a matched-filter S/N of at least ``MIN_SNR``.

    S/N = (peak / 2) / sqrt(b^2 / (b^2 + s^2)) for noise that a Gaussian of sigma b correlates, and a PSF of sigma s.
    """
    snr = MIN_SNR * np.exp(rng.exponential(1.4, len(conditions.fwhm)))
    blur = conditions.science_blur**2 + WHITE_BLUR_SQUARED
    sigma = conditions.fwhm / FWHM_PER_SIGMA
    noise = np.sqrt(blur / (blur + sigma**2)) * np.sqrt(1 + conditions.template_noise**2)
    peak: NDArray[np.float64] = 2.0 * snr * noise
    return peak


def _stars(
    labels: NDArray[np.int64], conditions: Conditions, spread: PointSpread, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Return positions and fluxes (n, MAX_STARS) of field stars; index 0 is kept for the source in the middle."""
    n = len(labels)
    count = np.minimum(rng.poisson(conditions.stars), MAX_STARS - 1)
    x = rng.uniform(-4, FULL_SIDE + 3, (n, MAX_STARS)).astype(np.float32)
    y = rng.uniform(-4, FULL_SIDE + 3, (n, MAX_STARS)).astype(np.float32)
    # Peak in sky sigmas from 3 up, cumulative slope -0.7 (star counts), at most 3e4.
    peak = np.minimum(3.0 * (1 - rng.random((n, MAX_STARS))) ** (-1 / 0.7), 3e4)
    flux = (peak * flux_per_peak(spread)[:, None]).astype(np.float32)
    flux[np.arange(MAX_STARS)[None, :] > count[:, None]] = 0
    centre = FULL_SIDE // 2
    near = np.hypot(x - centre, y - centre) < (1.2 * conditions.fwhm + 1.5)[:, None]
    flux[near & (labels != StampClass.NUCLEAR)[:, None]] = 0
    return x, y, flux


def _galaxies(
    present: NDArray[np.bool_],
    off: NDArray[np.bool_],
    bystander: NDArray[np.bool_],
    anywhere: NDArray[np.bool_],
    conditions: Conditions,
    rng: np.random.Generator,
) -> Galaxies:
    """Draw a galaxy where there is one: on the middle, off it by where the class says."""
    n = len(present)
    fwhm = conditions.fwhm.astype(np.float64)
    index = rng.uniform(0.7, 4.0, n)
    radius = np.clip(rng.lognormal(np.log(3.5), 0.7, n), 1.0, 25.0) * np.sqrt(fwhm / 2.4)
    axis_ratio, angle = rng.uniform(0.25, 1.0, n), rng.uniform(0, np.pi, n)
    # Distance in units of the radius along the direction; at least 0.4 FWHM for what is off the nucleus.
    towards = rng.uniform(0, 2 * np.pi, n)
    along = np.cos(towards - angle), np.sin(towards - angle) / axis_ratio
    reach = radius / np.hypot(*along)
    distance = np.abs(rng.normal(0, 0.1, n)) * np.minimum(fwhm, 3.0)
    distance = np.where(off, np.maximum(0.4 * fwhm + 0.4, reach * rng.uniform(0.3, 2.5, n)), distance)
    distance = np.where(bystander, 4.0 * reach + 2.5 * fwhm + rng.uniform(0, 10, n), distance)
    distance = np.where(anywhere, rng.uniform(0, 25, n), distance)
    at_seeing = np.exp((2 * index - 1 / 3) * (fwhm / FWHM_PER_SIGMA / radius) ** (1 / index))
    peak = np.where(present, np.exp(rng.uniform(np.log(4), np.log(1500), n)) * at_seeing, 0.0)
    # Light at the place of an off-nuclear source stays visible in the template: at least a third of its noise.
    scale = (2 * index - 1 / 3) * (np.hypot(distance / reach, fwhm / FWHM_PER_SIGMA / radius)) ** (1 / index)
    least = 0.35 * conditions.template_noise * np.exp(np.minimum(scale, 8.0))
    peak = np.where(off, np.maximum(peak, least), peak)
    return Galaxies(
        x=(FULL_SIDE // 2 + distance * np.cos(towards)).astype(np.float32),
        y=(FULL_SIDE // 2 + distance * np.sin(towards)).astype(np.float32),
        peak=peak.astype(np.float32),
        radius=radius.astype(np.float32),
        index=index.astype(np.float32),
        axis_ratio=axis_ratio.astype(np.float32),
        angle=angle.astype(np.float32),
        structure=draw_structure(present, rng),
    )
