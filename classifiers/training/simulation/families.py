"""The families of simulated galaxies, and how strong the emission lines of each are.

Both simulators draw lines here: of spectra, which put Gaussians at their places, and of narrow bands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classifiers.training.simulation.emission import REST_ANGSTROM, line_ratios
from classifiers.training.simulation.grid import Float64, Integers, NDBool

PASSIVE, STAR_FORMING, STARBURST, ACTIVE = range(4)
MIX = (0.26, 0.27, 0.19, 0.28)
EXTREME_SHARE = 0.12
"""Starbursts and active galaxies whose lines outshine the stars: extreme emission-line galaxies (Cardamone et al. 2009,
MNRAS 399, 1191) and obscured quasars (Reyes et al. 2008, AJ 136, 2373)."""
HALPHA_ANGSTROM = REST_ANGSTROM["H alpha"]
_EXTREME_HALPHA_ANGSTROM = {STARBURST: 450.0, ACTIVE: 90.0}
_EXTREME_SCATTER_DEX = 0.35


@dataclass(frozen=True, slots=True)
class DrawnLines:
    """Lines of n galaxies.

    Attributes:
        ew_halpha: (n,) equivalent width of H alpha at rest [Angstrom].
        ratios: (n, line) fluxes over that of H alpha, in the order of ``emission.LINES``.
        active: (n,) bool, whose gas a nucleus lights, not young stars.
    """

    ew_halpha: Float64
    ratios: Float64
    active: NDBool


def draw_lines(family: Integers, extreme: NDBool, ebv: Float64, rng: np.random.Generator) -> DrawnLines:
    """Draw lines on the BPT sequence of star-forming galaxies, and beyond it those of active ones.

    Args:
        family: (n,) PASSIVE to ACTIVE.
        extreme: (n,) bool, whose lines outshine the stars if starburst or active.
        ebv: (n,) reddening of the gas, mag.
        rng: source of randomness.
    """
    count = family.size
    median = np.select([family == PASSIVE, family == STARBURST, family == ACTIVE], [0.5, 85.0, 12.0], 17.0)
    scatter = np.select([family == PASSIVE, family == STARBURST], [0.4, 0.35], 0.38)
    ew = median * 10.0 ** rng.normal(0.0, scatter)
    nii = -0.42 - np.abs(rng.normal(0.0, 0.32, count))
    nii -= np.where(family == STARBURST, rng.uniform(0.0, 0.9, count), 0.0)
    nii -= np.where(extreme & (family == STARBURST), rng.uniform(0.2, 1.0, count), 0.0)
    oiii = 0.61 / (nii + 0.08) + 1.1 + rng.normal(0.0, 0.2, count)
    active = (family == ACTIVE) | ((family == PASSIVE) & (rng.random(count) < 0.5))
    nii = np.where(active, rng.normal(-0.05, 0.15, count), nii)
    oiii = np.where(active, rng.normal(0.6, 0.28, count), oiii)
    strong = 10.0 ** rng.normal(0.0, _EXTREME_SCATTER_DEX, count)
    for kind, halpha in _EXTREME_HALPHA_ANGSTROM.items():
        ew = np.where(extreme & (family == kind), halpha * strong, ew)
    oiii = np.where(extreme & (family == ACTIVE), rng.normal(1.0, 0.12, count), oiii)
    return DrawnLines(ew, line_ratios(nii, oiii, ebv, rng), active)
