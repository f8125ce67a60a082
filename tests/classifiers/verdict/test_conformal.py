"""Conformal p-values and the rank that holds a rate, against scipy and by simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc

from classifiers.verdict.calibrate import tail_table
from classifiers.verdict.conformal import conformal_rank, fisher, flag_threshold, p_values, smallest_sample


@pytest.fixture(scope="module")
def stats() -> Any:
    """Return scipy's statistics, which take long to import: not while tests are collected."""
    from scipy import stats

    return stats


def test_the_rank_for_ten_thousand_at_one_per_cent_is_78() -> None:
    assert conformal_rank(10_000, 0.01, 0.99) == 78


@given(n=st.integers(1, 30_000), alpha=st.floats(1e-4, 0.4), confidence=st.floats(0.5, 0.999))
@settings(deadline=None, max_examples=80)
def test_the_rank_is_the_largest_that_the_beta_distribution_allows(n: int, alpha: float, confidence: float) -> None:
    rank = conformal_rank(n, alpha, confidence)
    assert rank == 0 or betainc(rank, n + 1 - rank, alpha) >= confidence - 1e-9
    assert rank == n or betainc(rank + 1, n - rank, alpha) < confidence + 1e-9


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.001])
def test_the_smallest_sample_is_the_first_with_a_rank(alpha: float) -> None:
    n = smallest_sample(alpha)
    assert (conformal_rank(n - 1, alpha), conformal_rank(n, alpha)) == (0, 1)


def test_p_values_are_exact_in_the_tail_and_never_too_small_below() -> None:
    rng = np.random.default_rng(0)
    calibration, fresh = rng.standard_normal(5000), rng.standard_normal(3000)
    exact = ((calibration[None] >= fresh[:, None]).sum(axis=1) + 1) / 5001
    p = p_values(tail_table(calibration), fresh)
    tail = exact <= 0.05
    np.testing.assert_array_equal(p[tail], exact[tail])
    assert (p >= exact).all()
    assert (p - exact).max() < 0.01


def test_p_values_fall_as_scores_rise_and_end_at_the_rule_of_n_plus_one() -> None:
    table = tail_table(np.random.default_rng(1).standard_normal(999))
    p = p_values(table, np.linspace(-10, 10, 2001))
    assert (np.diff(p) <= 0).all()
    assert p[0] == 1.0
    assert p[-1] == pytest.approx(1 / 1000)
    assert np.isnan(p_values(table, np.array([np.nan]))).all()


def test_ties_make_p_values_larger_never_smaller() -> None:
    table = tail_table(np.array([1.0, 1.0, 2.0, 2.0, 2.0]))
    np.testing.assert_allclose(p_values(table, np.array([0.5, 1.0, 1.5, 2.0, 3.0])) * 6, [6, 6, 5, 4, 1])


def test_the_declared_rate_holds_with_the_declared_confidence(stats: Any) -> None:
    rng = np.random.default_rng(5)
    n, alpha, confidence, trials = 2000, 0.02, 0.9, 400
    threshold = flag_threshold(n, alpha, confidence)
    rates = []
    for _ in range(trials):
        table = tail_table(rng.random(n), tail=0.1)
        border = table.arrays[0][p_values(table, table.arrays[0]) > threshold].max()
        rates.append(1.0 - border)  # scores are uniform: the true flag rate is what lies above the border
    held = np.mean(np.array(rates) <= alpha)
    assert stats.binomtest(int(held * trials), trials, confidence).proportion_ci(0.999).high >= confidence
    assert np.mean(rates) > 0.6 * alpha


def test_fishers_combination_of_uniform_p_values_is_chi_square_with_four_degrees(stats: Any) -> None:
    rng = np.random.default_rng(2)
    combined = fisher(rng.random(4000), rng.random(4000))
    assert stats.kstest(combined, stats.chi2(4).cdf).pvalue > 0.01
