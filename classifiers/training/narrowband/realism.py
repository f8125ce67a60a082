"""How real the mocks look: colours of real spectra among those of mocks of like redshift or temperature.

For each real source the mocks of its kind that are nearest in a key (redshift; for stars the colour J0450 - J0660) are
its peers. Where mocks and real sources are drawn from one distribution, a real colour is as often below as above the
median of its peers, and within their middle 68 % in 68 % of the cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from classifiers.training.narrowband.bands import NAMES
from classifiers.training.narrowband.simulator import KINDS, Mocks, NarrowbandSimulator
from classifiers.training.simulation.grid import Float64, Integers, NDBool

COLOURS = (("J0450", "J0560"), ("J0560", "J0660"), ("J0660", "J0750"), ("J0750", "J0850"))
_KEY = ("J0450", "J0660")
_PEERS, _MOCKS = 40, 6000


def colour_ranks(
    flux: Float64, covered: NDBool, kind: Integers, redshift: Float64, simulator: NarrowbandSimulator, seed: int
) -> Mapping[str, Any]:
    """Return by kind and colour: n, median difference from the peers [mag], share within their middle 68 %.

    Args:
        flux: (n, 56) of real sources, F_lambda on any scale.
        covered: (n, 56) bands that were measured.
        kind: (n,) into ``KINDS``.
        redshift: (n,).
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
            rows = np.flatnonzero(
                (kind == index) & covered[:, columns].all(axis=1) & (flux[:, columns] > 0).all(axis=1)
            )
            if rows.size:
                wanted = redshift[rows] if name != "STAR" else _colour(flux[rows], *_KEY)
                found[name]["-".join(colour)] = _against(peers, name, wanted, _colour(flux[rows], *colour), colour)
    return found


def _against(peers: Mocks, name: str, wanted: Float64, seen: Float64, colour: tuple[str, str]) -> dict[str, Any]:
    key = peers.redshift if name != "STAR" else _colour(peers.flux, *_KEY)
    nearest = np.argsort(np.abs(key[None, :] - wanted[:, None]), axis=1)[:, :_PEERS]
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
