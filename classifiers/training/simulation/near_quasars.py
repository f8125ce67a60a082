"""What near quasars have beside their templates, which are means: broad and narrow lines, iron, and their hosts."""

from __future__ import annotations

import numpy as np

from classifiers.lines.table import C_KM_S
from classifiers.training.simulation.emission import LINES, REST, REST_ANGSTROM, add_lines, line_ratios
from classifiers.training.simulation.families import ACTIVE, PASSIVE
from classifiers.training.simulation.galaxies import Galaxies
from classifiers.training.simulation.grid import PIXELS, Float32, Float64, Integers, NDBool, native_wavelength
from classifiers.training.simulation.line_spread import line_spread_km_s

# Broad lines of most of them beside those of the templates, which are near one another: H beta of an equivalent width
# and a width that are log-normal (widths of SDSS's quasars: Shen et al. 2011, ApJS 194, 45), H alpha by the decrement
# of blue active nuclei (Dong et al. 2008, MNRAS 383, 581), the others as in SDSS's composite (Vanden Berk et al. 2001,
# AJ 122, 549).
_BROAD_SHARE, _BROAD_BELOW = 0.6, 0.8
_BROAD_HBETA_ANGSTROM, _BROAD_SCATTER_DEX = 25.0, 0.45
_BROAD_FWHM_KM_S, _FWHM_SCATTER_DEX, _FWHM_RANGE_KM_S = 5000.0, 0.27, (1000.0, 14_000.0)
_DECREMENT, _DECREMENT_SCATTER_DEX = 3.06, 0.05
_BROAD_OF_HBETA = (("H beta", 1.0), ("H gamma", 0.35), ("H delta", 0.17), ("He I 5876", 0.2))
_CORE_AND_WING = ((0.65, 1.0), (0.35, 2.2))  # share of the flux, width over the core's
_KM_S_PER_FWHM = 1.0 / (2.0 * float(np.sqrt(2.0 * np.log(2.0))))

# Narrow lines: the principal components have none, the other templates theirs. Equivalent widths of [O III] have the
# mean of SDSS's composite (Vanden Berk et al. 2001, Table 2: 13 Angstrom), with those of the obscured; ratios are of
# narrow-line regions.
_NARROW_BELOW = 1.1
_OIII_ANGSTROM, _OIII_SCATTER_DEX = 8.0, 0.4
_OIII_BESIDE_ANGSTROM = 2.0
_NARROW_KM_S = (63.0, 395.0)
_NII_HALPHA, _OIII_HBETA = (-0.05, 0.2), (0.95, 0.15)  # log10, mean and scatter
_BESIDE_OIII_ANGSTROM = 5100.0
_WEAK_SHARE = 0.25  # hardly any [O III], as at one end of eigenvector 1 (Boroson & Green 1992, ApJS 80, 109)
# Seyfert galaxies and obscured quasars that surveys' templates call quasars for their lines (Reyes et al. 2008, AJ 136,
# 2373): narrow lines many times as strong, above the light of stars.
_OBSCURED_SHARE, _OBSCURED_DEX, _OBSCURED_HOST = 0.1, (0.5, 1.5), (0.5, 3.0)

# Blends of Fe II, in and out of which eigenvector 1 moves quasars: window and edge [Angstrom], share of the amplitude.
_IRON_BELOW = 2.5
_IRON = ((2230.0, 2650.0, 60.0, 0.6), (4434.0, 4684.0, 30.0, 1.0), (5150.0, 5350.0, 30.0, 0.9))
_IRON_MEAN, _IRON_SCATTER = 0.02, 0.09


def add_nearby(
    flux: Float32,
    redshift: Float64,
    bare: NDBool,
    galaxies: Galaxies,
    rng: np.random.Generator,
    seen_by: Integers,
) -> None:
    """Add to quasars in place what near ones have.

    Args:
        flux: (n, 4671) float32, median about 1.
        redshift: (n,).
        bare: (n,) bool, whose templates have no narrow lines.
        galaxies: that hosts are drawn from.
        rng: source of randomness.
        seen_by: (n,) instruments that make narrow lines wide; see ``line_spread``.
    """
    native = native_wavelength()
    obscured = (redshift < _BROAD_BELOW) & (rng.random(redshift.size) < _OBSCURED_SHARE)
    _iron(flux, redshift, native, rng)
    _broad(flux, redshift, native, rng)
    _host(flux, redshift, obscured, galaxies, rng, seen_by)
    _narrow(flux, redshift, bare, obscured, native, rng, seen_by)


