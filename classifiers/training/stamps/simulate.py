"""Forward simulation of alert stamps: the ordinary population that the VAE learns and its p-values refer to.

One alert is a field of stars, often a host galaxy, and a source in the middle whose flux changed between template and
science image. Template, science and difference are consistent: same sources, own seeing, depth and noise; the
difference holds the change, the noise of both, and moderate residuals of imperfect subtraction (registration, kernel
width, flux scale), as every survey's does. Sizes, chip edges, masked pixels and missing cutouts follow what the
surveys send. Fluxes are in units of the science image's sky noise. Pure numpy; all randomness from the generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Stamps
from classifiers.training.stamps.profiles import (
    FWHM_PER_SIGMA,
    Floats,
    Galaxies,
    PointSpread,
    render_galaxies,
    render_points,
)

SIDE = 63
MAX_STARS = 40
CHUNK = 512
"""Images simulated at once; part of what a seed means."""


@dataclass(frozen=True, slots=True)
class SimulatedStamps:
    """n simulated alerts.

    Attributes:
        images: (n, 3, 63, 63) float32, science, template, difference [sky sigma of the science image]; NaN = no pixel.
        fwhm_pixels: (n,) float32, seeing of the science image.
        is_positive: (n,) bool, the source is brighter in the science image than in the template.
        flux: (n,) float32, total flux of the change, sign included, as the difference image shows it.
        has_host: (n,) bool.
    """

    images: Floats
    fwhm_pixels: Floats
    is_positive: NDArray[np.bool_]
    flux: Floats
    has_host: NDArray[np.bool_]

    def items(self) -> list[Stamps]:
        """Return the alerts as a classifier is given them; an image without a pixel is None."""
        return [_item(images) for images in self.images]


def _item(images: Floats) -> Stamps:
    """Return one alert's (3, side, side) images as stamps."""
    science, template, difference = (image if np.isfinite(image).any() else None for image in images)
    return Stamps(science=science, template=template, difference=difference, survey="SIMULATED", flags=0)


def simulate_stamps(n: int, rng: np.random.Generator) -> SimulatedStamps:
    """Simulate n alerts.

    Args:
        n: number of alerts, at least 1.
        rng: source of all randomness.

    Returns:
        The alerts; the same n and generator state give the same pixels on one machine.
    """
    parts = [_simulate(min(CHUNK, n - start), rng) for start in range(0, n, CHUNK)]
    return SimulatedStamps(
        images=np.concatenate([part.images for part in parts]),
        fwhm_pixels=np.concatenate([part.fwhm_pixels for part in parts]),
        is_positive=np.concatenate([part.is_positive for part in parts]),
        flux=np.concatenate([part.flux for part in parts]),
        has_host=np.concatenate([part.has_host for part in parts]),
    )


