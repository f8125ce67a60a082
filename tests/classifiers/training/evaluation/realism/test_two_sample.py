"""Two-sample tests: blind to samples of one distribution, keen on shifts and spreads, right beside scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from classifiers.training.evaluation.realism.two_sample import area, auroc, kolmogorov_smirnov, standardised


def test_samples_of_one_distribution_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(1)
    found = auroc(rng.standard_normal((150, 8)), rng.standard_normal((400, 8)))
    assert found.interval[0] < 0.5 < found.interval[1]
    assert (found.real, found.simulated) == (150, 400)


def test_a_shift_in_one_feature_of_many_is_seen() -> None:
    rng = np.random.default_rng(2)
    real, simulated = rng.standard_normal((150, 8)), rng.standard_normal((400, 8))
    real[:, 3] += 2.0
    found = auroc(real, simulated)
    assert found.value > 0.85
    assert found.interval[0] > 0.8


def test_another_spread_is_seen_though_the_means_agree() -> None:
    rng = np.random.default_rng(3)
    assert auroc(3.0 * rng.standard_normal((200, 2)), rng.standard_normal((400, 2))).value > 0.75


def test_missing_values_constant_columns_and_empty_columns_do_no_harm() -> None:
    rng = np.random.default_rng(4)
    real, simulated = rng.standard_normal((60, 4)), rng.standard_normal((90, 4))
    real[::3, 0] = np.nan
    for sample in (real, simulated):
        sample[:, 1], sample[:, 2] = np.nan, 7.0
    assert np.isfinite(standardised(np.concatenate([real, simulated]))).all()
    assert 0.2 < auroc(real, simulated).value < 0.8


def test_the_same_samples_give_the_same_area() -> None:
    rng = np.random.default_rng(5)
    samples = rng.standard_normal((50, 3)), rng.standard_normal((70, 3))
    assert auroc(*samples) == auroc(*samples)


def test_area_is_the_chance_that_a_positive_scores_above_a_negative() -> None:
    found = area(np.array([2.0, 3.0, 1.0]), np.array([0.0, 1.0]))
    assert found.value == pytest.approx(5.5 / 6)
    assert found.interval[0] < found.value <= found.interval[1] <= 1.0


def test_kolmogorov_smirnov_agrees_with_scipy() -> None:
    rng = np.random.default_rng(6)
    for shift in (0.0, 0.2, 0.6):
        first, second = rng.standard_normal(120), rng.standard_normal(300) + shift
        statistic, p_value = kolmogorov_smirnov(np.append(first, np.nan), second)
        reference = ks_2samp(first, second, method="asymp")
        assert statistic == pytest.approx(reference.statistic)
        assert p_value == pytest.approx(reference.pvalue, abs=0.05)


def test_an_empty_sample_has_no_statistic() -> None:
    assert np.isnan(kolmogorov_smirnov(np.zeros(0), np.ones(4))).all()
