"""Shares in bins, histograms and curves of detection, against counts worked by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from classifiers.training.evaluation.binned import area_under, binned_share, histogram, operating_curve, spread

SCORES = st.lists(st.integers(0, 20), min_size=1, max_size=30).map(lambda values: np.array(values, float))


def test_a_bin_holds_its_lower_edge_and_an_empty_bin_is_left_out() -> None:
    x = np.array([0.0, 1.0, 1.5, 5.0, np.nan])
    curve = binned_share("c", x, np.array([True, True, False, True, True]), (0.0, 1.0, 2.0, 3.0))
    assert list(curve.x) == [0.5, 1.5]
    assert list(curve.y) == [1.0, 0.5]
    assert list(curve.n) == [1, 2]
    assert curve.low[1] == pytest.approx(0.0126, abs=1e-4)


def test_a_histogram_has_area_one_and_puts_what_is_beyond_its_edges_in_the_last_bins() -> None:
    edges = np.linspace(-1.0, 1.0, 5)
    curve = histogram("h", np.array([-9.0, 0.1, 0.2, 9.0, np.nan]), edges)
    assert list(curve.n) == [1, 0, 2, 1]
    assert sum(np.array(curve.y) * np.diff(edges)) == pytest.approx(1.0)


def test_the_spread_of_normal_values_is_their_standard_deviation() -> None:
    assert spread(3.0 * np.random.default_rng(1).standard_normal(20_000)) == pytest.approx(3.0, rel=0.03)
    assert np.isnan(spread(np.zeros(0)))


@given(SCORES, SCORES)
def test_the_area_is_the_rank_statistic_and_the_curve_ends_at_one(known: np.ndarray, outlier: np.ndarray) -> None:
    expected = mannwhitneyu(outlier, known).statistic / (known.size * outlier.size)
    assert area_under(known, outlier) == pytest.approx(expected)
    curve = operating_curve("c", known, outlier)
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert np.all(np.diff(curve.x) >= 0)
    assert np.all(np.diff(curve.y) >= 0)
    assert float(np.trapezoid(curve.y, curve.x)) == pytest.approx(expected)
