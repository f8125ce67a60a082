"""Stars younger than the youngest stellar populations of the basis (63 Myr), and the continuum of the gas they ionise.

O and B stars of a few Myr show hardly an absorption line: a power law, bluer than any population of the basis (slopes:
Leitherer et al. 1999, ApJS 123, 3). Their gas adds bound-free and free-free emission, of a tenth to a third of the
light where H beta has an equivalent width of 100 to 300 Angstrom, with a jump at the Balmer edge that falls to the blue
as exp(-h nu / kT) at 10,000 K (Osterbrock & Ferland 2006, Astrophysics of Gaseous Nebulae, Sect. 4.3). Nuclei of active
galaxies have some of either, or scattered light that looks like it (Kauffmann et al. 2003, MNRAS 346, 1055; Cid
Fernandes & Terlevich 1995, MNRAS 272, 423).

Until 0.12.0 galaxies had none of it, and of simulated ones that did up to nine in ten were NOVEL.
"""

from __future__ import annotations

import numpy as np

from classifiers.training.simulation.families import ACTIVE, STAR_FORMING, STARBURST
from classifiers.training.simulation.grid import Float32, Float64, Integers, NDBool

_SLOPE = (-2.6, -1.6)
# Share of the light at _LEVEL: uniform between these, 0 where below it.
_SHARE = {STAR_FORMING: (-0.5, 0.25), STARBURST: (-0.5, 0.6), ACTIVE: (-0.6, 0.3)}
_SHARE_OF_EXTREME = (0.1, 1.0)
_GAS, _GAS_OF_EXTREME = 0.15, 0.4  # of that light, at most
_LEVEL_ANGSTROM = (5300.0, 5700.0)
_GAS_SLOPE = -2.0  # flat in frequency
_EDGE_ANGSTROM, _EDGE_WIDTH_ANGSTROM = 3665.0, 10.0  # where the last Balmer lines that are told apart leave off
_JUMP = (3.0, 6.0)
_FALL_ANGSTROM = 14_388.0  # h c / kT


def add_newborn(
    rest: Float32, wavelength: Float64, family: Integers, extreme: NDBool, rng: np.random.Generator
) -> None:
    """Give galaxies their newest stars, in place of some of their light.

    Args:
        rest: (n, pixel) float32 in the rest frame, without dust, any scale; written to.
        wavelength: (pixel,) vacuum Angstrom.
        family: (n,) of ``families``.
        extreme: (n,) bool, starbursts whose lines outshine their stars: of those it may be all.
        rng: source of randomness.
    """
    count = family.size
    low, high = np.zeros((2, count))
    for kind, (least, most) in _SHARE.items():
        low[family == kind], high[family == kind] = least, most
    low, high = (np.where(extreme, edge, of) for edge, of in zip(_SHARE_OF_EXTREME, (low, high), strict=True))
    share, gas = rng.uniform(low, high), rng.uniform(0.0, np.where(extreme, _GAS_OF_EXTREME, _GAS))
    slope, jump = rng.uniform(*_SLOPE, count), rng.uniform(*_JUMP, count)
    rows = np.flatnonzero(share > 0)
    if rows.size == 0:
        return
    at_level = slice(*np.searchsorted(wavelength, _LEVEL_ANGSTROM))
    level = np.median(rest[rows, at_level], axis=1, keepdims=True)
    relative = np.log(wavelength / float(np.mean(_LEVEL_ANGSTROM)))
    bluer = 1.0 / (1.0 + np.exp(np.clip((wavelength - _EDGE_ANGSTROM) / _EDGE_WIDTH_ANGSTROM, -50.0, 50.0)))
    bluer *= np.exp(np.minimum(_FALL_ANGSTROM / _EDGE_ANGSTROM - _FALL_ANGSTROM / wavelength, 0.0))
    gas_shape = np.exp(_GAS_SLOPE * relative)
    light = (1.0 - gas[rows, None]) * np.exp(slope[rows, None] * relative)
    light += gas[rows, None] * gas_shape * (1.0 + jump[rows, None] * bluer)
    part = share[rows, None]
    rest[rows] = ((1.0 - part) * rest[rows] + part * level * light).astype(np.float32)
