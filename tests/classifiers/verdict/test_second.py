"""A second redshift in a verdict: before the other solutions, with what the network made of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.verdict.measured import Measured
from classifiers.verdict.redshift import with_second

NAMES = ("GALAXY_AGN", "GALAXY_nan", "QSO_BROADLINE", "QSO_nan", "STAR_A0")
Found = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]


def solutions() -> Found:
    return (
        np.array([[0, 2, -1], [0, 2, 3]]),
        np.array([[0.5, 1.2, np.nan], [0.5, 1.2, 2.0]]),
        np.array([[0.2, 0.1, np.nan], [0.2, 0.1, 0.05]]),
    )


def measured(redshift: float, *, quasar: bool) -> Measured:
    result = Measured.nothing(2, len(NAMES), ())
    result.second_redshift[:], result.second_quasar[:] = redshift, quasar
    return result


def test_one_that_the_network_named_moves_up_with_its_class_and_probability() -> None:
    found = solutions()
    with_second(found, measured(1.201, quasar=False), np.array([0, 1]), NAMES)
    assert found[0].tolist() == [[2, 0, -1], [2, 0, 3]]
    np.testing.assert_array_equal(found[1], [[1.2, 0.5, np.nan], [1.2, 0.5, 2.0]])
    np.testing.assert_array_equal(found[2], [[0.1, 0.2, np.nan], [0.1, 0.2, 0.05]])


@pytest.mark.parametrize(("quasar", "plain"), [(False, 1), (True, 3)])
def test_another_comes_first_as_the_plain_class_and_without_a_probability(quasar: bool, plain: int) -> None:
    found = solutions()
    with_second(found, measured(0.8, quasar=quasar), np.array([0, 1]), NAMES)
    assert found[0].tolist() == [[plain, 0, 2], [plain, 0, 2]]
    np.testing.assert_array_equal(found[1], [[0.8, 0.5, 1.2]] * 2)
    np.testing.assert_array_equal(found[2], [[0.0, 0.2, 0.1]] * 2)


def test_rows_without_one_and_lists_of_no_length_stay_as_they_are() -> None:
    found = solutions()
    with_second(found, measured(0.8, quasar=True), np.array([1]), NAMES)
    np.testing.assert_array_equal(found[1][0], solutions()[1][0])
    none = np.zeros((2, 0), np.int64), np.zeros((2, 0)), np.zeros((2, 0))
    with_second(none, measured(0.8, quasar=True), np.array([0, 1]), NAMES)
    assert none[1].shape == (2, 0)
