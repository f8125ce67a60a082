"""Section on the map of the latent space: how well it keeps neighbours, beside the best plane through that space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.training.evaluation.document import Cell, Number, Section, Table
from classifiers.training.latent_map.neighbours import continuity, trustworthiness
from classifiers.training.latent_map.plane import Plane

NEIGHBOURHOODS = (15, 50)


@dataclass(frozen=True, slots=True)
class Mapped:
    """Known spectra in latent space, (n, d) means, and on the map, (n, 2) places."""

    latent: NDArray[np.floating[Any]]
    places: NDArray[np.floating[Any]]


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
        "object, which any map keeps together."
    )
    return Section("Map", text, [Table("How well neighbours are kept", columns, rows)])


def _measured(mapped: Mapped, places: NDArray[np.floating[Any]]) -> list[Number]:
    n = len(places)
    found = []
    for k in NEIGHBOURHOODS:
        fits = k < n / 2
        found.append(Number("trustworthiness", trustworthiness(mapped.latent, places, k) if fits else np.nan, n))
        found.append(Number("continuity", continuity(mapped.latent, places, k) if fits else np.nan, n))
    return found
