"""Names that the simulated truth uses: classes, other types, kinds.

The class scheme is GaSNet-II's: SDSS class and subclass, 13 labels; the simulator adds OTHER behind them.
"""

from __future__ import annotations

CLASS_SCHEME = "GaSNet-II"
CLASSES = (
    "GALAXY_AGN",
    "GALAXY_STARBURST",
    "GALAXY_STARFORMING",
    "GALAXY_nan",
    "QSO_BROADLINE",
    "QSO_nan",
    "STAR_A0",
    "STAR_F5",
    "STAR_F9",
    "STAR_G2",
    "STAR_K1",
    "STAR_K3",
    "STAR_K5",
)
OTHER_INDEX = len(CLASSES)
FIRST_STAR = CLASSES.index("STAR_A0")
STAR_TYPES = tuple(name.removeprefix("STAR_") for name in CLASSES[FIRST_STAR:])

# SDSS templates without a class of their own, and the class they are folded into.
FOLDED_STAR_TYPES = {"F2": "F5", "G0": "F9", "G5": "G2", "K7": "K5"}

OTHER_TYPES = ("M", "LT", "WD", "CV", "CARBON", "OB", "SKY")
SKY_INDEX = OTHER_TYPES.index("SKY")

KINDS = ("GALAXY", "QSO", "STAR", "OTHER", "NOVEL")
"""What is drawn; NOVEL is made up (``outliers``) and belongs to no survey."""
