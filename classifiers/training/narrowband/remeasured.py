"""What a report measures anew on the mocks of a bundle's training: what the manifest's metrics do not hold.

The mocks are drawn from the training's own seeds, so that the figures belong beside those in the manifest as long as
the simulator is the one that the bundle was trained with.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from classifiers.bundle.calibration import Calibration
from classifiers.loaded import load_engines
from classifiers.training.intervals import clopper_pearson
from classifiers.training.narrowband.measures import MAGNITUDE_EDGES, Scored, called_novel, held_out
from classifiers.training.narrowband.published import beside
from classifiers.training.narrowband.purity import NEEDLES_PER_DEG2, magnitude_name, purity_by_magnitude
from classifiers.training.narrowband.simulator import KINDS, NarrowbandSimulator

NOVELTY_EDGES = (16.0, 18.0, 19.0, 20.0, 21.0, 22.0, 22.5, 23.0, 23.5)


def remeasured(bundle: Path, n: int | None = None) -> dict[str, Any]:
    """Return figures as plain numbers: purity with lower limits, false unknowns by kind, those beside published ones.

    Args:
        bundle: folder.
        n: mocks of each kind; None: as many as its training measured.
    """
    (loaded,) = load_engines([bundle])
    manifest, calibration = loaded.bundle.manifest, loaded.calibration
    number = int(manifest.metrics["sample"]["n_by_kind"]) if n is None else n
    simulator = NarrowbandSimulator.load()
    scored = held_out(simulator, loaded.engine, calibration, manifest.training.seed, number, lambda *_: None)
    return {
        "n_by_kind": number,
        "on_the_sky": purity_by_magnitude(scored.mocks, scored.probabilities, MAGNITUDE_EDGES),
        "on_the_sky_as_needles": purity_by_magnitude(
            scored.mocks, scored.probabilities, MAGNITUDE_EDGES, NEEDLES_PER_DEG2
        ),
        "false_unknown_by_kind": false_unknown_by_kind(scored, calibration),
        "beside_published": beside(scored),
    }


def false_unknown_by_kind(scored: Scored, calibration: Calibration) -> dict[str, Any]:
    """Return how many known mocks are called NOVEL, by r magnitude and kind, with exact intervals."""
    novel, mocks = called_novel(scored, calibration), scored.mocks
    found: dict[str, Any] = {}
    for bright, faint in [*pairwise(NOVELTY_EDGES), (NOVELTY_EDGES[0], NOVELTY_EDGES[-1])]:
        inside = (mocks.r >= bright) & (mocks.r < faint)
        found[magnitude_name(bright, faint)] = entry = {}
        for index, kind in enumerate(KINDS):
            called = novel[inside & (mocks.kind == index)]
            low, high = clopper_pearson(int(called.sum()), int(called.size))
            interval = [round(low, 5), round(high, 5)]
            entry[kind] = {"n": int(called.size), "novel": int(called.sum()), "interval_95": interval}
    return found
