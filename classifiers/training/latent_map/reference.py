"""Where things lie on the map, whatever the training: landmarks, and their places, which ship with the code.

A landmark is a group of simulated spectra that any training knows: a class of stars, galaxies or quasars in a range of
redshift. Its place is the median of its spectra. ``reference.json`` was made from a first map of the bundle that ships;
every map since is brought to it. ``classifiers.training.latent_map.building`` makes another one, after which places in
older records and newer ones cannot be compared.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.training.samples import Samples
from classifiers.training.simulation.scheme import CLASSES, FIRST_STAR, KINDS, OTHER_INDEX

REFERENCE_FILE = Path(__file__).with_name("reference.json")
GALAXY_EDGES = (0.1, 0.2, 0.35, 0.55)
QSO_EDGES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5)
Rows = NDArray[np.int64]


def _ranges(kind: str, edges: tuple[float, ...]) -> list[str]:
    inner = [f"{kind} z {low:g}-{high:g}" for low, high in pairwise(edges)]
    return [f"{kind} z < {edges[0]:g}", *inner, f"{kind} z > {edges[-1]:g}"]


NAMES = (*CLASSES[FIRST_STAR:OTHER_INDEX], *_ranges("GALAXY", GALAXY_EDGES), *_ranges("QSO", QSO_EDGES))
"""Landmarks in the order of the file."""


def landmarks(samples: Samples) -> Rows:
    """Return the landmark that each sample belongs to, (n,) int64 into ``NAMES``; the samples are of known classes."""
    galaxies = OTHER_INDEX - FIRST_STAR
    quasars = galaxies + len(GALAXY_EDGES) + 1
    found = np.select(
        [samples.kind == KINDS.index("GALAXY"), samples.kind == KINDS.index("QSO")],
        [
            galaxies + np.digitize(samples.redshift, GALAXY_EDGES),
            quasars + np.digitize(samples.redshift, QSO_EDGES),
        ],
        samples.class_index - FIRST_STAR,
    )
    return np.asarray(found, np.int64)


def medians(places: NDArray[np.floating[Any]], members: Rows) -> NDArray[np.float64]:
    """Return the median place of each landmark, (len(NAMES), 2), NaN where it has no member.

    Args:
        places: (n, 2).
        members: (n,) landmark of each.
    """
    found = np.full((len(NAMES), 2), np.nan)
    for landmark in np.unique(members).tolist():
        found[landmark] = np.median(places[members == landmark], axis=0)
    return found


def load_reference(file: Path = REFERENCE_FILE) -> NDArray[np.float64]:
    """Return the places of the landmarks, (len(NAMES), 2).

    Raises:
        ValueError: the file holds other landmarks.
    """
    stored = json.loads(file.read_text(encoding="utf-8"))
    if tuple(stored) != NAMES:
        raise ValueError(f"{file}: expected the landmarks {', '.join(NAMES)}, found {', '.join(stored)}")
    return np.array([stored[name] for name in NAMES], np.float64)
