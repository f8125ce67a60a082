"""What the narrow-band bundle is worth on held-out mocks: classes, redshifts, purity on the sky, novelty.

Two samples: a balanced one (as many quasars, galaxies and stars, each with its own counts in r and redshift), on which
published classifiers of J-PAS sources give f1 scores, and the same sources weighted to their densities on the sky.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration
from classifiers.engine import Arrays, Engine
from classifiers.networks.declared import REDSHIFT_THRESHOLD
from classifiers.training.intervals import clopper_pearson
from classifiers.training.narrowband import counts
from classifiers.training.narrowband.declared import FULL_COVERAGE
from classifiers.training.narrowband.missing import PATTERNS, of_a_survey
from classifiers.training.narrowband.noise import Present
from classifiers.training.narrowband.outliers import detected
from classifiers.training.narrowband.purity import NEEDLES_PER_DEG2, magnitude_name, purity_by_magnitude
from classifiers.training.narrowband.samples import Inputs, observed_inputs
from classifiers.training.narrowband.simulator import CLASSES, KINDS, Mocks, NarrowbandSimulator
from classifiers.training.simulation.grid import Float64, Integers
from classifiers.verdict.novelty import judged_by_coverage
from classifiers.verdict.probabilities import softmax

Progress: TypeAlias = Callable[[str, float], None]
MAGNITUDE_EDGES = (16.0, 20.0, 21.0, 22.0, 22.5, 23.0, 23.5)
_CHUNK, _BY_PATTERN = 8192, 20_000
_RESAMPLES = 200
OUTLIER = 0.15
"""abs(dz) / (1 + z) beyond which a redshift counts as an outlier, as is usual for photometric redshifts."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Observed mocks with what the engine said of them: inputs, outputs, calibrated probabilities (n, 4)."""

    mocks: Mocks
    inputs: Inputs
    outputs: Arrays
    probabilities: Float64


def score(
    simulator: NarrowbandSimulator, engine: Engine, calibration: Calibration, mocks: Mocks, rng: np.random.Generator,
    present: Present | None = of_a_survey,
) -> Scored:  # fmt: skip
    """Observe mocks in the bands that ``present`` draws (None: in all) and run the engine on them."""
    inputs = observed_inputs(mocks, simulator.pivot_angstrom, rng, present)
    outputs = answers(engine, inputs)
    logits = outputs["class_logits"].astype(np.float64)
    return Scored(mocks, inputs, outputs, softmax(logits / calibration.temperature))


