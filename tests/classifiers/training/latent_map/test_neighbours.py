"""Neighbourhoods kept and lost, against the definition point by point and against maps whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.training.latent_map.neighbours import continuity, nearest, trustworthiness

RNG = np.random.default_rng(4)


def by_definition(space: NDArray[Any], shown: NDArray[Any], k: int) -> float:
    """Return trustworthiness as Venna & Kaski write it: a sum over points and over what joined their neighbourhood."""
    n = len(space)
    order = [np.argsort(np.linalg.norm(space - point, axis=1)) for point in space]
    place = [np.argsort(np.linalg.norm(shown - point, axis=1)) for point in shown]
    total = 0
    for i in range(n):
        neighbours = set(order[i][1 : k + 1].tolist())
        for j in place[i][1 : k + 1].tolist():
            if j not in neighbours:
                total += order[i].tolist().index(j) - k
    return 1.0 - 2.0 / (n * k * (2 * n - 3 * k - 1)) * total


@pytest.mark.parametrize("k", [1, 4, 9])
def test_the_measures_are_those_of_the_definition(k: int) -> None:
    space, shown = RNG.normal(size=(40, 5)), RNG.normal(size=(40, 2))
    assert trustworthiness(space, shown, k) == pytest.approx(by_definition(space, shown, k))
    assert continuity(space, shown, k) == pytest.approx(by_definition(shown, space, k))


def test_a_map_that_is_only_turned_and_scaled_keeps_every_neighbour() -> None:
    space = RNG.normal(size=(300, 2))
    shown = 3.0 * space @ np.array([[0.0, 1.0], [1.0, 0.0]]) + 7.0
    assert trustworthiness(space, shown, 10) == 1.0
    assert continuity(space, shown, 10) == 1.0


def test_a_map_at_random_is_worth_a_half() -> None:
    space, shown = RNG.normal(size=(500, 6)), RNG.normal(size=(500, 2))
    assert trustworthiness(space, shown, 15) == pytest.approx(0.5, abs=0.05)


def test_a_map_that_folds_cannot_be_trusted_though_it_is_continuous() -> None:
    """Two sheets far apart fall onto each other: false neighbours, but no neighbour lost."""
    sheet = RNG.uniform(size=(200, 2))
    space = np.concatenate([np.column_stack([sheet, np.full(200, height)]) for height in (0.0, 50.0)])
    folded = space[:, :2]
    assert trustworthiness(space, folded, 8) < 0.8
    assert continuity(space, folded, 8) > 0.95


def test_the_nearest_are_the_nearest_in_their_order() -> None:
    """More points than one block; no point is its own neighbour."""
    points = RNG.normal(size=(1300, 3))
    found = nearest(points, 5)
    for row in (0, 700, 1299):
        distance = np.linalg.norm(points - points[row], axis=1)
        assert found[row].tolist() == np.argsort(distance)[1:6].tolist()


@pytest.mark.parametrize("k", [0, 10, 40])
def test_a_neighbourhood_that_is_no_part_of_the_points_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match="neighbourhoods"):
        trustworthiness(np.zeros((20, 3)), np.zeros((20, 2)), k)
