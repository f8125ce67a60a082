"""What real galaxies have beside a smooth profile: knots, arms, bars, lanes and lopsidedness, as maps relative to it.

The file is the project's own derived artefact (``hosts.npz`` beside this module, written by ``host_building``): for
each galaxy the ratio of its light to its best Sersic profile, minus 1, on a grid in units of the half-light radius
along and across the major axis. Simulated hosts are Sersic profiles times 1 + such a map, mirrored at random.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.training.simulation.basis import Basis

SHIPPED = Path(__file__).with_name("hosts.npz")
GRID = 25
"""Points of a map along either axis."""
REACH = 3.0
"""Where the maps end [half-light radius]; nothing is added beyond."""
LARGEST, LEAST = 3.0, -0.9
"""Bounds of the maps."""

Floats = NDArray[np.float32]


@cache
def host_maps(path: Path = SHIPPED) -> Floats:
    """Return the maps (k, 25, 25) float32: rows along the minor axis, columns along the major, middle = centre.

    Raises:
        BasisError: the file is absent, foreign or of another format.
    """
    return Basis.load(path)["structure"]


def draw_structure(present: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Draw a map for each of n galaxies, mirrored at random, its contrast between none and a half more than measured.

    Args:
        present: (n,) whether there is a galaxy; the others get zeros.
        rng: source of all randomness.

    Returns:
        (n, 25, 25) float32.
    """
    maps = host_maps()
    n = len(present)
    chosen, contrast = rng.integers(0, len(maps), n), rng.uniform(0.0, 1.5, n).astype(np.float32)
    mirrored = rng.random((2, n)) < 0.5
    structure = maps[chosen] * np.where(present, contrast, np.float32(0))[:, None, None]
    structure = np.where(mirrored[0][:, None, None], structure[:, :, ::-1], structure)
    structure = np.where(mirrored[1][:, None, None], structure[:, ::-1], structure)
    bounded: Floats = np.clip(structure, np.float32(LEAST), np.float32(LARGEST))
    return bounded


def at(structure: Floats, across: Floats, along: Floats) -> Floats:
    """Return maps' values at places given in half-light radii, by linear interpolation; 0 beyond ``REACH``.

    Args:
        structure: (n, 25, 25).
        across: (n, h, w) along the minor axis, divided by the axis ratio.
        along: (n, h, w) along the major axis.

    Returns:
        (n, h, w) float32.
    """
    n = len(structure)
    scale = np.float32((GRID - 1) / (2 * REACH))
    inside = (np.abs(across) < REACH) & (np.abs(along) < REACH)
    row = np.clip((across + np.float32(REACH)) * scale, 0, GRID - 1.001)
    column = np.clip((along + np.float32(REACH)) * scale, 0, GRID - 1.001)
    top, left = row.astype(np.int32), column.astype(np.int32)
    down, right = row - top, column - left
    flat = structure.reshape(n * GRID * GRID)
    first = (np.arange(n, dtype=np.int32) * (GRID * GRID))[:, None, None] + top * GRID + left
    upper = flat[first] * (1 - right) + flat[first + 1] * right
    lower = flat[first + GRID] * (1 - right) + flat[first + GRID + 1] * right
    value: Floats = np.where(inside, upper * (1 - down) + lower * down, np.float32(0)).astype(np.float32)
    return value