def _simulate(n: int, rng: np.random.Generator) -> SimulatedStamps:
    centre = np.float32(SIDE // 2)
    seeing = _seeing(n, rng)
    spread = _spread(seeing, rng)
    template_spread = spread.widened(rng.uniform(0.8, 1.15, n).astype(np.float32))
    template_noise = np.exp(rng.uniform(np.log(0.12), np.log(1.0), n)).astype(np.float32)
    x, y, flux = _stars(n, spread, rng)

    galaxies, has_host = _hosts(n, seeing, rng)
    change, constant, dx, dy = _central_source(n, spread, has_host, rng)
    x[:, 0], y[:, 0], flux[:, 0] = centre + dx, centre + dy, constant

    template_clean = render_points(SIDE, x, y, flux, template_spread)
    template_clean += render_galaxies(SIDE, galaxies, template_spread.sigma_x)
    static = render_points(SIDE, x, y, flux, spread) + render_galaxies(SIDE, galaxies, spread.sigma_x)
    source = render_points(SIDE, x[:, :1], y[:, :1], change[:, None], spread)
    science_clean = static + source

    gain = np.exp(rng.uniform(np.log(3.0), np.log(60.0), n)).astype(np.float32)[:, None, None]
    science_noise = _noise(science_clean, np.ones(n, np.float32), gain, rng)
    template_gain = gain / (template_noise * template_noise)[:, None, None]
    template_errors = _noise(template_clean, template_noise, template_gain, rng, correlated=True)
    science = science_clean + science_noise
    template = template_clean + template_errors

    residual = _residual(static, x, y, flux, spread, rng)
    difference = source + residual + science_noise - template_errors
    flip = rng.random(n) < 0.5  # half of the surveys publish template - science for a fading source, half keep the sign
    sign = np.where((change < 0) & flip, np.float32(-1), np.float32(1))
    difference *= sign[:, None, None]
    images = np.stack([science, template, difference], axis=1)
    _cut(images, rng)
    return SimulatedStamps(images, seeing, change > 0, change * sign, has_host)


def _seeing(n: int, rng: np.random.Generator) -> Floats:
    """Return FWHM [pixel]: 60 % as at 1 arcsec a pixel, 30 % as at 0.2 to 0.3, 10 % undersampled."""
    kind = rng.random(n)
    fwhm = np.where(
        kind < 0.6, rng.lognormal(np.log(2.4), 0.2, n), np.where(kind < 0.9, rng.lognormal(np.log(4.5), 0.2, n), 1.7)
    )
    return np.clip(fwhm, 1.5, 8.0).astype(np.float32)


def _spread(seeing: Floats, rng: np.random.Generator) -> PointSpread:
    n = len(seeing)
    sigma = seeing / np.float32(FWHM_PER_SIGMA)
    stretch = np.exp(rng.normal(0, 0.06, n)).astype(np.float32)
    return PointSpread(sigma * stretch, sigma / stretch, rng.uniform(0.02, 0.2, n).astype(np.float32))


def _stars(n: int, spread: PointSpread, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Return positions and fluxes (n, MAX_STARS); index 0 is kept for the source in the middle."""
    expected = np.exp(rng.uniform(np.log(0.5), np.log(40.0), n))
    count = np.minimum(rng.poisson(expected), MAX_STARS - 1)
    x = rng.uniform(-4, SIDE + 3, (n, MAX_STARS)).astype(np.float32)
    y = rng.uniform(-4, SIDE + 3, (n, MAX_STARS)).astype(np.float32)
    # Peak in sky sigmas from 3 up, cumulative slope -0.7 (star counts), at most 3e4.
    peak = np.minimum(3.0 * (1 - rng.random((n, MAX_STARS))) ** (-1 / 0.7), 3e4)
    flux = (peak * _flux_per_peak(spread)[:, None]).astype(np.float32)
    flux[np.arange(MAX_STARS)[None, :] > count[:, None]] = 0
    return x, y, flux


def _flux_per_peak(spread: PointSpread) -> Floats:
    """Return total flux over peak pixel of a point source, (n,) float32."""
    variance = np.sqrt((spread.sigma_x**2 + np.float32(1 / 12)) * (spread.sigma_y**2 + np.float32(1 / 12)))
    ratio: Floats = np.float32(2 * np.pi) * variance
    return ratio


def _hosts(n: int, seeing: Floats, rng: np.random.Generator) -> tuple[Galaxies, NDArray[np.bool_]]:
    has_host = rng.random(n) < 0.45
    offset = rng.rayleigh(1.2, n) * np.where(rng.random(n) < 0.6, 0.25, 2.5)
    angle = rng.uniform(0, 2 * np.pi, n)
    index = rng.uniform(0.8, 4.0, n)
    radius = np.clip(rng.lognormal(np.log(3.5), 0.6, n), 1.0, 20.0) * np.sqrt(seeing / 2.4)
    at_seeing = np.exp((2 * index - 1 / 3) * (seeing / FWHM_PER_SIGMA / radius) ** (1 / index))
    peak = np.where(has_host, np.exp(rng.uniform(np.log(3), np.log(1500), n)) * at_seeing, 0.0)
    galaxies = Galaxies(
        x=(SIDE // 2 + offset * np.cos(angle)).astype(np.float32),
        y=(SIDE // 2 + offset * np.sin(angle)).astype(np.float32),
        peak=peak.astype(np.float32),
        radius=radius.astype(np.float32),
        index=index.astype(np.float32),
        axis_ratio=rng.uniform(0.3, 1.0, n).astype(np.float32),
        angle=rng.uniform(0, np.pi, n).astype(np.float32),
    )
    return galaxies, has_host


def _central_source(
    n: int, spread: PointSpread, has_host: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return flux of the change, constant flux, and offsets from the middle, each (n,) float32.

    Without a host, 65 % are variable stars (a counterpart in the template, either sign), the others new sources.
    """
    per_peak = _flux_per_peak(spread)
    peak = 4.0 * np.exp(rng.exponential(1.6, n))
    change = np.minimum(peak, 5e3) * per_peak
    variable = ~has_host & (rng.random(n) < 0.65)
    fraction = np.exp(rng.uniform(np.log(0.03), np.log(3.0), n))
    constant = np.where(variable, np.minimum(change / fraction, 3e4 * per_peak), 0.0)
    fades = variable & (rng.random(n) < 0.5)
    change = np.where(fades, -np.minimum(change, 0.95 * constant), change)
    fades_in_host = has_host & (rng.random(n) < 0.3)  # the transient was in the template and is gone
    constant = np.where(fades_in_host, change, constant)
    change = np.where(fades_in_host, -change, change)
    dx, dy = rng.normal(0, 0.4, n), rng.normal(0, 0.4, n)
    return change.astype(np.float32), constant.astype(np.float32), dx.astype(np.float32), dy.astype(np.float32)


def _noise(
    clean: Floats, sky_sigma: Floats, gain: Floats, rng: np.random.Generator, *, correlated: bool = False
) -> Floats:
    """Return sky and photon noise, variance sky_sigma^2 + clean / gain; a coadd's is correlated between neighbours."""
    white = rng.standard_normal(clean.shape, dtype=np.float32)
    if correlated:
        strength = rng.uniform(0.0, 0.5, len(clean)).astype(np.float32)[:, None, None]
        mixed = white + strength * (np.roll(white, 1, axis=1) + np.roll(white, 1, axis=2))
        white = mixed / np.sqrt(1 + 2 * strength * strength)
    noise: Floats = white * np.sqrt((sky_sigma * sky_sigma)[:, None, None] + np.maximum(clean, 0) / gain)
    return noise


def _residual(
    static: Floats, x: Floats, y: Floats, flux: Floats, spread: PointSpread, rng: np.random.Generator
) -> Floats:
    """Return what imperfect subtraction leaves: registration, kernel width and flux scale are slightly wrong."""
    n = len(static)
    quality = np.exp(rng.normal(np.log(0.02), 0.9, n)).astype(np.float32)  # typical residual as a fraction of the flux
    shift = quality[:, None] * rng.normal(0, 1, (n, 2)).astype(np.float32)
    jitter_x = shift[:, :1] + 0.5 * quality[:, None] * rng.normal(0, 1, x.shape).astype(np.float32)
    jitter_y = shift[:, 1:] + 0.5 * quality[:, None] * rng.normal(0, 1, x.shape).astype(np.float32)
    wider = np.exp(quality * rng.normal(0, 1, n).astype(np.float32)).astype(np.float32)
    matched = render_points(SIDE, x + jitter_x, y + jitter_y, flux, spread.widened(wider))
    exact = render_points(SIDE, x, y, flux, spread)
    scale = (0.5 * quality * rng.normal(0, 1, n).astype(np.float32))[:, None, None]
    residual: Floats = exact - matched + scale * static
    grain = (0.5 * quality)[:, None, None] * rng.standard_normal(static.shape, dtype=np.float32)
    residual += grain * np.abs(static)
    return residual


def _cut(images: Floats, rng: np.random.Generator) -> None:
    """Cut stamps to survey sizes, by chip edges, by masked pixels, and drop some, in place."""
    kind = rng.random(len(images))
    for row, value in enumerate(kind):
        if value < 0.20:  # LSST: the size follows the source
            _keep_middle(images[row], int(rng.integers(24, 50)))
        elif value < 0.27:
            _keep_middle(images[row], 61)
        elif value < 0.35:
            lost = int(rng.integers(1, SIDE // 2 - 4))
            view = images[row] if rng.random() < 0.5 else images[row].transpose(0, 2, 1)
            view[:, slice(None, lost) if rng.random() < 0.5 else slice(SIDE - lost, None)] = np.nan
        elif value < 0.40:
            top, left = rng.integers(0, SIDE - 6, 2)
            height, width = rng.integers(1, 7, 2)
            images[row, :, top : top + height, left : left + width] = np.nan
        elif value < 0.43:
            images[row, int(rng.integers(0, 2))] = np.nan


def _keep_middle(image: Floats, side: int) -> None:
    start = (SIDE - side) // 2
    keep = np.zeros((SIDE, SIDE), dtype=bool)
    keep[start : start + side, start : start + side] = True
    image[:, ~keep] = np.nan
