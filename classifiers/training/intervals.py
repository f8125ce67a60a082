"""Exact binomial intervals (Clopper & Pearson 1934, Biometrika 26, 404) and Poisson limits, without scipy."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

_CLOSE, _TINY = 1e-14, 1e-300
"""Relative change of a continued fraction that ends it, and what stands for a zero in it."""


@lru_cache(maxsize=16_384)
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
    low = 0.0 if successes == 0 else _solve(lambda p: _at_least(successes, n, p) - tail)
    high = 1.0 if successes == n else _solve(lambda p: _at_least(successes + 1, n, p) - (1.0 - tail))
    return low, high


@lru_cache(maxsize=16_384)
def poisson_upper(count: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided upper limit of a Poisson mean when ``count`` were seen (Gehrels 1986, ApJ 303, 336).

    Raises:
        ValueError: count is negative.
    """
    if count < 0:
        raise ValueError(f"count: expected at least 0, got {count}")
    low, high = float(count), count + 10.0 * math.sqrt(count + 1.0) + 10.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if _at_most(count, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _at_most(count: int, mean: float) -> float:
    """P(X <= count) of a Poisson distribution with a mean of at least ``count``: its terms, largest first."""
    term = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1)) if mean > 0 else 1.0
    total, left = term, count
    while left and term > _CLOSE * total:
        term *= left / mean
        total += term
        left -= 1
    return total


def _at_least(successes: int, n: int, p: float) -> float:
    """P(X >= successes) of a binomial distribution, 0 < p < 1 and 0 < successes <= n.

    It is the regularised incomplete beta function I_p(successes, n - successes + 1) (DLMF 8.17.5), whose continued
    fraction is short below its mean; above it the other tail is taken (DLMF 8.17.4).
    """
    a, b = successes, n - successes + 1
    if p * (a + b + 2) > a + 1:
        return 1.0 - _incomplete_beta(b, a, 1.0 - p)
    return _incomplete_beta(a, b, p)


def _incomplete_beta(a: int, b: int, x: float) -> float:
    """I_x(a, b) by the continued fraction DLMF 8.17.22, evaluated with Lentz's algorithm (DLMF 3.10.iii)."""
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / a
    fraction, above, below, change, step = 1.0, 1.0, 0.0, math.inf, 0
    while abs(change - 1.0) > _CLOSE:  # it ends: the term of step 2 b is 0
        step += 1
        m, odd = divmod(step, 2)
        if odd:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        below = 1.0 / (1.0 + term * below or _TINY)
        above = 1.0 + term / above or _TINY
        change = above * below
        fraction *= change
    return front / fraction


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
