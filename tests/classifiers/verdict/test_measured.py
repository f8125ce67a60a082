"""Measurements in a verdict: velocities are of stars, and all stand before the graph's own."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.verdict.measured import Measured, measured_or, measured_velocities, with_measured_shares
from classifiers.verdict.probabilities import ClassProbabilities


def measured(velocity: list[float], error: list[float]) -> Measured:
    found = Measured.nothing(len(velocity), 3, ())
    found.radial_velocity_km_s[:], found.radial_velocity_error_km_s[:] = velocity, error
    return found


def test_measured_velocities_are_published_of_stars_alone() -> None:
    found = measured([10.0, 20.0, np.nan], [1.0, 2.0, np.nan])
    own = {"radial_velocity_km_s": np.full(3, np.nan), "radial_velocity_error_km_s": np.full(3, np.nan)}
    columns = measured_velocities(found, own, np.array([False, True, False]))
    np.testing.assert_array_equal(columns["radial_velocity_km_s"], [10.0, np.nan, np.nan])
    np.testing.assert_array_equal(columns["radial_velocity_error_km_s"], [1.0, np.nan, np.nan])


def test_a_velocity_of_the_graph_stands_where_none_was_measured() -> None:
    found = measured([10.0, np.nan], [1.0, np.nan])
    own = {"radial_velocity_km_s": np.array([5.0, 6.0]), "radial_velocity_error_km_s": np.array([0.5, 0.6])}
    columns = measured_velocities(found, own, np.zeros(2, np.bool_))
    np.testing.assert_array_equal(columns["radial_velocity_km_s"], [10.0, 6.0])
    np.testing.assert_array_equal(columns["radial_velocity_error_km_s"], [1.0, 0.6])


def test_nothing_measured_changes_nothing() -> None:
    nothing = Measured.nothing(2, 3, ("H alpha",))
    assert nothing.lines.flux.shape == (2, 1)
    own = np.array([0.1, np.nan])
    np.testing.assert_array_equal(measured_or(nothing.redshift, own, np.ones(2, np.bool_)), own)
    classes = np.array([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(with_measured_shares(ClassProbabilities(classes, own), nothing).classes, classes)
    assert np.isnan(nothing.radial_velocity_km_s).all()
    assert np.isnan(nothing.share).all()


def test_what_is_measured_stands_where_there_is_something_to_measure() -> None:
    """Also where the network has no number of its own."""
    chosen = measured_or(np.array([1.0, 2.0, np.nan]), np.array([np.nan, 0.2, 0.3]), np.array([True, False, True]))
    np.testing.assert_array_equal(chosen, [1.0, 0.2, 0.3])


def test_a_likelihood_shifts_probability_before_a_family_is_split() -> None:
    """A tenth as likely a star: odds of 2 to 3 become 2 to 30, and galaxies are split as their lines say."""
    found = Measured.nothing(2, 3, ())
    found.likelihood[0, 2] = 0.1
    found.share[0, :2] = 0.25, 0.75
    before = ClassProbabilities(np.array([[0.1, 0.3, 0.6], [0.1, 0.3, 0.6]]), np.full(2, 0.05))
    after = with_measured_shares(before, found)
    assert after.classes[0].tolist() == pytest.approx([0.1 / 0.46, 0.3 / 0.46, 0.06 / 0.46])
    np.testing.assert_array_equal(after.classes[1], before.classes[1])
    np.testing.assert_array_equal(after.other, before.other)
