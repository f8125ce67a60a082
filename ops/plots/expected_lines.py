"""The strongest lines expected of a class: vacuum rest wavelengths in Angstrom (NIST; doublets as weighted means)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

C_KM_S = 299792.458

Lines: TypeAlias = tuple[tuple[str, float], ...]

QUASAR: Lines = (
    ("Lyα", 1215.67),
    ("Si IV", 1397.61),
    ("C IV", 1549.06),
    ("C III]", 1908.73),
    ("Mg II", 2798.75),
    ("[O II]", 3728.48),
    ("Hγ", 4341.68),
    ("Hβ", 4862.68),
    ("[O III]", 5008.24),
    ("Hα", 6564.61),
)
GALAXY: Lines = (
    ("[O II]", 3728.48),
    ("Ca K", 3934.77),
    ("Ca H", 3969.59),
    ("G", 4305.61),
    ("Hβ", 4862.68),
    ("[O III]", 5008.24),
    ("Mg b", 5176.64),
    ("Na D", 5894.57),
    ("Hα", 6564.61),
    ("[S II]", 6725.48),
)
STAR: Lines = (
    ("Ca K", 3934.77),
    ("Hδ", 4102.89),
    ("G", 4305.61),
    ("Hγ", 4341.68),
    ("Hβ", 4862.68),
    ("Mg b", 5176.64),
    ("Na D", 5894.57),
    ("Hα", 6564.61),
    ("Ca II", 8544.44),
)


def lines_of(top_class: str | None) -> Lines:
    """Return (name, rest wavelength [Angstrom, vacuum]) of the lines expected for a class; none without a class."""
    if top_class is None:
        return ()
    if top_class.startswith("QSO"):
        return QUASAR
    return GALAXY if top_class.startswith("GALAXY") else STAR


def observed_lines(l2: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return (name, observed wavelength [Angstrom, vacuum]) of the lines expected of an L2 record, by wavelength.

    Galaxies and quasars are shifted by their redshift, stars by their radial velocity; what is not known counts as 0.
    """
    redshift = l2["redshift"]
    if redshift is None:
        redshift = (l2.get("radial_velocity_km_s") or 0.0) / C_KM_S
    lines = ((name, rest * (1.0 + redshift)) for name, rest in lines_of(l2["top_class"]))
    return sorted(lines, key=lambda line: line[1])
