"""How far published probabilities can be relied on, and what they themselves promise to measure on this sample.

A sample of a few hundred spectra has a calibration error, and misses classes, whatever its probabilities are worth. So
beside each number stands what it would be if labels were drawn from the probabilities (consistency resampling:
Bröcker & Smith 2007, Weather and Forecasting 22, 651, Sect. 4): the median and the middle 95 % of the draws. A number
beyond these says that the probabilities are wrong; a goal beyond them can be met by other probabilities alone. Where
objects have several spectra, errors and likelihoods of these are followed by those of each object's first alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.training.evaluation.answers import GROUPS, Rows, Scored
from classifiers.training.evaluation.document import Number
from classifiers.training.evaluation.resampling import SEED, resampled_interval
from classifiers.training.simulation.scheme import CLASSES

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PROMISED = "were labels drawn from the probabilities: "
_BINS = 15
_DRAWS = 1000


def calibration_error(confidence: Floats, correct: Flags) -> float:
    """Return the expected calibration error of the top class, 15 equal bins (Guo+ 2017, arXiv:1706.04599, Eq. 3)."""
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    gaps = [
        abs(float(confidence[chosen].mean() - correct[chosen].mean())) * int(chosen.sum())
        for chosen in (bins == index for index in range(_BINS))
        if chosen.any()
    ]
    return sum(gaps) / confidence.size if confidence.size else float("nan")


def balanced_recall(truth: NDArray[np.generic], right: Flags) -> float:
    """Return the mean over the classes that occur of the share of each that is right."""
    recalls = [float(right[truth == name].mean()) for name in np.unique(truth)]
    return float(np.mean(recalls)) if recalls else float("nan")


def reliability(scored: Scored, first: Flags) -> list[Number]:
    """Return errors of calibration, the likelihood and the balanced recall, then what the probabilities promise.

    Args:
        scored: a sample.
        first: (n,) the first spectrum of each object, on which recalls rest, and errors "each object once".
    """
    answers, right, truth = scored.answers, scored.right, scored.truth
    objects = [label.object_id for label in scored.labels]
    top, group_top = answers.probabilities.max(axis=1), answers.group_probabilities.max(axis=1)
    labelled = scored.labelled[np.isfinite(top[scored.labelled])]
    once = labelled[first[labelled]]
    group_right = scored.right_likely_group
    grouped = np.flatnonzero(np.isin(scored.group, GROUPS) & np.isfinite(group_top))
    column = {name: index for index, name in enumerate(CLASSES)}
    picked = np.array([column.get(str(name), 0) for name in truth], dtype=np.int64)
    loss = -np.log(np.maximum(answers.probabilities[np.arange(picked.size), picked], 1e-12))

    def number(name: str, rows: Rows, statistic: Callable[[Rows], float]) -> Number:
        rng = np.random.default_rng(SEED)
        interval = resampled_interval(lambda drawn: statistic(rows[drawn]), [objects[row] for row in rows], rng)
        return Number(name, statistic(rows), rows.size, interval)

    def counted(name: str, rows: Rows, statistic: Callable[[Rows], float]) -> list[Number]:
        whole, own = number(name, rows, statistic), rows[first[rows]]
        return [whole] if own.size == rows.size else [whole, number(f"{name}, each object once", own, statistic)]

    return [
        *counted("ECE of 13 classes", labelled, lambda rows: calibration_error(top[rows], right[rows])),
        *counted(
            "ECE of GALAXY, QSO, STAR", grouped, lambda rows: calibration_error(group_top[rows], group_right[rows])
        ),
        *counted("negative log likelihood of 13 classes [nat]", labelled, lambda rows: float(loss[rows].mean())),
        number("balanced recall of 13 classes", once, lambda rows: balanced_recall(truth[rows], right[rows])),
        *promised(
            answers.probabilities[labelled],
            [objects[row] for row in labelled],
            first[labelled],
            np.random.default_rng(SEED),
        ),
    ]


def promised(
    probabilities: Floats, objects: Sequence[str], first: Flags, rng: np.random.Generator, draws: int = _DRAWS
) -> list[Number]:
    """Return what would be measured if labels were drawn from the probabilities; nothing of an empty sample.

    Args:
        probabilities: (n, k) published, rows sum to 1.
        objects: (n,) whose spectrum each is; spectra of one object draw alike.
        first: (n,) the first spectrum of each object.
        rng: source of randomness.
        draws: how often labels are drawn.
    """
    if len(probabilities) == 0:
        return []
    _, member = np.unique(np.asarray(objects, np.str_), return_inverse=True)
    top, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    edges = np.cumsum(probabilities, axis=1)[:, :-1]
    whole, alone = len(first), int(first.sum())
    found = np.zeros((draws, 4))
    for draw in range(draws):
        label = (rng.random(int(member.max()) + 1)[member][:, None] >= edges).sum(axis=1)
        right = label == top
        found[draw] = (
            calibration_error(confidence, right),
            calibration_error(confidence[first], right[first]) if alone < whole else 0.0,
            right[first].mean(),
            balanced_recall(label[first], right[first]),
        )
    low, middle, high = np.percentile(found, (2.5, 50.0, 97.5), axis=0)
    columns = (
        ("ECE of 13 classes", whole),
        ("ECE of 13 classes, each object once", alone),
        ("13 classes, each object once", alone),
        ("balanced recall of 13 classes", alone),
    )
    return [
        Number(PROMISED + name, float(middle[i]), n, (float(low[i]), float(high[i])))
        for i, (name, n) in enumerate(columns)
        if i != 1 or alone < whole
    ]
