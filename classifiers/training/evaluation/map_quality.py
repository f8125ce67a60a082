"""Section on the map of the latent space: how well it keeps neighbours, beside the best plane through that space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.training.evaluation.answers import GROUPS
from classifiers.training.evaluation.document import Cell, Curve, Item, Number, Plot, Section, Table
from classifiers.training.latent_map.neighbours import continuity, trustworthiness
from classifiers.training.latent_map.plane import Plane
from classifiers.training.simulation.scheme import CLASSES

NEIGHBOURHOODS = (15, 50)
DRAWN = 1500
"""Spectra of a sample that are drawn, at most."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Known spectra in latent space, (n, d) means, and on the map, (n, 2) places; n true classes, "" where none."""

    latent: NDArray[np.floating[Any]]
    places: NDArray[np.floating[Any]]
    classes: Sequence[str] = ()


def map_quality(samples: Mapping[str, Mapped], plane_of: str) -> Section:
    """Return the section.

    Args:
        samples: by what to call them.
        plane_of: the sample whose principal plane the map is compared with.
    """
    plane = Plane.of(samples[plane_of].latent)
    rows: list[list[Cell]] = []
    for name, mapped in samples.items():
        for what, places in (("map", mapped.places), ("principal plane", plane(mapped.latent))):
            rows.append([name, what, *_measured(mapped, places)])
    columns = ["sample", "shown by"]
    columns += [f"{what}, k = {k}" for k in NEIGHBOURHOODS for what in ("trustworthiness", "continuity")]
    text = (
        "Known spectra only. Trustworthiness: neighbours on the map are neighbours in the latent space; continuity: "
        "neighbours there stay neighbours on the map (Venna and Kaski 2001). Both are 1 at best and about 0.5 at "
        "random. The principal plane is the linear projection of largest variance. Some real spectra are epochs of one "
        "object, which any map keeps together. In the pictures pale dots are simulated and crosses are real spectra, "
        "each of its true class; frames are the same."
    )
    items: list[Item] = [Table("How well neighbours are kept", columns, rows)]
    if all(len(mapped.classes) == len(mapped.places) for mapped in samples.values()):
        items += pictures(samples)
    return Section("Map", text, items)


def pictures(samples: Mapping[str, Mapped]) -> list[Plot]:
    """Return a picture of the map for each of GALAXY, QSO and STAR, in frames alike.

    Args:
        samples: two by what to call them, with classes; the first is drawn pale below the second.
    """
    every = np.concatenate([mapped.places[:DRAWN] for mapped in samples.values()])
    low, high = every.min(axis=0), every.max(axis=0)
    margin = 0.03 * (high - low)
    ranges = [(float(a), float(b)) for a, b in zip(low - margin, high + margin, strict=True)]
    found = []
    for group in GROUPS:
        curves = [
            Curve(f"{name}, {sample}", *_at(mapped, name))
            for name in CLASSES
            if name.startswith(f"{group}_")
            for sample, mapped in samples.items()
        ]
        found.append(Plot(f"{group} on the map", "x", "y", curves, "scatter", y_range=ranges[1], x_range=ranges[0]))
    return found


def _at(mapped: Mapped, name: str) -> tuple[list[float], list[float]]:
    """Return x and y of a class among those drawn."""
    here = mapped.places[:DRAWN][np.array(mapped.classes[:DRAWN]) == name]
    return here[:, 0].tolist(), here[:, 1].tolist()


def _measured(mapped: Mapped, places: NDArray[np.floating[Any]]) -> list[Number]:
    n = len(places)
    found = []
    for k in NEIGHBOURHOODS:
        fits = k < n / 2
        found.append(Number("trustworthiness", trustworthiness(mapped.latent, places, k) if fits else np.nan, n))
        found.append(Number("continuity", continuity(mapped.latent, places, k) if fits else np.nan, n))
    return found