def _iron(flux: Float32, redshift: Float64, native: Float64, rng: np.random.Generator) -> None:
    rows = np.flatnonzero(redshift < _IRON_BELOW)
    amplitude = rng.normal(_IRON_MEAN, _IRON_SCATTER, rows.size)
    for low, high, edge, share in _IRON:
        for row, strength in zip(rows, share * amplitude, strict=True):
            first, last = np.searchsorted(
                native, np.array([low - 4.0 * edge, high + 4.0 * edge]) * (1.0 + redshift[row])
            )
            rest = native[first:last] / (1.0 + redshift[row])
            bump = 1.0 / (1.0 + np.exp((low - rest) / (0.5 * edge))) / (1.0 + np.exp((rest - high) / (0.5 * edge)))
            flux[row, first:last] *= (1.0 + strength * bump).astype(np.float32)


def _broad(flux: Float32, redshift: Float64, native: Float64, rng: np.random.Generator) -> None:
    rows = np.flatnonzero((redshift < _BROAD_BELOW) & (rng.random(redshift.size) < _BROAD_SHARE))
    width = 10.0 ** rng.normal(0.0, _BROAD_SCATTER_DEX, rows.size) * _BROAD_HBETA_ANGSTROM
    fwhm = np.clip(_BROAD_FWHM_KM_S * 10.0 ** rng.normal(0.0, _FWHM_SCATTER_DEX, rows.size), *_FWHM_RANGE_KM_S)
    decrement = _DECREMENT * 10.0 ** rng.normal(0.0, _DECREMENT_SCATTER_DEX, rows.size)
    strengths = width * flux[rows, _pixel(native, REST_ANGSTROM["H beta"], redshift[rows])]
    for row, strength, km_s, ratio in zip(rows, strengths, fwhm * _KM_S_PER_FWHM, decrement, strict=True):
        for name, share in (*_BROAD_OF_HBETA, ("H alpha", ratio)):
            rest = REST_ANGSTROM[name]
            velocity = C_KM_S * np.log(native / (rest * (1.0 + redshift[row])))
            for part, wider in _CORE_AND_WING:
                sigma = km_s * wider
                first, last = np.searchsorted(velocity, [-5.0 * sigma, 5.0 * sigma])
                angstrom = rest * sigma / C_KM_S * np.sqrt(2.0 * np.pi)
                profile = np.exp(-0.5 * (velocity[first:last] / sigma) ** 2)
                flux[row, first:last] += strength * share * part / angstrom * profile


def _host(
    flux: Float32,
    redshift: Float64,
    obscured: NDBool,
    galaxies: Galaxies,
    rng: np.random.Generator,
    seen_by: Integers,
) -> None:
    """Add hosts, whose share falls with redshift: what is far and in a survey is luminous."""
    near = np.flatnonzero(redshift < _BROAD_BELOW)
    if near.size == 0:
        return
    family = np.where(rng.random(near.size) < 0.5, PASSIVE, ACTIVE)
    host, _ = galaxies.at(redshift[near], family, rng, seen_by[near])
    host /= np.maximum(np.median(host, axis=1, keepdims=True), 1e-3)
    share = np.maximum(rng.uniform(-0.2, 0.7, near.size), 0.0)
    share *= np.clip((_BROAD_BELOW - redshift[near]) / 0.4, 0.0, 1.0)
    share = np.where(obscured[near], rng.uniform(*_OBSCURED_HOST, near.size), share)
    flux[near] += share.astype(np.float32)[:, None] * host


def _narrow(
    flux: Float32,
    redshift: Float64,
    bare: NDBool,
    obscured: NDBool,
    native: Float64,
    rng: np.random.Generator,
    seen_by: Integers,
) -> None:
    near = np.flatnonzero(redshift < _NARROW_BELOW)
    count = near.size
    width = np.where(bare[near], _OIII_ANGSTROM, _OIII_BESIDE_ANGSTROM) * 10.0 ** rng.normal(
        0, _OIII_SCATTER_DEX, count
    )
    width *= np.where(rng.random(count) < _WEAK_SHARE, rng.uniform(0.0, 0.3, count), 1.0)
    strong = _OIII_ANGSTROM * 10.0 ** rng.uniform(*_OBSCURED_DEX, count)
    width = np.where(obscured[near], strong, width)
    ratios = line_ratios(
        rng.normal(*_NII_HALPHA, count), rng.normal(*_OIII_HBETA, count), rng.exponential(0.15, count), rng
    )
    ratios /= ratios[:, [LINES.index("[O III] 5007")]]
    beside = flux[near, _pixel(native, _BESIDE_OIII_ANGSTROM, redshift[near])]
    with_lines = flux[near]
    spread = line_spread_km_s(seen_by[near], REST * (1.0 + redshift[near, None]))
    sigma = np.hypot(rng.uniform(*_NARROW_KM_S, (count, 1)), spread)
    add_lines(with_lines, ratios * (width * beside)[:, None], redshift[near], sigma)
    flux[near] = with_lines


def _pixel(native: Float64, angstrom: float, redshift: Float64) -> Integers:
    """Return the pixels of a rest wavelength, the nearest of the grid where it lies beyond, (n,)."""
    return np.asarray(np.searchsorted(native, angstrom * (1.0 + redshift)).clip(0, PIXELS - 1), np.int64)
