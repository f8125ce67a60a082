"""Other solutions where a measurement has taken one of them: what is published is never among its own alternatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from classifiers.verdict.redshift import with_abandoned

QSO, GALAXY = 4, 1


def abandoned(own: float, published: float, classes: tuple[int, ...] = (GALAXY, QSO, -1)) -> Any:
    """Return alternatives and margin of one object, to whose family the network gives 0.9."""
    found = (
        np.array([classes]),
        np.array([[0.30, 0.883, np.nan]]),
        np.array([[0.05, 0.2, np.nan]]),
    )
    alike = np.array([classes]) == QSO
    margin = with_abandoned(found, np.array([own]), np.array([published]), np.array([0.4]), np.array([0.9]), alike)
    return found, float(margin[0])


def test_the_networks_own_redshift_takes_the_place_of_the_alternative_that_is_published() -> None:
    """With its probability, 0.2 and 0.4 of 0.9 more, and a margin that says that the network preferred it."""
    (chosen, redshift, probability), margin = abandoned(own=1.778, published=0.875)
    assert chosen.tolist() == [[GALAXY, QSO, -1]]
    assert redshift[0, :2].tolist() == [0.30, 1.778]
    assert probability[0, :2] == pytest.approx([0.05, 0.56])
    assert margin == -0.4


@pytest.mark.parametrize(
    ("own", "published", "classes"),
    [
        (1.778, 1.770, (GALAXY, QSO, -1)),  # refined
        (0.880, 0.8805, (GALAXY, QSO, -1)),  # two of the network's that are next to each other
        (1.778, np.nan, (GALAXY, QSO, -1)),  # a star
        (1.778, 0.875, (GALAXY, GALAXY, -1)),  # none of the family
    ],
)
def test_nothing_changes_where_no_alternative_was_taken(own: float, published: float, classes: Any) -> None:
    (_, redshift, probability), margin = abandoned(own, published, classes)
    assert redshift[0, :2].tolist() == [0.30, 0.883]
    assert probability[0, :2].tolist() == [0.05, 0.2]
    assert margin == 0.4


def test_without_alternatives_the_margin_stays() -> None:
    nothing = np.zeros((2, 0), np.int64), np.zeros((2, 0)), np.zeros((2, 0))
    margin = np.array([0.3, 0.2])
    same = np.ones(2)
    assert with_abandoned(nothing, same, same * 2, margin, same, np.zeros((2, 0), np.bool_)).tolist() == [0.3, 0.2]
