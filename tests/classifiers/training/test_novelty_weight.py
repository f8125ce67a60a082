"""What the VAE's p-value should weigh: the measurement, on p-values that are known and on a few simulations."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.loaded import load_engines
from classifiers.suite import MODELS
from classifiers.training.novelty_weight import RATE, WRONG, chosen, p_values_of, shares, table
from classifiers.training.simulation.instruments import INSTRUMENTS
from classifiers.training.simulation.simulator import Simulator


def test_what_one_of_two_p_values_tells_is_found_best_where_that_one_weighs_most() -> None:
    rng = np.random.default_rng(1)
    known, same = (tuple(rng.random((2, 40_000))) for _ in range(2))
    strange = rng.random(4000), rng.random(4000) ** 12
    assert shares(known, same, (0.5, 2.0)) == pytest.approx([RATE, RATE], abs=0.002)
    by_weight = shares(known, strange, (0.1, 1.0, 10.0))
    assert by_weight[0] < by_weight[1] < by_weight[2]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_simulation_differs_from_the_right_one(name: str) -> None:
    assert all(WRONG[name](entry) != entry for entry in INSTRUMENTS if entry.weight > 0)


def test_p_values_of_known_objects_are_spread_evenly_and_those_of_outliers_are_small() -> None:
    engines, simulator = load_engines([MODELS / "spectral-classifier", MODELS / "spectral-anomaly"]), Simulator.load()
    known = p_values_of(engines, simulator, 1024, 5, {"GALAXY": 1.0, "STAR": 1.0})
    outliers = p_values_of(engines, simulator, 512, 6, {"NOVEL": 1.0})
    for energy in (known[0], outliers[0]):
        assert ((energy > 0) & (energy <= 1)).all()
    assert 0.2 < np.median(known[0]) < 0.8
    assert np.median(outliers[0]) < 0.01
    assert np.median(outliers[1]) < 0.2
    again = p_values_of(engines, simulator, 512, 6, {"NOVEL": 1.0})
    np.testing.assert_array_equal(again, outliers)


def test_the_table_has_a_row_for_each_wrong_simulation() -> None:
    lines = table(512, 256, (1.0, 2.0)).splitlines()
    assert [line[:26].strip() for line in lines] == [
        "weight", "outliers", *WRONG, "mean of the wrong", "worst of the wrong", "chosen",
    ]  # fmt: skip
    values = np.array([[float(value) for value in line[26:].split()] for line in lines[:-1]])
    assert float(lines[-1][26:]) in {1.0, 2.0}
    assert values.shape == (len(WRONG) + 4, 2)
    np.testing.assert_allclose(values[-1], values[2:-2].max(axis=0))


def test_the_chosen_weight_is_the_smallest_that_bears_as_much_as_any() -> None:
    weights = (0.5, 1.0, 2.0, 3.0)
    assert chosen(weights, (0.060, 0.040, 0.031, 0.030), 6000) == 2.0
    assert chosen(weights, (0.060, 0.033, 0.031, 0.030), 6000) == 1.0
    assert chosen(weights, (0.060, 0.033, 0.031, 0.030), 60_000) == 2.0
    assert chosen(weights, (0.0, 0.0, 0.0, 0.0), 60) == 0.5
