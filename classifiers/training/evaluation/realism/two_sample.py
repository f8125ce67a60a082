"""Two samples, are they one? Kolmogorov-Smirnov by feature, and a classifier two-sample test over all features.

The classifier (Lopez-Paz & Oquab 2017, arXiv:1610.06545) is a ridge-penalised logistic regression on the standardised
features and on their squares, so that it sees shifts and differences in spread; it is scored on folds it was not fitted
to. An area under the ROC curve of 0.5 says that it cannot tell; 1 that it always can.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.training.evaluation.binned import area_under, spread

Float = NDArray[np.float64]

FOLDS = 5
_PENALTY = 3.0
_STEPS = 30
_MOST_SCORE = 2.5


@dataclass(frozen=True, slots=True)
class Auroc:
    """Area under the ROC curve with its 95 % interval."""

    value: float
    interval: tuple[float, float]
    real: int
    simulated: int


def auroc(real: Float, simulated: Float, seed: int = 1) -> Auroc:
    """Return how well real and simulated spectra are told apart, cross-validated.

    Args:
        real: (n, k) features; NaN is taken as the median.
        simulated: (m, k).
        seed: of the folds.
    """
    features = standardised(np.concatenate([real, simulated]))
    truth = np.repeat([1.0, 0.0], [len(real), len(simulated)])
    score = np.zeros(len(truth))
    for held_out in _folds(len(real), len(simulated), np.random.default_rng(seed)):
        weights = _fit(features[~held_out], truth[~held_out])
        score[held_out] = _design(features[held_out]) @ weights
    return area(score[truth > 0], score[truth == 0])


def area(positive: Float, negative: Float) -> Auroc:
    """Return the area under the ROC curve of two sets of scores, ties counted half.

    The interval is that of Hanley & McNeil (1982, Radiology 143, 29, Eqs. 1-2), cut to [0, 1].
    """
    n, m = len(positive), len(negative)
    a = area_under(negative, positive)
    q1, q2 = a / (2.0 - a), 2.0 * a * a / (1.0 + a)
    variance = (a * (1.0 - a) + (n - 1) * (q1 - a * a) + (m - 1) * (q2 - a * a)) / (n * m)
    half = 1.959964 * float(np.sqrt(max(variance, 0.0)))
    return Auroc(a, (max(0.0, a - half), min(1.0, a + half)), n, m)


def kolmogorov_smirnov(first: Float, second: Float) -> tuple[float, float]:
    """Return the two-sample statistic D and its p-value; NaN values are left out.

    The p-value is the asymptotic one with Stephens' (1970, J. R. Stat. Soc. B 32, 115) correction for small samples.
    """
    first, second = (np.sort(sample[np.isfinite(sample)]) for sample in (first, second))
    if first.size == 0 or second.size == 0:
        return float("nan"), float("nan")
    everything = np.concatenate([first, second])
    shares = [np.searchsorted(sample, everything, "right") / sample.size for sample in (first, second)]
    statistic = float(np.abs(shares[0] - shares[1]).max())
    root = np.sqrt(first.size * second.size / (first.size + second.size))
    scaled = (root + 0.12 + 0.11 / root) * statistic
    if scaled < 0.2:
        return statistic, 1.0
    terms = np.arange(1, 101)
    p_value = 2.0 * float(np.sum((-1.0) ** (terms - 1) * np.exp(-2.0 * (terms * scaled) ** 2)))
    return statistic, min(1.0, max(0.0, p_value))


def standardised(features: Float) -> Float:
    """Return (values - median) / robust spread of each column, cut at 2.5, NaN as 0; (n, k) float64.

    A column of which most values are equal is divided by its standard deviation instead.
    """
    found = np.zeros(features.shape)
    for column, values in enumerate(features.T):
        known = values[np.isfinite(values)]
        if known.size:
            width = spread(known) or float(known.std()) or 1.0
            found[:, column] = np.nan_to_num((values - np.median(known)) / width)
    return np.clip(found, -_MOST_SCORE, _MOST_SCORE)


def _folds(n: int, m: int, rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """Yield which of the n + m rows are held out, each fold with its share of both samples."""
    fold = np.concatenate([rng.permutation(n) % FOLDS, rng.permutation(m) % FOLDS])
    for number in range(FOLDS):
        yield fold == number


def _design(features: Float) -> Float:
    return np.column_stack([np.ones(len(features)), features, features**2 - 1.0])


def _fit(features: Float, truth: Float) -> Float:
    """Return weights that minimise the class-balanced logistic loss with a ridge penalty, by Newton's method."""
    design = _design(features)
    balance = np.where(truth > 0, 0.5 / truth.mean(), 0.5 / (1.0 - truth.mean()))
    penalty = np.full(design.shape[1], _PENALTY)
    penalty[0] = 1e-6
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30.0, 30.0)))
        gradient = design.T @ (balance * (chance - truth)) + penalty * weights
        curvature = (design * (balance * chance * (1.0 - chance))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights
