"""Purity of a high-redshift quasar sample at fixed completeness, on a piece of sky as it is.

Mocks are weighted to densities: 75 quasars per deg^2 at z > 2.2 among 5e4 sources at r < 23.5, or 5, the 0.01 % that
are spoken of where quasars are needles in a haystack; fainter and lower redshift quasars keep their share of the
luminosity function, stars and galaxies share the rest. Sources are ranked by P(z >= 2.1) after the prior is shifted
from the balanced mocks to the sky (Saerens et al. 2002, Neural Comput. 14, 21).

The lower limit of a purity has the true sources as they are and of each kind as many false ones as its exact Poisson
upper limit of 95 %; kinds add up as if all were at their limits together, so that it errs on the low side.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import floor
from typing import Any

import numpy as np

from classifiers.training.intervals import poisson_upper
from classifiers.training.narrowband import counts
from classifiers.training.narrowband.simulator import CLASSES, KINDS, Mocks
from classifiers.training.simulation.grid import Float64, Integers, NDBool

QUASARS_PER_DEG2, NEEDLES_PER_DEG2, BEYOND = 75.0, 5.0, 2.2
COMPLETENESS = (0.5, 0.8, 0.9)


def sky_weights(mocks: Mocks, quasars_per_deg2: float = QUASARS_PER_DEG2) -> Float64:
    """Return how many sources per deg^2 each mock stands for, (n,), with so many quasars at z > 2.2."""
    quasar = mocks.kind == KINDS.index("QSO")
    weights = np.zeros(len(mocks))
    weights[quasar] = quasars_per_deg2 / max(int(np.sum(quasar & (mocks.redshift > BEYOND))), 1)
    others = counts.SOURCES_PER_DEG2 - float(weights.sum())
    densities = {kind: counts.total(kind) for kind in ("GALAXY", "STAR")}
    for kind, density in densities.items():
        rows = mocks.kind == KINDS.index(kind)
        weights[rows] = others * density / sum(densities.values()) / max(int(np.sum(rows)), 1)
    return weights


def shifted_probability(probabilities: Float64, mocks: Mocks, weights: Float64) -> Float64:
    """Return P(z >= 2.1) of each mock under the class frequencies on the sky instead of those of the mocks, (n,)."""
    truth = mocks.class_index()
    ratio = np.array([weights[truth == index].sum() / max((truth == index).sum(), 1) for index in range(len(CLASSES))])
    shifted = probabilities * ratio
    return np.asarray(shifted[:, CLASSES.index("QSO_HIGH_Z")] / shifted.sum(axis=1))


def purity_by_magnitude(
    mocks: Mocks, probabilities: Float64, edges: Sequence[float], quasars_per_deg2: float = QUASARS_PER_DEG2
) -> dict[str, Any]:
    """Return purity at fixed completeness in bins of r and over all, with and without extended sources."""
    weights = sky_weights(mocks, quasars_per_deg2)
    rank = shifted_probability(probabilities, mocks, weights)
    wanted = mocks.class_index() == CLASSES.index("QSO_HIGH_Z")
    everything = np.ones(len(mocks), np.bool_)
    heaviest = np.array([weights[mocks.kind == index].max(initial=0.0) for index in range(len(KINDS))])
    parts: dict[str, Any] = {}
    for bright, faint in [*pairwise(edges), (edges[0], edges[-1])]:
        inside = (mocks.r >= bright) & (mocks.r < faint)
        entry: dict[str, Any] = {
            "n": int(np.count_nonzero(wanted & inside)),
            "quasars_per_deg2": round(float(weights[wanted & inside].sum()), 2),
            "sources_per_deg2": round(float(weights[inside].sum()), 1),
        }
        for name, taken in (("all_sources", everything), ("point_like_only", ~mocks.extended)):
            rows = inside & taken
            entry[name] = _purities(rank[rows], wanted[rows], weights[rows], mocks.kind[rows], heaviest)
        parts[magnitude_name(bright, faint)] = entry
    return {
        "quasars_per_deg2_beyond_z_2.2": quasars_per_deg2,
        "sources_per_deg2": counts.SOURCES_PER_DEG2,
        "by_magnitude": parts,
    }


def magnitude_name(bright: float, faint: float) -> str:
    """Return how a bin of magnitudes is named in reports."""
    return f"r {bright:g} to {faint:g}"


def _purities(
    rank: Float64, wanted: NDBool, weights: Float64, kind: Integers, weight_of_kind: Float64
) -> dict[str, Any]:
    """Return purity and number of false mocks at each completeness; mocks of one rank are taken together.

    Args:
        rank: (n,).
        wanted: (n,) true high-redshift quasars.
        weights: (n,) sources per deg^2.
        kind: (n,) into ``KINDS``.
        weight_of_kind: sources per deg^2 that a mock of each kind stands for.
    """
    found: dict[str, Any] = {}
    if not wanted.any():
        return found
    ordered = np.sort(rank[wanted])[::-1]
    for completeness in COMPLETENESS:
        threshold = ordered[min(int(np.ceil(completeness * ordered.size)) - 1, ordered.size - 1)]
        chosen = rank >= threshold
        right, all_chosen = weights[chosen & wanted].sum(), weights[chosen].sum()
        false = np.bincount(kind[chosen & ~wanted], minlength=len(KINDS)).tolist()
        at_most = sum(poisson_upper(n) * weight for n, weight in zip(false, weight_of_kind.tolist(), strict=True))
        found[str(completeness)] = {
            "purity": round(float(right / all_chosen), 4),
            "lower_limit_95": floor(1e4 * float(right / (right + at_most))) / 1e4,
            "false_mocks": sum(false),
        }
    return found
