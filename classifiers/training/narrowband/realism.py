"""How real the mocks look: colours of real spectra among those of mocks of like redshift or temperature.

For each source the mocks of its kind that are nearest in a key (redshift; for stars the colour J0450 - J0660) are its
peers. Where mocks and sources are drawn from one distribution, a colour is as often below as above the median of its
peers, and within their middle 68 % in 68 % of the cases. Real fluxes have noise and errors of calibration that these
peers do not, so fewer of them are: what to expect is measured on a control, other mocks that were given the like of
both (``treated_mocks``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from classifiers.training.narrowband.bands import NAMES
from classifiers.training.narrowband.simulator import KINDS, Mocks, NarrowbandSimulator
from classifiers.training.simulation import grid
from classifiers.training.simulation.grid import Float64, Integers, NDBool
from classifiers.training.simulation.instruments import Instrument
from classifiers.training.simulation.noise import smooth_matrix

COLOURS = (("J0450", "J0560"), ("J0560", "J0660"), ("J0660", "J0750"), ("J0750", "J0850"))
_KEY = ("J0450", "J0660")
_PEERS, _MOCKS = 40, 6000
_COPIES = 10
"""Mocks of the control for each real source, so that the control's own scatter is the lesser one."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What colours are taken of: flux (n, 56) F_lambda on any scale, covered (n, 56), kind and redshift (n,)."""

    flux: Float64
    covered: NDBool
    kind: Integers
    redshift: Float64


def colour_ranks(sources: Sources, simulator: NarrowbandSimulator, seed: int) -> Mapping[str, Any]:
    """Return by kind and colour: n, median difference from the peers [mag], share within their middle 68 %.

    Sources without light in a band of the colour are left out, and so are such mocks: the peers would be too red.

    Args:
        sources: with the bands that were measured.
        simulator: draws the mocks.
        seed: of the mocks.
    """
    mocks = simulator.draw(dict.fromkeys(KINDS, _MOCKS), np.random.default_rng(seed), flat=1.0)
    found: dict[str, Any] = {}
    for index, name in enumerate(KINDS):
        peers = mocks.rows(mocks.kind == index)
        found[name] = {}
        for colour in COLOURS:
            columns = [NAMES.index(band) for band in (*colour, *_KEY)]
            there = sources.covered[:, columns].all(axis=1) & (sources.flux[:, columns] > 0).all(axis=1)
            rows = np.flatnonzero((sources.kind == index) & there)
            if rows.size:
                lit = peers.rows(np.flatnonzero((peers.flux[:, columns] > 0).all(axis=1)))
                nearest = _nearest(lit, name, _key(name, sources.flux[rows], sources.redshift[rows]))
                found[name]["-".join(colour)] = _against(lit, nearest, _colour(sources.flux[rows], *colour), colour)
    return found


def treated_mocks(
    real: Sources, sigma: Float64, instruments: Sequence[Instrument], simulator: NarrowbandSimulator, seed: int
) -> Sources:
    """Return mocks as the instruments of real sources would have seen them, some for each: a control of the same kinds.

    Each is drawn at the redshift (stars: colour) of a real source, has the bands that this one has, noise as large as
    its stated errors are beside its flux, and a response that is wrong by as much as the simulator of spectra has its
    instrument's (slow waves and a tilt).

    Args:
        real: n sources.
        sigma: (n, 56), their errors.
        instruments: n that saw them.
        simulator: draws the mocks.
        seed: of the mocks; those that ``colour_ranks`` draws from it are others.
    """
    rng = np.random.default_rng([seed, 1])
    mocks = simulator.draw(dict.fromkeys(KINDS, _MOCKS), rng, flat=1.0)
    parts: list[tuple[Integers, Mocks]] = []
    for index, name in enumerate(KINDS):
        rows = np.repeat(np.flatnonzero(real.kind == index), _COPIES)
        of_kind = mocks.rows(mocks.kind == index)
        nearest = _nearest(of_kind, name, _key(name, real.flux[rows], real.redshift[rows]))
        parts.append((rows, of_kind.rows(nearest[np.arange(rows.size), rng.integers(_PEERS, size=rows.size)])))
    rows = np.concatenate([each for each, _ in parts])
    flux = np.concatenate([each.flux for _, each in parts])
    size = np.where(real.covered[rows], sigma[rows], 0.0)
    noise = size / np.maximum(np.maximum(real.flux[rows], size), 1e-12)
    flux = flux * _responses([instruments[row] for row in rows.tolist()], simulator.pivot_angstrom, rng)
    flux *= 1.0 + noise * rng.standard_normal(flux.shape)
    redshift = np.concatenate([each.redshift for _, each in parts])
    return Sources(flux, real.covered[rows], real.kind[rows], redshift)


def _responses(instruments: Sequence[Instrument], pivot_angstrom: Float64, rng: np.random.Generator) -> Float64:
    """Return what flux calibration gets wrong in the bands, (n, 56), as ``NoiseModel.calibrate`` has it in spectra."""
    smooth = smooth_matrix()
    native = grid.native_log10()
    in_bands = np.stack([np.interp(np.log10(pivot_angstrom), native, row) for row in smooth])
    waves, tilt = np.array([(each.calibration, each.tilt) for each in instruments]).reshape(-1, 2, 1).swapaxes(0, 1)
    knots = waves * rng.standard_normal((len(instruments), len(smooth)))
    knots += tilt * rng.standard_normal((len(instruments), 1)) * np.linspace(-1.0, 1.0, len(smooth))
    return np.asarray(np.exp(knots) @ in_bands)


def _key(name: str, flux: Float64, redshift: Float64) -> Float64:
    return redshift if name != "STAR" else _colour(flux, *_KEY)


def _nearest(peers: Mocks, name: str, wanted: Float64) -> Integers:
    """Return the peers of n sources, (n, 40), from their keys (n,)."""
    key = _key(name, peers.flux, peers.redshift)
    return np.asarray(np.argsort(np.abs(key[None, :] - wanted[:, None]), axis=1)[:, :_PEERS])


def _against(peers: Mocks, nearest: Integers, seen: Float64, colour: tuple[str, str]) -> dict[str, Any]:
    among = _colour(peers.flux, *colour)[nearest]
    low, middle, high = np.quantile(among, (0.16, 0.5, 0.84), axis=1)
    return {
        "n": int(seen.size),
        "median_difference_mag": round(float(np.median(seen - middle)), 3),
        "within_middle_68_percent": round(float(np.mean((seen >= low) & (seen <= high))), 3),
    }


def _colour(flux: Float64, one: str, two: str) -> Float64:
    """Return a difference of magnitudes but for a constant that depends on the bands alone."""
    blue, red = flux[:, NAMES.index(one)], flux[:, NAMES.index(two)]
    return np.asarray(-2.5 * np.log10(np.maximum(blue, 1e-12) / np.maximum(red, 1e-12)))
