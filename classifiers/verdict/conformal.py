"""Split-conformal p-values and the rank that holds a declared rate with confidence.

A p-value is (1 + number of calibration scores at or above) / (n + 1), Vovk et al. (2005); it is super-uniform for
objects exchangeable with the calibration sample. Flagging p <= r / (n + 1) means: the score is above the r-th largest
calibration score. Given the calibration sample, the rate of that is Beta(r, n + 1 - r) distributed, so Bates et al.
(2021, arXiv:2104.08279, section 3: conditional calibration) choose r so that P(Beta(r, n + 1 - r) <= alpha) is at least
the confidence. P(Beta(r, n + 1 - r) <= alpha) = P(Binomial(n, alpha) >= r), which is summed here term by term.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import TailTable


def conformal_rank(n: int, alpha: float, confidence: float = 0.99) -> int:
    """Return the largest rank r whose flag rate is at most ``alpha`` with ``confidence``; 0 when n is too small.

    Args:
        n: size of the calibration sample.
        alpha: rate to hold, in (0, 1).
        confidence: probability over calibration samples that it is held.
    """
    if alpha <= 0:
        return 0
    most = min(n, math.ceil(n * alpha) + 1)
    i = np.arange(most)  # P(X = i), X ~ Binomial(n, alpha), by its recurrence in logarithms
    steps = np.log((n - i) / (i + 1.0)) + math.log(alpha) - math.log1p(-alpha)
    log_pmf = n * math.log1p(-alpha) + np.concatenate([[0.0], np.cumsum(steps[:-1])])
    below = np.cumsum(np.exp(log_pmf))  # below[r - 1] = P(X <= r - 1) = 1 - P(X >= r)
    return int(np.count_nonzero(below <= 1.0 - confidence))


def smallest_sample(alpha: float, confidence: float = 0.99) -> int:
    """Return the smallest calibration sample that can hold the rate at all: (1 - alpha)^n <= 1 - confidence."""
    return math.ceil(math.log(1.0 - confidence) / math.log1p(-alpha))


def p_values(table: TailTable, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return conformal p-values: (n,) float64 in (0, 1], decreasing in the score; NaN where the score is NaN.

    They are exact in the table's tail and, between knots or at ties, never smaller than exact ones.
    """
    knots, at_or_above = table.arrays
    place = np.searchsorted(knots, scores, side="right") - 1  # last knot at or below the score
    place = np.maximum(place, 0)
    # at a knot its own count; beyond it one less at least, which is exact in the tail, where every score is a knot
    counts = at_or_above[place] - (scores > knots[place])
    counts[scores > knots[-1]] = 0
    return np.where(np.isnan(scores), np.nan, (counts + 1.0) / (table.n + 1.0))


def flag_threshold(n: int, alpha: float, confidence: float) -> float:
    """Return the p-value at or below which an object is flagged; 0 (never) when n is too small."""
    return conformal_rank(n, alpha, confidence) / (n + 1.0)


def fisher(one: NDArray[np.float64], two: NDArray[np.float64], weight: float = 1.0) -> NDArray[np.float64]:
    """Return -2 (ln p1 + weight ln p2): larger = more novel.

    Fisher's (1932, section 21.1) combination of p-values, weighted as by Good (1955, JRSS B 17, 264).
    """
    return np.asarray(-2.0 * (np.log(one) + weight * np.log(two)), dtype=np.float64)
