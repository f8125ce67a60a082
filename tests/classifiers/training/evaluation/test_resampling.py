"""Intervals of resampled objects."""

from __future__ import annotations

import numpy as np

from classifiers.training.evaluation.resampling import resampled_interval


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    interval = resampled_interval(
        lambda rows: float(values[rows].mean()), [str(row) for row in range(400)], np.random.default_rng(2)
    )
    assert interval is not None
    error = float(values.std() / 20.0)
    np.testing.assert_allclose(interval, values.mean() + 1.96 * error * np.array([-1.0, 1.0]), atol=0.3 * error)


def test_epochs_of_one_object_are_drawn_together() -> None:
    values = np.repeat(np.random.default_rng(3).normal(0.0, 1.0, 40), 10)

    def width(objects: list[str]) -> float:
        found = resampled_interval(lambda rows: float(values[rows].mean()), objects, np.random.default_rng(4))
        assert found is not None
        return found[1] - found[0]

    apart = width([str(row) for row in range(400)])
    together = width([str(row // 10) for row in range(400)])
    assert 2.5 < together / apart < 4.0  # the square root of ten


def test_one_object_has_no_interval() -> None:
    assert resampled_interval(lambda rows: float(rows.size), ["same"] * 9, np.random.default_rng(5)) is None


def test_what_is_drawn_is_every_spectrum_of_every_object_that_was_drawn() -> None:
    objects = ["b", "a", "c", "a", "b", "a"]
    members = {name: [row for row, each in enumerate(objects) if each == name] for name in "abc"}
    drawn: list[list[int]] = []

    def keep(rows: np.ndarray) -> float:
        drawn.append(sorted(rows.tolist()))
        return float(rows.size)

    resampled_interval(keep, objects, np.random.default_rng(6), draws=50)
    rng = np.random.default_rng(6)
    for rows in drawn:
        picked = ["abc"[index] for index in rng.integers(0, 3, 3)]
        assert rows == sorted(row for name in picked for row in members[name])