def answers(engine: Engine, inputs: Inputs) -> dict[str, NDArray[Any]]:
    """Run the engine in pieces."""
    parts = [
        engine.run({name: getattr(inputs, name)[start : start + _CHUNK] for name in ("flux", "inverse_variance")})
        for start in range(0, len(inputs.flux), _CHUNK)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def measured(
    simulator: NarrowbandSimulator, engine: Engine, calibration: Calibration, seed: int, n: int, report: Progress
) -> dict[str, Any]:
    """Return every figure as plain numbers.

    Args:
        simulator: draws the mocks.
        engine: the bundle's.
        calibration: of the bundle.
        seed: of the training; the mocks here have generators of their own.
        n: mocks of each kind.
        report: told what is being done.
    """
    scored = held_out(simulator, engine, calibration, seed, n, report)
    mocks = scored.mocks
    full = score(simulator, engine, calibration, mocks, np.random.default_rng([seed, 7]), None)
    report("measure", 0.7)
    rng = np.random.default_rng([seed, 8])
    some = mocks.rows(np.arange(min(_BY_PATTERN, len(mocks))))
    return {
        "sample": {
            "n_by_kind": n,
            "r_below": counts.FAINT,
            "high_z_from": REDSHIFT_THRESHOLD,
            "missing_bands": round(float(1.0 - scored.inputs.coverage.mean()), 4),
        },
        "balanced": {"with_missing_bands": classes(scored, rng), "all_bands": classes(full, rng)},
        "redshift": {kind: _redshifts(scored, kind, calibration.redshift_error_factor) for kind in ("QSO", "GALAXY")},
        "on_the_sky": purity_by_magnitude(scored.mocks, scored.probabilities, MAGNITUDE_EDGES),
        "on_the_sky_as_needles": purity_by_magnitude(
            scored.mocks, scored.probabilities, MAGNITUDE_EDGES, NEEDLES_PER_DEG2
        ),
        "calibration_error": round(_calibration_error(scored), 4),
        "false_unknown": false_unknown(scored, calibration),
        "false_unknown_by_missing_bands": {
            name: false_unknown(score(simulator, engine, calibration, some, rng, present), calibration)
            for name, present in PATTERNS.items()
        },
        "novelty_detected": detected(simulator, engine, calibration, mocks, np.random.default_rng([seed, 9])),
    }


def held_out(
    simulator: NarrowbandSimulator, engine: Engine, calibration: Calibration, seed: int, n: int, report: Progress
) -> Scored:
    """Return the mocks that figures are of, the same from the same seed; arguments as ``measured`` has them."""
    report("simulate for the figures", 0.0)
    mocks = simulator.draw(dict.fromkeys(KINDS, n), np.random.default_rng([seed, 5]))
    report("measure", 0.3)
    return score(simulator, engine, calibration, mocks, np.random.default_rng([seed, 6]))


def classes(scored: Scored, rng: np.random.Generator) -> dict[str, Any]:
    """Return f1, completeness and purity of the quasar classes by the most probable class, all and by magnitude."""
    truth, found = scored.mocks.class_index(), scored.probabilities.argmax(axis=1)
    confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    np.add.at(confusion, (truth, found), 1)
    by_class = {}
    for index, name in enumerate(CLASSES):
        low, high = _f1_interval(truth == index, found == index, rng)
        by_class[name] = {
            "n": int((truth == index).sum()),
            "f1": round(f1(truth == index, found == index), 4),
            "f1_interval_95": [round(low, 4), round(high, 4)],
            "completeness": round(float(confusion[index, index] / max(confusion[index].sum(), 1)), 4),
            "purity": round(float(confusion[index, index] / max(confusion[:, index].sum(), 1)), 4),
        }
    by_magnitude: dict[str, Any] = {}
    for bright, faint in pairwise(MAGNITUDE_EDGES):
        rows = (scored.mocks.r >= bright) & (scored.mocks.r < faint)
        by_magnitude[magnitude_name(bright, faint)] = {
            name: {
                "n": int((truth[rows] == index).sum()),
                "f1": round(f1(truth[rows] == index, found[rows] == index), 4),
            }
            for index, name in enumerate(CLASSES[:2])
        }
    return {"by_class": by_class, "by_magnitude": by_magnitude, "confusion": confusion.tolist()}


def f1(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """Return the harmonic mean of completeness and purity, 0 where nothing is right."""
    right = float(np.count_nonzero(truth & found))
    return 2.0 * right / max(float(np.count_nonzero(truth) + np.count_nonzero(found)), 1.0)


def _f1_interval(truth: NDArray[np.bool_], found: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float]:
    """Return a 95 % interval by resampling the counts of right, missed, false and other sources."""
    cells = np.array([np.sum(truth & found), np.sum(truth & ~found), np.sum(~truth & found), np.sum(~truth & ~found)])
    drawn = rng.multinomial(int(cells.sum()), cells / cells.sum(), _RESAMPLES)
    scores = 2.0 * drawn[:, 0] / np.maximum(2.0 * drawn[:, 0] + drawn[:, 1] + drawn[:, 2], 1)
    low, high = np.quantile(scores, (0.025, 0.975))
    return float(low), float(high)


def _redshifts(scored: Scored, kind: str, factor: float) -> dict[str, Any]:
    """Return scatter, outliers and pulls of sources of a kind that were found to be of it, all and by magnitude."""
    mocks, found = scored.mocks, scored.probabilities.argmax(axis=1)
    right = (found < 2) if kind == "QSO" else (found == CLASSES.index("GALAXY"))
    rows = np.flatnonzero((mocks.kind == KINDS.index(kind)) & right)
    difference = scored.outputs["redshift"][rows] - mocks.redshift[rows]
    pull = np.abs(difference) / (scored.outputs["redshift_error"][rows] * factor)
    error = difference / (1.0 + mocks.redshift[rows])
    parts: dict[str, Any] = {}
    for bright, faint in pairwise(MAGNITUDE_EDGES):
        inside = (mocks.r[rows] >= bright) & (mocks.r[rows] < faint)
        parts[magnitude_name(bright, faint)] = _scatter(error[inside])
    width = round(float(np.quantile(pull, 0.6827)), 3) if pull.size else None
    return {**_scatter(error), "width_of_pulls": width, "by_magnitude": parts}


def _scatter(error: Float64) -> dict[str, Any]:
    if error.size == 0:
        return {"n": 0}
    wrong = int(np.count_nonzero(np.abs(error) > OUTLIER))
    low, high = clopper_pearson(wrong, error.size)
    return {
        "n": int(error.size),
        "nmad": round(float(1.4826 * np.median(np.abs(error - np.median(error)))), 5),
        f"outliers_beyond_{OUTLIER}": round(wrong / error.size, 4),
        "outliers_interval_95": [round(low, 4), round(high, 4)],
    }


def _calibration_error(scored: Scored, bins: int = 15) -> float:
    """Return the expected calibration error of the most probable class (Guo et al. 2017, section 2)."""
    confidence = scored.probabilities.max(axis=1)
    right = scored.probabilities.argmax(axis=1) == scored.mocks.class_index()
    place: Integers = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    total = np.bincount(place, minlength=bins)
    gap = np.bincount(place, right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / total.sum())


def false_unknown(scored: Scored, calibration: Calibration) -> Mapping[str, Any]:
    """Return how many known mocks are called NOVEL, with the exact interval."""
    if calibration.novelty is None:
        return {}
    novel = called_novel(scored, calibration)
    low, high = clopper_pearson(int(novel.sum()), novel.size)
    return {
        "declared": calibration.novel_rate,
        "n": int(novel.size),
        "rate": round(float(novel.mean()), 5),
        "interval_95": [round(low, 5), round(high, 5)],
    }


def called_novel(scored: Scored, calibration: Calibration) -> NDArray[np.bool_]:
    """Return which mocks are called NOVEL, (n,); none where nothing is calibrated to do so."""
    if calibration.novelty is None:
        return np.zeros(len(scored.mocks), np.bool_)
    part = None if calibration.short_coverage is None else calibration.short_coverage.novelty
    scores, short = scored.outputs["score"].astype(np.float64), scored.inputs.coverage < FULL_COVERAGE
    return judged_by_coverage(calibration.novelty, part, scores, short, calibration).novel
