"""The constants of the star room are what simulated stars say."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.stars.evidence import type_shares
from classifiers.stars.measure import ZERO_POINT_KM_S
from classifiers.training.samples import draw_samples
from classifiers.training.simulation.simulator import Simulator
from classifiers.training.star_types import Evidence, Worth, fitted, zero_points


def made_up(n: int, seed: int) -> Evidence:
    """Return evidence in which network and templates are each right on half of what the other gets wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 7, n)
    near = np.exp(-0.5 * (np.arange(7) - truth[:, None] - 0.8 * rng.standard_normal((n, 1))) ** 2)
    misfit = 40.0 * np.abs(np.arange(7) - truth[:, None] - 0.6 * rng.standard_normal((n, 1)))
    return Evidence(near / near.sum(axis=1, keepdims=True), misfit - misfit.min(axis=1, keepdims=True), truth)


def test_both_together_are_worth_more_than_either() -> None:
    known, held_out = made_up(3000, 1), made_up(3000, 2)
    power, temperature = fitted(known)
    assert power > 0
    assert np.isfinite(temperature)

    def nll(power: float, temperature: float) -> float:
        shares = type_shares(held_out.network, held_out.misfit, power, temperature)
        return Worth.of(shares, held_out.truth).nll

    assert nll(power, temperature) < min(nll(1.0, np.inf), nll(0.0, temperature)) - 0.05


def test_worth_counts_right_and_next_to_right() -> None:
    shares = np.eye(7)[[0, 1, 3]] * 0.94 + 0.01
    worth = Worth.of(shares / shares.sum(axis=1, keepdims=True), np.array([0, 2, 6]))
    assert worth.right == pytest.approx(1 / 3)
    assert worth.near == pytest.approx(2 / 3)


@pytest.mark.slow
def test_zero_points_that_ship_are_those_of_simulated_stars() -> None:
    found = zero_points(draw_samples(Simulator.load(), 3072, seed=5, kinds={"STAR": 1.0}))
    assert found.keys() == ZERO_POINT_KM_S.keys()
    for name, value in found.items():
        assert value == pytest.approx(ZERO_POINT_KM_S[name], abs=3.0), name
