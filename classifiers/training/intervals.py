"""Exact binomial intervals (Clopper & Pearson 1934, Biometrika 26, 404), without scipy."""

from __future__ import annotations

import math
from collections.abc import Callable


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a binomial proportion.

    Args:
        successes: 0 .. n.
        n: number of trials; 0 gives (0, 1).
        confidence: coverage.

    Raises:
        ValueError: successes outside 0 .. n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes: expected 0 .. {n}, got {successes}")
    tail = 0.5 * (1.0 - confidence)
    low = 0.0 if successes == 0 else _solve(lambda p: 1.0 - _cumulative(successes - 1, n, p) - tail)
    high = 1.0 if successes == n else _solve(lambda p: tail - _cumulative(successes, n, p))
    return low, high


def _cumulative(successes: int, n: int, p: float) -> float:
    """P(X <= successes) of a binomial distribution, 0 < p < 1."""
    log_p, log_q = math.log(p), math.log1p(-p)
    log_n = math.lgamma(n + 1)
    terms = (
        math.exp(log_n - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * log_p + (n - k) * log_q)
        for k in range(successes + 1)
    )
    return min(1.0, math.fsum(terms))


def _solve(rising: Callable[[float], float]) -> float:
    """Return the root of a rising function on (0, 1) by bisection."""
    low, high = 1e-12, 1.0 - 1e-12
    for _ in range(60):
        middle = 0.5 * (low + high)
        if rising(middle) > 0:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)
