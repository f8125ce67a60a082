"""Shares in bins, histograms and curves of detection, against counts worked by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from classifiers.training.evaluation.binned import (
    area_interval,
    area_under,
    binned_share,
    by_snr,
    histogram,
    operating_curve,
    spread,
)

SCORES = st.lists(st.integers(0, 20), min_size=1, max_size=30).map(lambda values: np.array(values, float))


def test_a_bin_holds_its_lower_edge_and_an_empty_bin_is_left_out() -> None:
    x = np.array([0.0, 1.0, 1.5, 5.0, np.nan])
    curve = binned_share("c", x, np.array([True, True, False, True, True]), (0.0, 1.0, 2.0, 3.0))
    assert list(curve.x) == [0.5, 1.5]
    assert list(curve.y) == [1.0, 0.5]
    assert list(curve.n) == [1, 2]
    assert curve.low[1] == pytest.approx(0.0126, abs=1e-4)


def test_thin_bins_are_joined_with_the_next_and_the_last_with_the_one_before() -> None:
    x = np.array([0.5, 1.5, 1.6, 2.5, 2.6, 3.5])
    curve = binned_share("c", x, np.ones(6, bool), (0.0, 1.0, 2.0, 3.0, 4.0), fewest=2)
    assert list(curve.n) == [3, 3]
    assert list(curve.x) == [1.0, 3.0]
    alone = binned_share("c", np.array([2.5]), np.ones(1, bool), (0.0, 1.0, 2.0, 3.0), fewest=9)
    assert list(alone.n) == [1]
    assert list(binned_share("c", np.zeros(0), np.ones(0, bool), (0.0, 1.0), fewest=3).n) == []


def test_points_stand_among_what_is_in_the_bin_however_wide_joining_made_it() -> None:
    """Fourteen near galaxies, and a bin that reaches to where there are none: not at the middle of its edges."""
    redshift = np.linspace(0.10, 0.68, 14)
    edges = (0.0, 0.8, 4.5)
    curve = binned_share("c", redshift, np.ones(14, bool), edges, place="mean", fewest=20)
    assert (list(curve.n), list(curve.x)) == ([14], [pytest.approx(0.39)])
    few = by_snr("c", np.array([1.0, 2.0, 4.0, 8.0, 16.0]), np.ones(5, bool))
    assert (list(few.n), list(few.x)) == ([5], [pytest.approx(4.0)])


@given(st.lists(st.floats(0.0, 3.9), max_size=40), st.integers(1, 9))
def test_joining_bins_loses_nothing(values: list[float], fewest: int) -> None:
    x = np.array(values)
    curve = binned_share("c", x, np.ones(x.size, bool), (0.0, 1.0, 2.0, 3.0, 4.0), fewest=fewest)
    assert sum(curve.n) == x.size
    assert all(n >= fewest for n in curve.n) or len(curve.n) == 1


def test_a_histogram_has_area_one_and_puts_what_is_beyond_its_edges_in_the_last_bins() -> None:
    edges = np.linspace(-1.0, 1.0, 5)
    curve = histogram("h", np.array([-9.0, 0.1, 0.2, 9.0, np.nan]), edges)
    assert list(curve.n) == [1, 0, 2, 1]
    assert sum(np.array(curve.y) * np.diff(edges)) == pytest.approx(1.0)


def test_the_spread_of_normal_values_is_their_standard_deviation() -> None:
    assert spread(3.0 * np.random.default_rng(1).standard_normal(20_000)) == pytest.approx(3.0, rel=0.03)
    assert np.isnan(spread(np.zeros(0)))
    assert np.isnan(spread(np.ones(1)))


@given(SCORES, SCORES)
def test_the_area_is_the_rank_statistic_and_the_curve_ends_at_one(known: np.ndarray, outlier: np.ndarray) -> None:
    expected = mannwhitneyu(outlier, known).statistic / (known.size * outlier.size)
    assert area_under(known, outlier) == pytest.approx(expected)
    curve = operating_curve("c", known, outlier)
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert np.all(np.diff(curve.x) >= 0)
    assert np.all(np.diff(curve.y) >= 0)
    assert float(np.trapezoid(curve.y, curve.x)) == pytest.approx(expected)


def test_the_interval_of_an_area_holds_the_true_one_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    true = 0.8556  # Phi(1.5 / sqrt 2): two normal distributions that are 1.5 apart
    held = 0
    for _ in range(200):
        low, high = area_interval(area_under(rng.normal(size=200), rng.normal(1.5, size=60)), 60, 200)
        held += low <= true <= high
    assert held >= 178
    assert area_interval(1.0, 5, 5) == (1.0, 1.0)
