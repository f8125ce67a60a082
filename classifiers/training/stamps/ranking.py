"""Measures of order: area under the receiver operating characteristic with its interval, and rank correlation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""


def auroc(negative: NDArray[np.float64], positive: NDArray[np.float64]) -> float:
    """Return the probability that a positive scores above a negative, ties half (Hanley & McNeil 1982)."""
    ranked = np.sort(negative)
    below = np.searchsorted(ranked, positive, side="left")
    upto = np.searchsorted(ranked, positive, side="right")
    return float((below + upto).sum() / (2.0 * len(negative) * len(positive)))


def auroc_interval(value: float, n_negative: int, n_positive: int) -> tuple[float, float]:
    """Return the 95 % interval of an AUROC (Hanley & McNeil 1982, Radiology 143, 29, eqs. 1 and 2), cut at 0 and 1."""
    both_positive, both_negative = value / (2 - value), 2 * value * value / (1 + value)
    variance = value * (1 - value) + (n_positive - 1) * (both_positive - value * value)
    variance += (n_negative - 1) * (both_negative - value * value)
    error = Z_95 * float(np.sqrt(max(variance, 0.0) / (n_negative * n_positive)))
    return max(0.0, value - error), min(1.0, value + error)


def rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Return Spearman's rank correlation with mean ranks for ties, None where one of them is constant."""
    rank_a, rank_b = _ranks(a), _ranks(b)
    if len(a) < 2 or np.ptp(rank_a) == 0 or np.ptp(rank_b) == 0:
        return None
    return float(np.corrcoef(rank_a, rank_b)[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(values)
    low, high = np.searchsorted(ordered, values, side="left"), np.searchsorted(ordered, values, side="right")
    return (low + high - 1) / 2.0
