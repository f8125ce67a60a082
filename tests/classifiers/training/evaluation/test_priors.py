"""Prior correction and purity at a prior, against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.training.evaluation.priors import PRIORS, class_prior, purity, reweighted

SHARES = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3).map(lambda values: np.array(values) / sum(values))


def test_correction_multiplies_by_the_ratio_of_the_priors() -> None:
    found = reweighted(np.array([[0.5, 0.5]]), np.array([0.5, 0.5]), np.array([0.9, 0.1]))
    np.testing.assert_allclose(found, [[0.9, 0.1]])
    found = reweighted(np.array([[0.8, 0.2]]), np.array([0.8, 0.2]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(found, [[0.5, 0.5]])


@given(SHARES, SHARES, SHARES)
def test_the_way_to_another_prior_and_back_changes_nothing(one: np.ndarray, two: np.ndarray, p: np.ndarray) -> None:
    there = reweighted(p[None, :], one, two)
    assert there.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(reweighted(there, two, one), p[None, :], rtol=1e-9)


def test_rare_contaminants_of_a_common_class_ruin_the_purity_of_a_rare_one() -> None:
    # 100 of 100 quasars and 1 of 100 stars are called quasar; quasars are 1 % of the targets
    found = purity(np.array([0.01, 0.99]), np.array([100, 1]), np.array([100, 100]), 0)
    assert found.value == pytest.approx(0.01 / (0.01 + 0.0099))
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]
    assert found.n == 200


def test_a_prior_over_groups_is_split_over_classes_as_in_training() -> None:
    trained = np.full(13, 1.0 / 13.0)
    for prior in PRIORS:
        fine = class_prior(prior, trained)
        assert fine.sum() == pytest.approx(1.0)
        assert fine[:4].sum() == pytest.approx(prior.shares[0])
        assert fine[6:].sum() == pytest.approx(prior.shares[2])
