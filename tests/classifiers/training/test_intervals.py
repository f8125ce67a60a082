"""Exact binomial intervals and Poisson limits against scipy's quantiles."""

from __future__ import annotations

import pytest
from scipy.special import betaincinv, gammaincinv

from classifiers.training.intervals import clopper_pearson, poisson_upper


@pytest.mark.parametrize(
    ("successes", "n"),
    [(0, 10), (10, 10), (1, 1), (1, 25), (234, 236), (341, 427), (4, 363), (640, 64_512), (40_000, 64_512)],
)
def test_intervals_equal_beta_quantiles(successes: int, n: int) -> None:
    low, high = clopper_pearson(successes, n)
    assert low == pytest.approx(0.0 if successes == 0 else betaincinv(successes, n - successes + 1, 0.025), abs=1e-9)
    assert high == pytest.approx(1.0 if successes == n else betaincinv(successes + 1, n - successes, 0.975), abs=1e-9)


def test_no_trials_say_nothing() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="got 5"):
        clopper_pearson(5, 4)


@pytest.mark.parametrize("count", [0, 1, 3, 59, 1990, 60_000])
def test_poisson_limits_equal_gamma_quantiles(count: int) -> None:
    assert poisson_upper(count) == pytest.approx(gammaincinv(count + 1, 0.95), rel=1e-9)


def test_fewer_than_none_are_refused() -> None:
    with pytest.raises(ValueError, match="got -1"):
        poisson_upper(-1)
