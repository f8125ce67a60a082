"""The similarity between two sets of places: found where there is one, the closest where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.training.latent_map.procrustes import similarity

RNG = np.random.default_rng(6)
ANGLE = 0.7
ROTATION = np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])
MIRROR = np.array([[1.0, 0.0], [0.0, -1.0]])


@pytest.mark.parametrize("turn", [ROTATION, ROTATION @ MIRROR])
def test_a_turned_mirrored_scaled_and_shifted_map_is_brought_back(turn: np.ndarray) -> None:
    reference = RNG.normal(size=(20, 2))
    places = 4.0 * reference @ turn + np.array([10.0, -3.0])
    found = similarity(places, reference)
    np.testing.assert_allclose(found(places), reference, atol=1e-12)
    np.testing.assert_allclose(found.turn @ found.turn.T, np.eye(2) / 16.0, atol=1e-12)


def test_no_other_similarity_is_closer() -> None:
    places, reference = RNG.normal(size=(30, 2)), RNG.normal(size=(30, 2))
    best = similarity(places, reference)
    least = ((best(places) - reference) ** 2).sum()
    for _ in range(200):
        turn = best.turn @ (np.eye(2) + 0.05 * RNG.normal() * np.array([[0.0, -1.0], [1.0, 0.0]]))
        turn, offset = turn * (1 + 0.05 * RNG.normal()), best.offset + 0.05 * RNG.normal(size=2)
        assert ((places @ turn + offset - reference) ** 2).sum() >= least - 1e-9


def test_a_place_without_weight_has_no_say() -> None:
    reference = RNG.normal(size=(10, 2))
    places = reference @ ROTATION
    places[3] += 100.0
    weights = np.ones(10)
    weights[3] = 0.0
    kept = np.arange(10) != 3
    np.testing.assert_allclose(similarity(places, reference, weights)(places)[kept], reference[kept], atol=1e-12)
