"""The class ARTEFACT of simulated alerts: what looks like a change and is none on the sky.

Each kind changes the images of one alert in place, at the middle of the stamp. Amplitudes are in sigmas of the
difference image's sky. ``blemishes`` puts detector faults away from the middle, on alerts of any class, so that a
fault somewhere on the stamp does not make an artefact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from classifiers.training.stamps.conditions import FULL_SIDE
from classifiers.training.stamps.profiles import FWHM_PER_SIGMA, Floats

Kind: TypeAlias = Callable[[Floats, float, float, np.random.Generator], None]
"""(images (3, 63, 63), sigma of the difference, FWHM [pixel], generator); the images are changed."""
SCIENCE, TEMPLATE, DIFFERENCE = 0, 1, 2
MIN_PEAK, MAX_PEAK = 5.0, 400.0
DEPTH, NO_CLUMP_WITHIN = (10.0, 600.0), 5
_GRID = np.arange(FULL_SIDE, dtype=np.float32)


def _peak(rng: np.random.Generator, lowest: float = MIN_PEAK, highest: float = MAX_PEAK) -> float:
    return float(np.exp(rng.uniform(np.log(lowest), np.log(highest))))


def _offsets(rng: np.random.Generator, scatter: float) -> tuple[Floats, Floats]:
    """Return rows and columns relative to a point near the middle."""
    y0, x0 = FULL_SIDE // 2 + rng.normal(0, scatter, 2)
    return _GRID[:, None] - np.float32(y0), _GRID[None, :] - np.float32(x0)


def _detector(images: Floats, pattern: Floats, rng: np.random.Generator) -> None:
    """Add a pattern that one exposure has: mostly the science image's, else the template's, negative then."""
    if rng.random() < 0.85:
        images[SCIENCE] += pattern
        images[DIFFERENCE] += pattern
    else:
        images[TEMPLATE] += pattern
        images[DIFFERENCE] -= pattern


def _star(rows: Floats, columns: Floats, sigma: float) -> Floats:
    star: Floats = np.exp(-(rows * rows + columns * columns) / np.float32(2 * sigma * sigma))
    return star


def misregistration(images: Floats, noise: float, fwhm: float, rng: np.random.Generator) -> None:
    """A bright star or compact galaxy, subtracted 0.05 to 0.7 pixels beside itself: a dipole."""
    sigma = max(fwhm, 1.2) / FWHM_PER_SIGMA * rng.uniform(0.9, 1.5)
    shift, angle = float(np.exp(rng.uniform(np.log(0.05), np.log(0.7)))), rng.uniform(0, 2 * np.pi)
    rows, columns = _offsets(rng, 0.4)
    dy, dx = np.float32(shift * np.sin(angle)), np.float32(shift * np.cos(angle))
    one, other = _star(rows, columns, sigma), _star(rows - dy, columns - dx, sigma * rng.uniform(0.98, 1.02))
    dipole = one - rng.uniform(0.93, 1.07) ** shift * other
    flux = np.float32(_peak(rng) * noise / max(float(np.abs(dipole).max()), 1e-3))
    images[SCIENCE] += flux * one
    images[TEMPLATE] += flux * other
    images[DIFFERENCE] += flux * dipole


def kernel_mismatch(images: Floats, noise: float, fwhm: float, rng: np.random.Generator) -> None:
    """A bright star whose kernel has the wrong width: a core with rings around it, of no net flux."""
    sigma = max(fwhm, 1.2) / FWHM_PER_SIGMA
    ratio = np.exp(rng.choice([-1, 1]) * rng.uniform(0.01, 0.25))
    rows, columns = _offsets(rng, 0.3)
    one, other = _star(rows, columns, sigma), _star(rows, columns, sigma * ratio) / np.float32(ratio * ratio)
    pattern = one - other
    if rng.random() < 0.5:
        radius = np.sqrt(rows * rows + columns * columns)
        waves = np.cos(radius * np.float32(2 * np.pi / rng.uniform(2.1, 5.0)))
        pattern += np.float32(rng.uniform(0.3, 1) * np.abs(pattern).max()) * waves * _star(rows, columns, 1.5 * sigma)
    flux = np.float32(_peak(rng, 5, 1500) * noise / max(float(np.abs(pattern).max()), 1e-3))
    images[SCIENCE] += flux * one
    images[TEMPLATE] += flux * other
    images[DIFFERENCE] += flux * pattern


def saturation(images: Floats, noise: float, fwhm: float, rng: np.random.Generator) -> None:
    """A saturated star near the middle: flat core, bleeding column or row, and whatever is left of them."""
    sigma = max(fwhm, 1.2) / FWHM_PER_SIGMA
    rows, columns = _offsets(rng, 1.5)
    level = np.float32(_peak(rng, 300, 2e4))
    star = (
        level * np.float32(_peak(rng, 1.5, 60)) * (_star(rows, columns, sigma) + 0.02 * _star(rows, columns, 4 * sigma))
    )
    along, across = (rows, columns) if rng.random() < 0.5 else (columns, rows)
    bleed = (np.abs(across) <= rng.uniform(0.5, 2.5)) & (np.abs(along) <= rng.uniform(0, 45))
    full = np.where(bleed, level, np.minimum(star, level)).astype(np.float32)
    images[SCIENCE] = np.maximum(images[SCIENCE], full)
    images[TEMPLATE] = np.maximum(images[TEMPLATE], np.minimum(star, level * np.float32(rng.uniform(0.3, 3))))
    core = star > 0.5 * level
    left = np.float32(_peak(rng, 10, 2000) * noise)
    mess = rng.normal(rng.normal(0, 1), 1, images[DIFFERENCE].shape).astype(np.float32) * (core | bleed)
    ring = _star(rows, columns, 2 * sigma) - 1.6 * _star(rows, columns, 1.3 * sigma)
    images[DIFFERENCE] += left * (mess + np.float32(rng.normal(0, 0.7)) * ring)


def cosmic_ray(images: Floats, noise: float, _fwhm: float, rng: np.random.Generator) -> None:
    """A hit: a track of 1 to 12 pixels, a pixel wide, of uneven depth."""
    rows, columns = _offsets(rng, 0.7)
    angle, length = rng.uniform(0, np.pi), max(0.6, rng.exponential(3.5))
    along = columns * np.float32(np.cos(angle)) + rows * np.float32(np.sin(angle))
    across = rows * np.float32(np.cos(angle)) - columns * np.float32(np.sin(angle))
    width = rng.uniform(0.25, 0.5)
    track = np.exp(-0.5 * (across / np.float32(width)) ** 2) * (np.abs(along) <= length / 2 + 0.3)
    track *= rng.uniform(0.4, 1.0, track.shape).astype(np.float32)
    _detector(images, (_peak(rng, 6, 400) * noise * track / max(float(track.max()), 1e-3)).astype(np.float32), rng)


def bad_pixels(images: Floats, noise: float, _fwhm: float, rng: np.random.Generator) -> None:
    """A clump of 1 to 6 hot or cold pixels."""
    pattern = np.zeros((FULL_SIDE, FULL_SIDE), np.float32)
    row = column = FULL_SIDE // 2
    for _ in range(int(rng.integers(1, 7))):
        pattern[row, column] = rng.uniform(0.3, 1.0)
        row, column = row + int(rng.integers(-1, 2)), column + int(rng.integers(-1, 2))
    sign = 1.0 if rng.random() < 0.75 else -1.0
    _detector(images, np.float32(sign * _peak(rng, 6, 400) * noise) * pattern, rng)


def bad_line(images: Floats, noise: float, _fwhm: float, rng: np.random.Generator) -> None:
    """A hot or cold column or row, of one to three lines, through the middle, often ending there."""
    rows, columns = _offsets(rng, 1.0)
    along, across = (rows, columns) if rng.random() < 0.5 else (columns, rows)
    line = (np.abs(across) <= rng.choice([0.5, 0.5, 1.0, 1.5])) & np.ones_like(along, dtype=bool)
    if rng.random() < 0.4:
        line &= along * rng.choice([-1, 1]) < rng.uniform(-1, 12)
    depth = rng.uniform(0.7, 1.0, line.shape).astype(np.float32)
    sign = 1.0 if rng.random() < 0.6 else -1.0
    _detector(images, np.float32(sign * _peak(rng, 4, 150) * noise) * line * depth, rng)


def edge(images: Floats, noise: float, _fwhm: float, rng: np.random.Generator) -> None:
    """The end of the chip within 15 pixels of the middle: nothing beyond it, and lines of wrong flux along it."""
    distance, thickness = int(rng.integers(0, 15)), int(rng.integers(1, 5))
    view = images if rng.random() < 0.5 else images.transpose(0, 2, 1)
    start = FULL_SIDE // 2 + distance
    wrong = np.float32(rng.choice([-1, 1]) * _peak(rng, 6, 800) * noise)
    depth = rng.uniform(0.3, 1, (thickness, FULL_SIDE)).astype(np.float32)
    for image, share in ((SCIENCE, 1.0), (TEMPLATE, rng.uniform(0, 1.5)), (DIFFERENCE, 1.0)):
        band = view[image, start : start + thickness]
        band += np.float32(share) * wrong * depth[: len(band)]
        view[image, start + thickness :] = np.nan
    if rng.random() < 0.5:
        view[:] = view[:, ::-1].copy()


def ghost(images: Floats, noise: float, _fwhm: float, rng: np.random.Generator) -> None:
    """A reflection or halo: a disc or ring of 5 to 30 pixels with a soft rim, and no source in it."""
    rows, columns = _offsets(rng, 6.0)
    radius = np.sqrt(rows * rows + columns * columns)
    outer, soft = rng.uniform(5, 30), rng.uniform(0.8, 3)
    disc = 1 / (1 + np.exp(np.clip((radius - np.float32(outer)) / np.float32(soft), -30, 30)))
    inner = outer * rng.uniform(0, 0.9)
    hole = 1 / (1 + np.exp(np.clip((radius - np.float32(inner)) / np.float32(soft), -30, 30)))
    pattern = (disc - np.float32(rng.uniform(0, 1)) * hole).astype(np.float32)
    _detector(images, np.float32(_peak(rng, 1.5, 40) * noise) * pattern, rng)


def nothing(_images: Floats, _noise: float, _fwhm: float, _rng: np.random.Generator) -> None:
    """Noise alone, or the subtraction's leftovers of the field."""


