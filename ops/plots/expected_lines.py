"""The strongest lines expected of a class: vacuum rest wavelengths in Angstrom (NIST; doublets as weighted means)."""

from __future__ import annotations

QUASAR = (
    ("Lyα", 1215.67),
    ("C IV", 1549.06),
    ("C III]", 1908.73),
    ("Mg II", 2798.75),
    ("Hγ", 4341.68),
    ("Hβ", 4862.68),
    ("[O III]", 5008.24),
    ("Hα", 6564.61),
)
GALAXY = (
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
STAR = (
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


def lines_of(top_class: str | None) -> tuple[tuple[str, float], ...]:
    """Return (name, rest wavelength [Angstrom, vacuum]) of the lines expected for a class; none without a class."""
    if top_class is None:
        return ()
    if top_class.startswith("QSO"):
        return QUASAR
    return GALAXY if top_class.startswith("GALAXY") else STAR
