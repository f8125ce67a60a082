"""Wavelength axes as edges of pixels in vacuum and the barycentric frame.

Edges lie half way between neighbouring pixels. Where the axis has a gap (two arms joined), the pixels beside it are as
wide as their spacing on the other side, so a gap is covered by nobody. Results are cached by what identifies the axis.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Axis, GridAxis, Spectrum
from classifiers.preprocess.air_vacuum import air_to_vacuum

C_KM_S = 299792.458
VELOCITY_STEP_KM_S = 0.1
"""Velocity corrections are rounded to this (1.7e-7 in redshift at most): fibres of one exposure share an operator."""
GAP_PIXELS = 10
"""A step longer than this many pixels beside it sets Quality.GAPS."""
_BREAK = 2.0  # a step this much longer than the one before or after it is a gap, not a change of dispersion


@dataclass(frozen=True, slots=True)
class AxisKey:
    """What identifies a pixel axis in vacuum and the barycentric frame; equal keys give equal edges.

    Attributes:
        identity: the grid itself, or the digest of an inline axis.
        medium: AIR or VACUUM.
        velocity_steps: velocity correction in units of ``VELOCITY_STEP_KM_S``.
        axis: the axis; takes no part in comparisons.
    """

    identity: GridAxis | bytes
    medium: str
    velocity_steps: int
    axis: Axis = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PixelEdges:
    """Edges of the n pixels of an axis, vacuum, barycentric: ascending and never overlapping.

    Attributes:
        lower, upper: (n,) float64 [Angstrom].
        has_gaps: True when a step is longer than ``GAP_PIXELS`` pixels.
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    has_gaps: bool

    @property
    def centres_angstrom(self) -> NDArray[np.float64]:
        """Return the middle of each pixel: (n,) float64 [Angstrom]."""
        return 0.5 * (self.lower + self.upper)


def axis_key(spectrum: Spectrum) -> AxisKey:
    """Return what identifies the spectrum's axis."""
    axis = spectrum.axis
    identity = axis if isinstance(axis, GridAxis) else axis.digest
    steps = round(spectrum.velocity_correction_km_s / VELOCITY_STEP_KM_S)
    return AxisKey(identity, spectrum.medium, steps, axis)


@lru_cache(maxsize=256)
def pixel_edges(key: AxisKey) -> PixelEdges:
    """Return the pixel edges of an axis in vacuum and the barycentric frame."""
    lower, upper, has_gaps = (
        _regular_edges(key.axis)
        if isinstance(key.axis, GridAxis)
        else _edges(np.asarray(key.axis.wavelength_angstrom, dtype=np.float64))
    )
    if key.medium == "AIR":
        lower, upper = air_to_vacuum(lower), air_to_vacuum(upper)
    if key.velocity_steps:
        stretch = 1.0 + key.velocity_steps * VELOCITY_STEP_KM_S / C_KM_S
        lower, upper = lower * stretch, upper * stretch
    for edges in (lower, upper):
        edges.setflags(write=False)
    return PixelEdges(lower, upper, has_gaps)


def _regular_edges(axis: GridAxis) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    edges = np.asarray(axis.start + axis.step * (np.arange(axis.n + 1) - 0.5), dtype=np.float64)
    if axis.kind == "LOG10":
        edges = np.power(10.0, edges)
    return edges[:-1].copy(), edges[1:].copy(), False


def _edges(wavelength: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    if wavelength.size == 1:  # nothing tells how wide it is: the width of a native SDSS pixel
        half = wavelength * (0.5e-4 * np.log(10.0))
        return wavelength - half, wavelength + half, False
    step = np.diff(wavelength)
    before, after = np.concatenate([step[:1], step]), np.concatenate([step, step[-1:]])
    left = np.where(before > _BREAK * after, after, before)
    right = np.where(after > _BREAK * before, before, after)
    beside = np.minimum(before[:-1], after[1:]) if wavelength.size > 2 else step
    has_gaps = bool(np.any(step > (GAP_PIXELS + 1) * beside))
    lower = np.asarray(wavelength - 0.5 * left, dtype=np.float64)
    upper = np.asarray(wavelength + 0.5 * right, dtype=np.float64)
    return lower, upper, has_gaps
