"""Calibrates the image bundle for one runtime on held-out simulated alerts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration
from classifiers.engine import Engine
from classifiers.training.stamps.samples import Progress, Sample
from classifiers.verdict.calibrate import fit_temperature, score_calibration

INPUTS = ("stamps", "mask")


class HeldOut(NamedTuple):
    """What an engine says of n held-out alerts: scores (n,), class logits (n, k), and their labels (n,)."""

    scores: NDArray[np.float32]
    logits: NDArray[np.float32]
    labels: NDArray[np.int64]


def held_out(engine: Engine, seed: int, n: int, report: Progress) -> HeldOut:
    """Return what an engine says of n simulated alerts that the training with this seed has not seen."""
    sample = Sample(n, np.random.default_rng([seed, 1]), report, "simulate for calibration")
    answers = [engine.run(dict(zip(INPUTS, rows, strict=True))) for rows in sample.batches()]
    scores = np.concatenate([answer["score"] for answer in answers])
    return HeldOut(scores, np.concatenate([answer["class_logits"] for answer in answers]), sample.labels)


def stamp_calibration(identifier: str, engine: Engine, found: HeldOut) -> Calibration:
    """Return the calibration for an engine's runtime and dtype: an ordinary artefact is not unknown."""
    return score_calibration(
        identifier,
        found.scores,
        runtime=engine.runtime,
        dtype=engine.dtype,
        p_other_threshold=None,
        temperature=fit_temperature(found.logits, found.labels),
    )
