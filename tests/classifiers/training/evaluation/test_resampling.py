"""Intervals of resampled objects."""

from __future__ import annotations

import numpy as np

from classifiers.training.evaluation.resampling import first_spectra, resampled_interval, share_interval
from classifiers.training.intervals import clopper_pearson


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


def test_a_share_among_few_objects_is_as_uncertain_as_these_are_few() -> None:
    """Sixteen galaxies with ten spectra each, half of them with nothing but hits."""
    hits = np.repeat(np.arange(16) % 2 == 0, 10)
    low, high = share_interval(hits, [str(row // 10) for row in range(160)], np.random.default_rng(7))
    alone_low, alone_high = share_interval(hits, [str(row) for row in range(160)], np.random.default_rng(7))
    assert low < 0.5 < high
    assert 2.5 < (high - low) / (alone_high - alone_low) < 4.0  # the square root of ten


def test_a_share_of_all_or_of_none_is_as_certain_as_so_many_objects_make_it() -> None:
    objects = [str(row // 10) for row in range(170)]
    for hits, of_17 in ((np.ones(170, np.bool_), 17), (np.zeros(170, np.bool_), 0)):
        assert share_interval(hits, objects, np.random.default_rng(8)) == clopper_pearson(of_17, 17)
    mixed = np.arange(2) == 0
    assert share_interval(mixed, ["same"] * 2, np.random.default_rng(8)) == (0.0, 1.0)


def test_the_first_spectrum_of_each_object_is_in_the_order_of_the_sample() -> None:
    assert first_spectra(["b", "a", "b", "c", "a"]).tolist() == [0, 1, 3]
    assert first_spectra([]).size == 0


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
