"""Measure the structure of real galaxies: HST COSMOS cut-outs with their noise, and three of better resolution.

Each galaxy is fitted with the Sersic profile that simulated hosts have, softened by its point-spread function. The
ratio to it is averaged on a grid in units of the half-light radius, weighted by inverse variance and shrunk towards no
structure where little is known, so that noise does not become structure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.optimize import least_squares

from classifiers.training.simulation.basis import write_basis
from classifiers.training.stamps.hosts import GRID, LARGEST, LEAST, REACH
from classifiers.training.stamps.profiles import FWHM_PER_SIGMA, Galaxies, render_galaxies

Float64 = NDArray[np.float64]
COSMOS = ("real_galaxy_images_extension.fits", "real_galaxy_catalog_26_extension_example.fits")
RESOLVED = ("gal1", "gal2", "gal3")
INPUTS = (
    *(f"cosmos/{name}" for name in COSMOS),
    *(f"sersic/{name}_{what}.npy" for name in RESOLVED for what in ("im", "mask", "psf", "sig")),
)
_COSMOS_FWHM = 3.4  # of ACS in F814W, 0.1 arcsec in pixels of 0.03 arcsec
_LEAST_SNR = 25.0
_LEAST_RADIUS = 2.0  # in sigmas of the point-spread function: smaller galaxies show no structure
_WIDTH = 0.25  # of the averaging kernel [half-light radius]
_EXPECTED = 0.5  # scatter of the ratio that shrinking assumes
_CORRELATED = 2.0  # resampled pixels share noise: so many times less is known than their number says
_PARAMETERS = ("x", "y", "peak", "radius", "index", "axis_ratio", "angle")


@dataclass(frozen=True, slots=True)
class Cutout:
    """A galaxy in the middle of an image.

    Attributes:
        image: (h, w) without sky.
        sigma: (h, w) noise, infinite where masked.
        spread: sigma of the point-spread function [pixel].
    """

    image: Float64
    sigma: Float64
    spread: float


def build_hosts(alerts_folder: Path, output: Path) -> dict[str, Any]:
    """Measure the galaxies and write their maps.

    Args:
        alerts_folder: folder of the files named in ``INPUTS``.
        output: the ``.npz`` to write.

    Returns:
        The provenance: how many galaxies, and sha256 of each input.

    Raises:
        FileNotFoundError: an input is absent; the message names it.
    """
    absent = [name for name in INPUTS if not (alerts_folder / name).is_file()]
    if absent:
        raise FileNotFoundError(f"{alerts_folder} lacks {', '.join(absent)}, which structure of hosts is measured on")
    maps = [found for cutout in cutouts(alerts_folder) if (found := structure_of(cutout)) is not None]
    digests = {name: hashlib.sha256((alerts_folder / name).read_bytes()).hexdigest() for name in INPUTS}
    provenance = {"galaxies": len(maps), "inputs": digests}
    write_basis(output, {"structure": np.stack(maps).astype(np.float16)}, provenance)
    return provenance


def cutouts(alerts_folder: Path) -> Iterator[Cutout]:
    """Yield the galaxies of ``INPUTS`` that are bright enough."""
    folder = alerts_folder / "cosmos"
    with fits.open(folder / COSMOS[0]) as images, fits.open(folder / COSMOS[1]) as catalogue:
        for row in catalogue[1].data:
            image = np.asarray(images[int(row["GAL_HDU"])].data, np.float64)
            sigma = float(np.sqrt(row["NOISE_VARIANCE"]))
            if image.sum() > _LEAST_SNR * sigma * np.sqrt(image.size):
                yield Cutout(image, np.full(image.shape, sigma), _COSMOS_FWHM / FWHM_PER_SIGMA)
    for name in RESOLVED:
        parts = {
            what: np.load(alerts_folder / "sersic" / f"{name}_{what}.npy").astype(np.float64)
            for what in ("im", "mask", "psf", "sig")
        }
        spread = float(np.sqrt(parts["psf"].sum() / (2 * np.pi * parts["psf"].max())))
        yield Cutout(parts["im"], np.where(parts["mask"] > 0, np.inf, parts["sig"]), spread)


def structure_of(cutout: Cutout) -> Float64 | None:
    """Return a galaxy's map (25, 25); None where no profile fits or the galaxy is not resolved."""
    start = _start(cutout)
    low = (start[0] - 5, start[1] - 5, 1e-3 * start[2], 0.5, 0.3, 0.15, -7.0)
    high = (start[0] + 5, start[1] + 5, 1e6 * start[2], 2.0 * max(cutout.image.shape), 6.0, 1.0, 7.0)
    fit = least_squares(
        lambda at: ((cutout.image - _model(at, cutout)) / cutout.sigma).ravel(),
        start,
        bounds=(low, high),
        loss="soft_l1",
        max_nfev=400,
    )
    if not fit.success or fit.x[3] < _LEAST_RADIUS * cutout.spread:
        return None
    return _ratio(cutout, fit.x)


