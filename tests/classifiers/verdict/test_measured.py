"""Measurements in a verdict: radial velocities are of stars, and stand before the graph's own."""

from __future__ import annotations

import numpy as np

from classifiers.verdict.measured import Measured, measured_or, measured_velocities


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
    np.testing.assert_array_equal(measured_or(nothing.redshift, np.array([0.1, np.nan])), [0.1, np.nan])
    assert np.isnan(nothing.radial_velocity_km_s).all()
    assert np.isnan(nothing.share).all()
