"""How many sources there are, by r magnitude and redshift: what makes a mock sample a piece of sky.

Quasars: Palanque-Delabrouille et al. (2016, A&A 587, A41), table 7, model PLE+LEDE: fitted for 0.68 < z < 4 and
g < 22.5, extrapolated beyond, but not to nuclei that their own galaxies outshine. Stars: Bahcall & Soneira (1980, ApJS
44, 73), their approximate formula for the galactic pole in V, taken at V = r + 0.3. Galaxies: counts that rise by 0.37
dex a magnitude, about the slope of deep counts in R (Metcalfe et al. 2001, MNRAS 323, 795), scaled so that all sources
together are 5e4 per square degree at r < 23.5; redshifts n(z) ~ z^2 exp(-(z/z0)^1.5) (the form of Baugh & Efstathiou
1993, MNRAS 265, 145) with a median that rises with r (an assumption).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from classifiers.training.simulation.grid import Float64, NDBool

BRIGHT, FAINT = 16.0, 23.5
"""Limits of a mock sample in r [AB]."""
SOURCES_PER_DEG2 = 50_000.0
MAXIMUM_GALAXY_REDSHIFT = 1.3
_STEP = 0.05
_HUBBLE_DISTANCE_MPC = 299_792.458 / 70.0
_QSO_R = np.arange(15.75, 23.8, 0.5)
_QSO_Z = np.array([0.0, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5])
_QSO_COUNTS = np.array(  # per 10,000 deg^2, 0.5 mag and unit redshift, at z = 0.5, 1.5, 2.5, 3.5, 4.5
    [
        [74, 12, 2, 0, 0], [173, 46, 8, 1, 0], [425, 173, 29, 3, 0], [1063, 645, 109, 11, 1],
        [2637, 2318, 407, 37, 3], [6171, 7534, 1476, 119, 10], [12760, 20293, 4934, 380, 27],
        [22256, 42853, 14012, 1146, 71], [33079, 72019, 31432, 3068, 182], [44377, 102993, 55189, 6846, 432],
        [56787, 135480, 81153, 12487, 915], [71385, 172381, 108661, 19287, 1689],
        [89178, 216865, 139912, 26781, 2731], [111154, 271898, 177682, 35182, 3976],
        [138390, 340627, 224720, 45094, 5393], [172133, 426753, 283998, 57240, 7015],
        [213829, 534834, 359048, 72418, 8921],
    ],
    dtype=np.float64,
)  # fmt: skip


def least_quasar_redshift(r: Float64) -> Float64:
    """Return the redshift at which M_r = -20, (n,): nearer nuclei of that r are fainter than the galaxies around them.

    Without K correction.
    """
    axis, modulus = _moduli()
    return np.asarray(np.interp(r + 20.0, modulus, axis))


def distance_modulus(redshift: Float64) -> Float64:
    """Return it [mag], (n,), in a flat universe with H0 = 70 km/s/Mpc and a matter density of 0.3."""
    axis, modulus = _moduli()
    return np.asarray(np.interp(redshift, axis, modulus))


@cache
def _moduli() -> tuple[Float64, Float64]:
    """Return redshifts above 0 to beyond all quasars, and their distance moduli."""
    axis = np.expm1(np.linspace(0.0, np.log1p(_QSO_Z[-1]), 1001))
    slowness = 1.0 / np.sqrt(0.3 * (1.0 + axis) ** 3 + 0.7)
    steps = 0.5 * (slowness[1:] + slowness[:-1]) * np.diff(axis)
    megaparsec = _HUBBLE_DISTANCE_MPC * (1.0 + axis[1:]) * np.cumsum(steps)
    return axis[1:], 5.0 * np.log10(megaparsec) + 25.0


def quasar_density(r: Float64, redshift: Float64) -> Float64:
    """Return quasars per deg^2, mag and unit redshift, (n, m) for magnitudes (n,) and redshifts (m,).

    Between the centres of the table's bins, log-linear in r and linear in z, from 0 at z = 0 to 0 at z = 5.5, and none
    below ``least_quasar_redshift``.
    """
    logarithm = np.log(np.maximum(_QSO_COUNTS, 0.3) / (10_000 * 0.5))
    columns = np.exp([np.interp(r, _QSO_R, column) for column in logarithm.T])
    known = np.concatenate([np.zeros((1, r.size)), columns, np.zeros((1, r.size))])
    place = np.clip(np.searchsorted(_QSO_Z, redshift, side="right") - 1, 0, _QSO_Z.size - 2)
    part = (redshift - _QSO_Z[place]) / (_QSO_Z[place + 1] - _QSO_Z[place])
    density = known[place] * (1.0 - part)[:, None] + known[place + 1] * part[:, None]
    inside = (redshift[:, None] >= least_quasar_redshift(r)) & (redshift[:, None] <= _QSO_Z[-1])
    return np.asarray((density * inside).T)


def star_density(r: Float64) -> Float64:
    """Return stars per deg^2 and mag towards the galactic pole."""
    v = r + 0.3
    disc = 200.0 * 10.0 ** (0.01 * (v - 15.0)) / (1.0 + 10.0 ** (-0.2 * (v - 15.0))) ** 2
    spheroid = 400.0 * 10.0 ** (0.065 * (v - 17.5)) / (1.0 + 10.0 ** (-0.26 * (v - 17.5))) ** 1.5
    return np.asarray(disc + spheroid)


def galaxy_density(r: Float64) -> Float64:
    """Return galaxies per deg^2 and mag."""
    axis = _magnitudes()
    others = np.sum(star_density(axis) + quasar_density(axis, _redshifts()).sum(axis=1) * _STEP) * _STEP
    shape = np.sum(10.0 ** (0.37 * (axis - FAINT))) * _STEP
    return np.asarray((SOURCES_PER_DEG2 - others) / shape * 10.0 ** (0.37 * (r - FAINT)))


def total(kind: str, faint: float = FAINT) -> float:
    """Return sources per deg^2 at 16 < r < ``faint``, at most 23.5, of a kind: STAR, GALAXY or QSO."""
    axis = _magnitudes()
    axis = axis[axis < faint]
    return float(_density(kind, axis).sum() * _STEP)


def draw_magnitudes(kind: str, count: int, rng: np.random.Generator, faint: float = FAINT) -> Float64:
    """Draw r magnitudes from the counts of a kind, (count,), BRIGHT to ``faint``."""
    axis = np.arange(BRIGHT + 0.5 * _STEP, faint, _STEP)
    density = _density(kind, axis)
    return np.asarray(rng.choice(axis, count, p=density / density.sum()) + rng.uniform(-0.5, 0.5, count) * _STEP)


def draw_quasar_redshifts(r: Float64, rng: np.random.Generator) -> Float64:
    """Draw a redshift for each magnitude, 0.05 to 5.5."""
    axis = _redshifts()
    density = quasar_density(r, axis)
    density[:, axis < 0.05] = 0.0
    cumulative = np.cumsum(density, axis=1)
    wanted = rng.random(r.size) * cumulative[:, -1]
    place = (cumulative < wanted[:, None]).sum(axis=1)
    return np.asarray(axis[np.minimum(place, axis.size - 1)] + rng.uniform(-0.5, 0.5, r.size) * _STEP)


def draw_galaxy_redshifts(r: Float64, rng: np.random.Generator) -> Float64:
    """Draw redshifts: z^2 exp(-(z/z0)^1.5), median 0.1 at r = 17.5 rising by 0.075 per mag, at most 1.3."""
    median = np.clip(0.1 + 0.075 * (r - 17.5), 0.04, None)
    # t = (z/z0)^1.5 is Gamma(2) distributed, whose median is 1.678
    redshift = np.full(r.size, np.inf)
    while (again := np.flatnonzero(redshift > MAXIMUM_GALAXY_REDSHIFT)).size:
        redshift[again] = median[again] * (rng.gamma(2.0, size=again.size) / 1.678) ** (2.0 / 3.0)
    return np.asarray(np.maximum(redshift, 0.003), np.float64)


def draw_point_like(r: Float64, rng: np.random.Generator) -> NDBool:
    """Draw which galaxies a catalogue would call point-like: 2 % of bright ones, a fifth of faint ones (assumed)."""
    return np.asarray(rng.random(r.size) < 0.02 + 0.25 / (1.0 + np.exp(-(r - 22.8) / 0.6)))


def _density(kind: str, axis: Float64) -> Float64:
    if kind == "QSO":
        return np.asarray(quasar_density(axis, _redshifts()).sum(axis=1) * _STEP)
    return star_density(axis) if kind == "STAR" else galaxy_density(axis)


def _magnitudes() -> Float64:
    return np.arange(BRIGHT + 0.5 * _STEP, FAINT, _STEP)


def _redshifts() -> Float64:
    return np.arange(0.5 * _STEP, _QSO_Z[-1], _STEP)