KINDS: dict[str, Kind] = {
    "misregistration": misregistration,
    "kernel_mismatch": kernel_mismatch,
    "saturation": saturation,
    "cosmic_ray": cosmic_ray,
    "bad_pixels": bad_pixels,
    "bad_line": bad_line,
    "edge": edge,
    "ghost": ghost,
    "nothing": nothing,
}
"""Kinds of artefact, equally frequent."""


def blemishes(images: Floats, noise: float, rng: np.random.Generator) -> None:
    """Put one detector fault on a stamp at least 9 pixels from the middle, in place."""
    pattern = np.zeros((FULL_SIDE, FULL_SIDE), np.float32)
    kind = rng.random()
    if kind < 0.6:
        row, column = rng.integers(2, FULL_SIDE - 8, 2)
        steps = int(rng.integers(1, 7))
        slope = rng.uniform(-1, 1)
        for step in range(steps):
            pattern[row + step, int(np.clip(column + slope * step, 0, FULL_SIDE - 1))] = 1
    else:
        line = int(rng.integers(0, FULL_SIDE))
        view = pattern if rng.random() < 0.5 else pattern.T
        view[:, line] = 1
    middle = FULL_SIDE // 2
    if np.any(pattern[middle - 8 : middle + 9, middle - 8 : middle + 9]):
        return
    _detector(images, np.float32(_peak(rng, 5, 300) * noise) * pattern, rng)


def dead_clumps(number: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Return clumps of dead pixels that resampling dragged along, (n, 63, 63) [sky sigma], 0 or negative.

    Most science images of a detector whose dead pixels are not masked (PGIR's) have some, templates none, and the
    matching kernel rings around them as around stars. A detector's pixel is two of a drizzled image. None is in the
    middle, where it would be what was alerted of.

    Args:
        number: (n,) of clumps on each stamp.
        rng: source of all randomness.
    """
    holes = np.zeros((number.size, FULL_SIDE, FULL_SIDE), np.float32)
    middle = FULL_SIDE // 2
    for row in np.repeat(np.arange(number.size), number).tolist():
        place = rng.integers(0, FULL_SIDE, 2)
        depth = _peak(rng, *DEPTH)
        for step in rng.integers(-1, 2, (int(rng.integers(1, 9)), 2)):
            y, x = place = np.clip(place + step, 0, FULL_SIDE - 2)
            if max(abs(y - middle), abs(x - middle)) > NO_CLUMP_WITHIN:
                holes[row, y : y + 2, x : x + 2] = -depth * rng.uniform(0.5, 1.0)
    return holes
