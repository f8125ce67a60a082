"""Measure the structure of galaxies from cut-outs with their noise.

Each galaxy is fitted with the Sersic profile that simulated hosts have, softened by its point-spread function. The
ratio to it is averaged on a grid in units of the half-light radius, weighted by inverse variance and shrunk towards no
structure where little is known, so that noise does not become structure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from classifiers.training.simulation.basis import write_basis
from classifiers.training.stamps.hosts import GRID, LARGEST, LEAST, REACH
from classifiers.training.stamps.profiles import Galaxies, render_galaxies

Float64 = NDArray[np.float64]
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
        image: (h, w) without sky, any unit.
        sigma: (h, w) noise, infinite where masked.
        spread: sigma of the point-spread function [pixel].
    """

    image: Float64
    sigma: Float64
    spread: float


def write_hosts(cutouts: Iterable[Cutout], digests: Mapping[str, str], output: Path) -> dict[str, Any]:
    """Measure galaxies and write their maps.

    Args:
        cutouts: the galaxies; those that are too faint or not resolved are left out.
        digests: sha256 (hex) of each file that they came from, by its name.
        output: the ``.npz`` to write.

    Returns:
        The provenance: how many galaxies there are maps of, and the digests.
    """
    maps = [found for cutout in cutouts if (found := structure_of(cutout)) is not None]
    provenance = {"galaxies": len(maps), "inputs": dict(digests)}
    write_basis(output, {"structure": np.stack(maps).astype(np.float16)}, provenance)
    return provenance


def structure_of(cutout: Cutout) -> Float64 | None:
    """Return a galaxy's map (25, 25); None where it is too faint or not resolved, or no profile fits."""
    if cutout.image.sum() <= _LEAST_SNR * np.median(cutout.sigma) * np.sqrt(cutout.image.size):
        return None
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