def _start(cutout: Cutout) -> Float64:
    """Return first guesses of ``_PARAMETERS`` from the moments of the brighter pixels near the middle."""
    height, width = cutout.image.shape
    rows, columns = np.mgrid[:height, :width]
    near = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2) < 0.3 * max(height, width)
    light = np.where(near & np.isfinite(cutout.sigma), np.maximum(cutout.image - 1.5 * np.min(cutout.sigma), 0), 0)
    total = light.sum()
    x, y = (light * columns).sum() / total, (light * rows).sum() / total
    xx, yy = (light * (columns - x) ** 2).sum() / total, (light * (rows - y) ** 2).sum() / total
    xy = (light * (columns - x) * (rows - y)).sum() / total
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    major, minor = (0.5 * (xx + yy) + sign * np.hypot(0.5 * (xx - yy), xy) for sign in (1, -1))
    ratio = float(np.clip(np.sqrt(max(minor, 0.1) / major), 0.25, 0.95))
    radius = float(np.clip(1.3 * np.sqrt(major), 1.0, max(height, width)))
    return np.array([x, y, 3.0 * np.percentile(cutout.image, 99), radius, 1.0, ratio, angle])


def _model(parameters: Float64, cutout: Cutout) -> Float64:
    """Return the smooth profile on the cut-out's pixels."""
    values = dict(zip(_PARAMETERS, parameters[:, None], strict=True))
    galaxies = Galaxies(**values, structure=None)
    side = max(cutout.image.shape)
    image = render_galaxies(side, galaxies, np.array([cutout.spread]))
    height, width = cutout.image.shape
    return np.asarray(image[0, :height, :width], np.float64)


def _ratio(cutout: Cutout, parameters: Float64) -> Float64:
    """Return light over profile minus 1 on the grid, (25, 25)."""
    x, y, _, radius, _, axis_ratio, angle = parameters
    smooth = _model(parameters, cutout)
    height, width = cutout.image.shape
    rows, columns = np.mgrid[:height, :width]
    along = ((columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)) / radius
    across = ((rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)) / radius / axis_ratio
    known = ((np.hypot(along, across) < REACH + _WIDTH) & np.isfinite(cutout.sigma)).ravel()
    weight = ((smooth / cutout.sigma) ** 2).ravel()[known] / _CORRELATED
    excess = ((cutout.image - smooth) / smooth).ravel()[known]
    knots = np.linspace(-REACH, REACH, GRID)
    kernel = [np.exp(-0.5 * ((place.ravel()[known] - knots[:, None]) / _WIDTH) ** 2) for place in (across, along)]
    told = np.einsum("ap,bp,p->ab", *kernel, weight * excess)
    total = np.einsum("ap,bp,p->ab", *kernel, weight)
    found = told / (total + 1 / _EXPECTED**2)
    edge = np.clip(2 * (REACH - np.hypot(knots[:, None], knots)), 0, 1)
    return np.asarray(np.clip(found * edge, LEAST, LARGEST))
