"""Rendering of point sources and galaxies on the stamp grid, vectorised over a batch of images.

A point-spread function is a sum of two axis-aligned Gaussians, core and wings, so that an image of many stars is one
batched matrix product of its row and column profiles. Galaxies are Sersic profiles (Sersic 1963; b_n = 2n - 1/3, Ciotti
& Bertin 1999, A&A 352, 447, eq. 18, leading terms) whose radius is softened by the seeing, not convolved with it; what
real galaxies have beside a profile (``hosts``) is convolved with the core of the point-spread function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.training.stamps.hosts import at

Floats = NDArray[np.float32]

FWHM_PER_SIGMA = 2.3548200450309493
_CROWDING = (4, 12, 30)
_LEAST_LEFT = 0.1  # of the profile, where structure is darkest
_PIXEL_VARIANCE = 1.0 / 12.0  # a pixel's own width, added to the Gaussian instead of integrating over the pixel


@dataclass(frozen=True, slots=True)
class PointSpread:
    """Point-spread functions of a batch.

    Attributes:
        sigma_x: (n,) float32, core [pixel].
        sigma_y: (n,) float32, core [pixel].
        wing_fraction: (n,) float32, flux in the wings [0..1].
        wing_scale: wings' sigma over the core's.
    """

    sigma_x: Floats
    sigma_y: Floats
    wing_fraction: Floats
    wing_scale: float = 2.5

    def widened(self, factor: Floats) -> PointSpread:
        """Return the same with core sigmas multiplied by (n,) ``factor``."""
        return PointSpread(self.sigma_x * factor, self.sigma_y * factor, self.wing_fraction, self.wing_scale)

    def rows(self, index: NDArray[np.int64]) -> PointSpread:
        """Return the functions of some images."""
        return PointSpread(self.sigma_x[index], self.sigma_y[index], self.wing_fraction[index], self.wing_scale)


def render_points(side: int, x: Floats, y: Floats, flux: Floats, spread: PointSpread) -> Floats:
    """Render point sources.

    Args:
        side: side of the image [pixel].
        x: (n, source) float32, column of each source [pixel, 0 = centre of the first].
        y: (n, source) float32, row [pixel].
        flux: (n, source) float32, total flux; 0 = no source.
        spread: point-spread functions of the n images.

    Returns:
        (n, side, side) float32.
    """
    image = np.zeros((len(x), side, side), np.float32)
    count = np.count_nonzero(flux, axis=1)
    present = np.argsort(flux == 0, axis=1, kind="stable")
    lowest = 0
    for highest in (*_CROWDING, x.shape[1]):  # images of few sources do not pay for those of many
        rows = np.flatnonzero((count > lowest) & (count <= highest))
        if rows.size:
            chosen = (rows[:, None], present[rows, :highest])
            image[rows] = _render_spread(side, x[chosen], y[chosen], flux[chosen], spread.rows(rows))
        lowest = highest
    return image


def _render_spread(side: int, x: Floats, y: Floats, flux: Floats, spread: PointSpread) -> Floats:
    """Render core and wings of every source of every image."""
    image = _render_gaussians(side, x, y, flux * (1 - spread.wing_fraction[:, None]), spread.sigma_x, spread.sigma_y)
    scale = np.float32(spread.wing_scale)
    wings = flux * spread.wing_fraction[:, None]
    image += _render_gaussians(side, x, y, wings, spread.sigma_x * scale, spread.sigma_y * scale)
    return image


def _render_gaussians(side: int, x: Floats, y: Floats, flux: Floats, sigma_x: Floats, sigma_y: Floats) -> Floats:
    columns = _profile(side, x, sigma_x)
    rows = _profile(side, y, sigma_y)
    rows *= flux[:, :, None]
    image: Floats = np.matmul(rows.transpose(0, 2, 1), columns)
    return image


def _profile(side: int, centre: Floats, sigma: Floats) -> Floats:
    """Return the 1-D Gaussians (n, source, side), unit sum on an infinite grid."""
    width = np.sqrt(sigma * sigma + np.float32(_PIXEL_VARIANCE))[:, None, None]
    distance = (np.arange(side, dtype=np.float32) - centre[:, :, None]) / width
    profile: Floats = np.exp(np.float32(-0.5) * distance * distance)
    profile /= width * np.float32(np.sqrt(2 * np.pi))
    return profile


@dataclass(frozen=True, slots=True)
class Galaxies:
    """One galaxy for each image of a batch; every attribute but the last (n,) float32.

    Attributes:
        x, y: centre [pixel].
        peak: surface brightness at the half-light radius times exp(b_n), before softening.
        radius: half-light radius along the major axis [pixel].
        index: Sersic index.
        axis_ratio: minor over major axis.
        angle: position angle of the major axis against the columns [rad].
        structure: (n, 25, 25) light over the profile, minus 1 (``hosts``); None = smooth.
    """

    x: Floats
    y: Floats
    peak: Floats
    radius: Floats
    index: Floats
    axis_ratio: Floats
    angle: Floats
    structure: Floats | None = None


def render_galaxies(side: int, galaxies: Galaxies, softening: Floats) -> Floats:
    """Render one galaxy an image.

    Args:
        side: side of the image [pixel].
        galaxies: the galaxies.
        softening: (n,) float32, sigma of the seeing [pixel].

    Returns:
        (n, side, side) float32.
    """
    grid = np.arange(side, dtype=np.float32)
    dx = grid[None, None, :] - galaxies.x[:, None, None]
    dy = grid[None, :, None] - galaxies.y[:, None, None]
    cosine, sine = np.cos(galaxies.angle)[:, None, None], np.sin(galaxies.angle)[:, None, None]
    major = dx * cosine + dy * sine
    minor = (dy * cosine - dx * sine) / galaxies.axis_ratio[:, None, None]
    radius = np.sqrt(major * major + minor * minor + (softening * softening)[:, None, None])
    b = (2 * galaxies.index - np.float32(1 / 3))[:, None, None]
    half_light = galaxies.radius[:, None, None]
    exponent = b * (radius / half_light) ** (1 / galaxies.index)[:, None, None]
    image: Floats = galaxies.peak[:, None, None] * np.exp(-exponent)
    if galaxies.structure is not None:
        rows = np.flatnonzero(galaxies.peak)
        smooth = image[rows]
        place = ((axis / half_light)[rows].astype(np.float32, copy=False) for axis in (minor, major))
        excess = _blurred(at(galaxies.structure[rows], *place) * smooth, softening[rows])
        image[rows] = np.maximum(smooth + excess, _LEAST_LEFT * smooth)
    return image


def _blurred(images: Floats, sigma: Floats) -> Floats:
    """Convolve (n, side, side) images with Gaussians of (n,) sigma [pixel]; nothing comes from beyond the edges."""
    side = images.shape[1]
    place = np.arange(side, dtype=np.float32)
    distance = (place[:, None] - place) / np.maximum(sigma, np.float32(0.2))[:, None, None]
    kernel = np.exp(np.float32(-0.5) * distance * distance)
    kernel /= kernel[:, side // 2, :].sum(axis=1)[:, None, None]
    blurred: Floats = np.matmul(np.matmul(kernel, images), kernel)
    return blurred
