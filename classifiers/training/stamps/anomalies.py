"""Events injected into stamps, simulated or real, for evaluation only: no training uses this file.

Three kinds are artefacts that training simulates in its own way; those of ``UNSEEN`` are like nothing it simulates.
Amplitudes are in units of the robust noise of the difference image, so that one setting means the same on any survey.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from classifiers.images.prepare import LOWER_QUANTILE, UPPER_QUANTILE
from classifiers.items import Stamps
from classifiers.training.stamps.profiles import FWHM_PER_SIGMA, Floats

MIN_PEAK, MAX_PEAK = 15.0, 150.0
"""Range of the peak amplitude [sigma of the difference image], log-uniform."""


def inject(item: Stamps, kind: str, fwhm_pixels: float, rng: np.random.Generator) -> Stamps:
    """Return a copy of an alert with one event near the middle.

    Args:
        item: an alert with a difference image.
        kind: one of ``KINDS``.
        fwhm_pixels: seeing [pixel].
        rng: source of all randomness.

    Returns:
        The alert with the event in the images that would show it.

    Raises:
        ValueError: no such kind, or no difference image.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if item.difference is None:
        raise ValueError("the alert has no difference image")
    peak = float(np.exp(rng.uniform(np.log(MIN_PEAK), np.log(MAX_PEAK))))
    science = None if item.science is None else item.science.copy()
    difference = item.difference.copy()
    height, width = difference.shape
    pattern = KINDS[kind](height, width, fwhm_pixels, rng)
    event = np.float32(peak * robust_noise(item.difference)) * pattern
    difference += event
    if kind != "dipole" and science is not None and science.shape == pattern.shape:
        science += event
    return Stamps(science=science, template=item.template, difference=difference, survey=item.survey, flags=item.flags)


def robust_noise(image: Floats) -> float:
    """Return the noise of an image [its unit] as preprocessing measures it; 1 for a constant image."""
    low, middle, high = np.nanquantile(image, [LOWER_QUANTILE, 0.5, UPPER_QUANTILE])
    return float(min(middle - low, high - middle)) or 1.0


def _grid(height: int, width: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return rows and columns relative to a point within 2 pixels of the middle."""
    y0 = (height - 1) / 2 + rng.uniform(-2, 2)
    x0 = (width - 1) / 2 + rng.uniform(-2, 2)
    rows = np.arange(height, dtype=np.float32)[:, None] - np.float32(y0)
    columns = np.arange(width, dtype=np.float32)[None, :] - np.float32(x0)
    return np.broadcast_to(rows, (height, width)), np.broadcast_to(columns, (height, width))


def _dipole(height: int, width: int, fwhm_pixels: float, rng: np.random.Generator) -> Floats:
    """Registration error of a bright source: two lobes of opposite sign, 0.5 to 1 FWHM apart, peaks of 1."""
    rows, columns = _grid(height, width, rng)
    sigma, angle = fwhm_pixels / FWHM_PER_SIGMA, rng.uniform(0, 2 * np.pi)
    half = 0.5 * fwhm_pixels * rng.uniform(0.5, 1.0)
    dy, dx = half * np.sin(angle), half * np.cos(angle)
    lobes = np.exp(-((rows - dy) ** 2 + (columns - dx) ** 2) / (2 * sigma**2))
    lobes -= np.exp(-((rows + dy) ** 2 + (columns + dx) ** 2) / (2 * sigma**2))
    pattern: Floats = (lobes / np.abs(lobes).max()).astype(np.float32)
    return pattern


def _cosmic_ray(height: int, width: int, _fwhm_pixels: float, rng: np.random.Generator) -> Floats:
    """A track one pixel wide, 3 to 12 pixels long, of value 1."""
    rows, columns = _grid(height, width, rng)
    angle, length = rng.uniform(0, np.pi), rng.uniform(3, 12)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    across = rows * np.cos(angle) - columns * np.sin(angle)
    track: Floats = ((np.abs(across) <= 0.5) & (np.abs(along) <= length / 2)).astype(np.float32)
    return track


def _bad_column(height: int, width: int, _fwhm_pixels: float, rng: np.random.Generator) -> Floats:
    """A column or row of value 1 through the middle."""
    rows, columns = _grid(height, width, rng)
    line = columns if rng.random() < 0.5 else rows
    pattern: Floats = (np.abs(line) <= 0.5).astype(np.float32)
    return pattern


def _streak(height: int, width: int, fwhm_pixels: float, rng: np.random.Generator) -> Floats:
    """A satellite's trail across the stamp, as wide as the seeing, with a ridge of 1."""
    rows, columns = _grid(height, width, rng)
    angle, sigma = rng.uniform(0, np.pi), fwhm_pixels / FWHM_PER_SIGMA
    across = rows * np.cos(angle) - columns * np.sin(angle)
    pattern: Floats = np.exp(-(across**2) / (2 * sigma**2)).astype(np.float32)
    return pattern


def _comet(height: int, width: int, fwhm_pixels: float, rng: np.random.Generator) -> Floats:
    """A coma of brightness 1 / radius with a tail on one side, peak of 1."""
    rows, columns = _grid(height, width, rng)
    angle = rng.uniform(0, 2 * np.pi)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    across = rows * np.cos(angle) - columns * np.sin(angle)
    core = fwhm_pixels / FWHM_PER_SIGMA
    coma = core / np.sqrt(rows**2 + columns**2 + core**2) * np.exp(-np.hypot(rows, columns) / (4 * fwhm_pixels))
    length, opening = rng.uniform(10, 30), 0.15 * np.maximum(along, 0) + core
    tail = (along > 0) * np.exp(-along / length - across**2 / (2 * opening**2)) * core / opening
    both = coma + 0.6 * tail
    pattern: Floats = (both / both.max()).astype(np.float32)
    return pattern


def _readout_pattern(height: int, width: int, _fwhm_pixels: float, rng: np.random.Generator) -> Floats:
    """Interference of the read-out: a wave over the whole stamp, of amplitude 1."""
    rows, columns = _grid(height, width, rng)
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 14)
    wave: Floats = np.cos(2 * np.pi / period * (rows * np.cos(angle) + columns * np.sin(angle))).astype(np.float32)
    return wave


KINDS: dict[str, Callable[[int, int, float, np.random.Generator], NDArray[np.float32]]] = {
    "dipole": _dipole,
    "cosmic_ray": _cosmic_ray,
    "bad_column": _bad_column,
    "streak": _streak,
    "comet": _comet,
    "readout_pattern": _readout_pattern,
}
"""Event by name: (height, width, FWHM [pixel], generator) to a pattern of unit peak."""
UNSEEN = frozenset({"streak", "comet", "readout_pattern"})
"""Kinds that nothing in training resembles."""
