"""What is measured of what looks like a star: its radial velocity, and its type from templates and network.

Only the seven types of the scheme are measured. The templates are theirs, so a velocity of an M dwarf, white dwarf or
cataclysmic variable would rest on lines that it does not have: it stays empty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.manifest import Manifest
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import PreparedBatch
from classifiers.stars.evidence import type_shares
from classifiers.stars.measure import measure_stars
from classifiers.stars.templates import STAR_TYPES
from classifiers.verdict.measured import Measured

Floats = NDArray[np.float64]
CLASSES = tuple(f"STAR_{name}" for name in STAR_TYPES)


def is_measured(manifest: Manifest) -> bool:
    """Return whether templates can speak of a classifier's stars: its grid and star classes are theirs."""
    grid = manifest.grid
    return grid is not None and grid.grid() == COMMON_GRID and set(CLASSES) == set(manifest.star_classes)


def write_stars(
    result: Measured, rows: NDArray[np.int64], prepared: PreparedBatch, names: tuple[str, ...], probabilities: Floats
) -> None:
    """Measure some rows as stars, and write velocities and shares of the types.

    Args:
        result: n rows to write to.
        rows: which of them look like stars.
        prepared: n spectra on the common grid.
        names: k classes.
        probabilities: (n, k) the network's.
    """
    if rows.size == 0:
        return
    found = measure_stars(prepared.flux[rows], prepared.inverse_variance[rows])
    result.radial_velocity_km_s[rows] = found.velocity_km_s
    result.radial_velocity_error_km_s[rows] = found.error_km_s
    at = rows[:, None], np.array([names.index(name) for name in CLASSES])
    result.share[at] = type_shares(probabilities[at], found.misfit)
