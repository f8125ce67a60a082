"""What others published of J-PAS and its pathfinders, and our own number beside each; figures as abstracts give them.

Mocks, samples, shares of the classes and depths differ from ours, and real photometry differs from all mocks: only
rough agreement means something, and a higher number of ours no better classifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from classifiers.training.evaluation.document import Cell, Table
from classifiers.training.narrowband import counts
from classifiers.training.narrowband.measures import Scored, f1
from classifiers.training.narrowband.noise import COLOUR_MAG, ZERO_POINT_MAG
from classifiers.training.narrowband.simulator import CLASSES, KINDS

ANN = "Martinez-Solaeche et al. 2023 (arXiv:2303.12684), ANN1, mocks of miniJPAS"
SQUEZE = "Perez-Rafols et al. 2023 (arXiv:2309.00461), SQUEzE, test sample of miniJPAS"
COMBINED = "miniJPAS quasar selection, combined algorithm (arXiv:2507.11380), mocks"
COMBINED_REAL = "miniJPAS quasar selection, combined algorithm (arXiv:2507.11380), real spectra"
J_NEP = "Hernan-Caballero et al. 2023 (A&A 671, A71), J-NEP: 6,662 sources in about 0.3 deg2"
J_NEP_SOURCES, J_NEP_DEG2, J_NEP_FAINT = 6662, 0.3, 23.0
J_PLUS = "J-PLUS DR3 (arXiv:2301.12395)"
_COUNTED = "density of sources, per deg2"


@dataclass(frozen=True, slots=True)
class Published:
    """One figure: f1 of a class, or sigma_NMAD of quasars' redshifts, between two r magnitudes."""

    source: str
    figure: str
    bright: float
    faint: float
    value: float


_BINS = ((17.0, 20.0), (20.0, 22.5), (22.5, 23.6))
_ANN_F1 = {
    "QSO_HIGH_Z": (0.99, 0.93, 0.63),
    "QSO_LOW_Z": (0.97, 0.82, 0.61),
    "GALAXY": (0.94, 0.90, 0.81),
    "STAR": (1.0, 0.96, 0.70),
}
NMAD = "sigma_NMAD of quasars"
PUBLISHED = (
    *(
        Published(ANN, name, *edges, value)
        for name, values in _ANN_F1.items()
        for edges, value in zip(_BINS, values, strict=True)
    ),
    Published(SQUEZE, "QSO_HIGH_Z", counts.BRIGHT, 24.3, 0.49),
    Published(SQUEZE, "QSO_LOW_Z", counts.BRIGHT, 24.3, 0.24),
    Published(SQUEZE, "QSO_HIGH_Z", counts.BRIGHT, 21.0, 0.9),
    Published(SQUEZE, NMAD, counts.BRIGHT, 24.3, 0.0092),
    Published(SQUEZE, NMAD, counts.BRIGHT, 22.5, 0.0081),
    Published(SQUEZE, NMAD, counts.BRIGHT, 21.3, 0.0074),
    Published(COMBINED, "QSO_HIGH_Z", counts.BRIGHT, 23.5, 0.88),
    Published(COMBINED, "QSO_LOW_Z", counts.BRIGHT, 23.5, 0.79),
    Published(COMBINED, NMAD, counts.BRIGHT, 23.5, 0.11),
    Published(COMBINED_REAL, NMAD, counts.BRIGHT, 23.5, 0.02),
)


def beside(scored: Scored) -> list[dict[str, Any]]:
    """Return our own figure for each of ``PUBLISHED``, in that order: n, value, and the r magnitudes it is of."""
    truth, found = scored.mocks.class_index(), scored.probabilities.argmax(axis=1)
    ours: list[dict[str, Any]] = []
    for each in PUBLISHED:
        faint = min(each.faint, counts.FAINT)
        inside = (scored.mocks.r >= each.bright) & (scored.mocks.r < faint)
        if each.figure == NMAD:
            rows = np.flatnonzero(inside & (scored.mocks.kind == KINDS.index("QSO")) & (found < 2))
            z = scored.mocks.redshift[rows]
            error = (scored.outputs["redshift"][rows] - z) / (1.0 + z)
            n = int(rows.size)
            value = round(float(1.4826 * np.median(np.abs(error - np.median(error)))), 5) if n else None
        else:
            right = truth == CLASSES.index(each.figure)
            n = int(np.count_nonzero(right & inside))
            value = round(f1(right[inside], found[inside] == CLASSES.index(each.figure)), 4)
        ours.append({"figure": each.figure, "bright": each.bright, "faint": faint, "n": n, "value": value})
    return ours


def table(ours: list[Mapping[str, Any]]) -> Table:
    """Return published figures beside our own, from ``beside``, with densities and zero points."""
    rows: list[list[Cell]] = []
    for each, own in zip(PUBLISHED, ours, strict=True):
        name = NMAD if each.figure == NMAD else f"f1 of {each.figure}"
        on = f"{own['n']:,} mocks, {_within(own['bright'], own['faint'])}"
        value = "" if own["value"] is None else own["value"]
        rows.append([name, _within(each.bright, each.faint), each.source, each.value, value, on])
    density = sources_per_deg2()
    published = J_NEP_SOURCES / J_NEP_DEG2
    faint = f"r < {J_NEP_FAINT:g}"
    ratio = f"counts, {faint}: {density / published:.1f} times as many"
    rows.append([_COUNTED, faint, J_NEP, f"{published:,.0f}", f"{density:,.0f}", ratio])
    ours_off = f"noise: a band, and {COLOUR_MAG:g} slope and curve over wavelength"
    for bands, off in (("u, J0378, J0395", 0.012), ("other bands", 0.007)):
        rows.append([f"zero points, mag, {bands}", "", J_PLUS, off, ZERO_POINT_MAG, ours_off])
    return Table("Beside published figures", ("figure", "r", "published by", "published", "here", "here of"), rows)


def sources_per_deg2() -> float:
    """Return how many sources the mocks' counts have where J-NEP was counted."""
    return sum(counts.total(kind, J_NEP_FAINT) for kind in KINDS)


def _within(bright: float, faint: float) -> str:
    return f"r < {faint:g}" if bright == counts.BRIGHT else f"{bright:g} to {faint:g}"
