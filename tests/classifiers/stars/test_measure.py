"""Stars: velocities that are right within their errors, and results of a row that depend on that row alone."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.stars.measure import LEAST_BINS, ZERO_POINT_KM_S, MeasuredStars, measure_stars
from classifiers.stars.templates import STAR_TYPES, templates
from classifiers.training.samples import draw_samples
from classifiers.training.simulation.scheme import FIRST_STAR, OTHER_INDEX
from classifiers.training.simulation.simulator import Simulator

Floats = NDArray[np.float64]
C_KM_S = 299_792.458


@dataclass(frozen=True)
class Stars:
    """n stars on the common grid, (n, 1557), with their velocities, S/N per native pixel, and types."""

    flux: NDArray[np.float32]
    inverse_variance: NDArray[np.float32]
    velocity_km_s: Floats
    snr: Floats
    star_type: NDArray[np.int64]


@pytest.fixture(scope="module")
def stars() -> Stars:
    """Return 1,024 simulated stars of all instruments."""
    samples = draw_samples(Simulator.load(), 1024, seed=4_000_037, kinds={"STAR": 1.0})
    velocity = samples.redshift * C_KM_S
    most_probable = samples.class_target[:, FIRST_STAR:OTHER_INDEX].argmax(axis=1)
    return Stars(*samples.inputs(), velocity, samples.snr, most_probable)


@pytest.fixture(scope="module")
def found(stars: Stars) -> MeasuredStars:
    return measure_stars(stars.flux, stars.inverse_variance)


def moved(name: str, velocity_km_s: Floats, snr: float, seed: int) -> Stars:
    """Return a template at some velocities, sloping, with white noise, where it is covered at all of them."""
    known = templates()
    row, n = known.names.index(name), velocity_km_s.size
    bins = slice(known.covered().start + 8, known.covered().stop - 8)
    shift = np.log10(1.0 + velocity_km_s / C_KM_S) / 3e-4
    seen = known.binned(np.array([row]), bins, shift)[0] * np.linspace(0.7, 1.4, bins.stop - bins.start)
    flux, weight = np.zeros((2, n, 1557), np.float32)
    flux[:, bins] = seen + np.random.default_rng(seed).standard_normal(seen.shape) / snr
    weight[:, bins] = snr**2
    return Stars(flux, weight, velocity_km_s, np.full(n, snr), np.full(n, known.star_type[row]))


def spread(values: Floats) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def same(one: MeasuredStars, two: MeasuredStars, rows: NDArray[np.int64] | slice) -> None:
    for field in fields(MeasuredStars):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name)[rows], err_msg=field.name)


def test_velocities_of_simulated_stars_are_right_within_their_errors(stars: Stars, found: MeasuredStars) -> None:
    measured = np.isfinite(found.velocity_km_s)
    np.testing.assert_array_equal(measured, np.isfinite(found.error_km_s))
    difference = found.velocity_km_s - stars.velocity_km_s
    for low, high, least in ((3.0, 10.0, 0.85), (10.0, 300.0, 0.96)):
        rows = (stars.snr >= low) & (stars.snr < high)
        assert measured[rows].mean() > least
        pull = (difference / found.error_km_s)[rows & measured]
        assert 0.8 < spread(pull) < 1.15
        assert np.mean(np.abs(pull) < 3.0) > 0.96
    bright = measured & (stars.snr > 10)
    assert abs(np.median(difference[bright])) < 3.0
    assert spread(difference[bright]) < 7.0
    assert np.mean(np.abs(difference[measured]) > 300.0) < 0.005


def test_faint_stars_and_noise_have_no_confident_velocity(stars: Stars, found: MeasuredStars) -> None:
    faint = stars.snr < 1.5
    assert faint.sum() > 50
    assert np.isfinite(found.velocity_km_s[faint]).mean() < 0.4
    assert np.nanmedian(found.error_km_s[faint]) > 20.0
    rng = np.random.default_rng(1)
    for level in (0.0, 1.0, 5.0):
        flux = (level + rng.standard_normal((300, 1557))).astype(np.float32)
        assert np.isfinite(measure_stars(flux, np.ones_like(flux)).velocity_km_s).mean() < 0.01


@pytest.mark.parametrize("name", ["A0", "F9", "K5"])
def test_a_spectrum_that_moves_is_measured_to_move_by_as_much(name: str) -> None:
    velocity = np.array([-1400.0, -777.0, -250.0, -100.0, -40.0, 0.0, 40.0, 100.0, 333.0, 900.0, 1400.0])
    given = moved(name, velocity, 60.0, seed=3)
    found = measure_stars(given.flux, given.inverse_variance)
    np.testing.assert_allclose(found.velocity_km_s + ZERO_POINT_KM_S[name], velocity, atol=8.0)
    assert (found.error_km_s < 12.0).all()
    assert (found.misfit.argmin(axis=1) == given.star_type).all()


def test_a_velocity_beyond_what_is_searched_is_none() -> None:
    given = moved("G2", np.array([-1640.0, 1640.0]), 60.0, seed=4)
    assert np.isnan(measure_stars(given.flux, given.inverse_variance).velocity_km_s).all()


def test_rows_do_not_depend_on_each_other_bit_for_bit(stars: Stars, found: MeasuredStars) -> None:
    order = np.random.default_rng(5).permutation(200)
    same(measure_stars(stars.flux[order], stars.inverse_variance[order]), found, order)
    for row in (0, 47, 48, 199):
        part = slice(row, row + 1)
        same(measure_stars(stars.flux[part], stars.inverse_variance[part]), found, part)
    for n in (2, 3, 31, 50, 97):
        same(measure_stars(stars.flux[:n], stars.inverse_variance[:n]), found, slice(0, n))


def test_the_scale_of_the_flux_changes_nothing(stars: Stars, found: MeasuredStars) -> None:
    rows = slice(0, 100)
    flux, weight = stars.flux[rows], stars.inverse_variance[rows]
    for factor in (np.float32(0.25), np.float32(8.0)):
        same(measure_stars(flux * factor, weight / factor**2), found, rows)
    third = measure_stars(flux * np.float32(3.0), weight / np.float32(9.0))
    np.testing.assert_allclose(third.velocity_km_s, found.velocity_km_s[rows], atol=0.5)


def test_masked_and_short_spectra_are_measured_within_their_errors(stars: Stars) -> None:
    bright = np.flatnonzero((stars.snr > 8) & (np.abs(stars.velocity_km_s) < 400))
    rng = np.random.default_rng(6)
    masked = stars.inverse_variance[bright].copy()
    for row in masked:
        for start in rng.integers(0, 1557, 8).tolist():
            row[start : start + 60] = 0.0
    blue, red = stars.inverse_variance[bright].copy(), stars.inverse_variance[bright].copy()
    blue[:, 740:], red[:, :740] = 0.0, 0.0
    for weight in (masked, blue, red):
        flux = np.where(weight > 0, stars.flux[bright], np.float32(0))
        found = measure_stars(flux, weight)
        difference = found.velocity_km_s - stars.velocity_km_s[bright]
        measured = np.isfinite(difference)
        assert measured.mean() > 0.85
        assert spread((difference / found.error_km_s)[measured]) < 1.5
        assert np.mean(np.abs(difference[measured]) > 300.0) < 0.02


def test_what_shows_too_little_is_not_measured(stars: Stars) -> None:
    weight = stars.inverse_variance[:8].copy()
    weight[:, 400 + LEAST_BINS - 10 :] = 0.0
    weight[:, :400] = 0.0
    found = measure_stars(stars.flux[:8], weight)
    assert np.isnan(found.velocity_km_s).all()
    assert np.isnan(found.misfit).all()


@pytest.mark.parametrize(
    ("flux", "weight"), [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1e6, 1e10), (-1e6, 1e10), (1e-6, 1e-8)]
)
def test_featureless_spectra_give_no_velocity_and_no_warning(flux: float, weight: float) -> None:
    found = measure_stars(np.full((3, 1557), flux, np.float32), np.full((3, 1557), weight, np.float32))
    assert np.isnan(found.velocity_km_s).all()
    assert np.isnan(found.error_km_s).all()


def test_weights_of_any_size_give_no_warning() -> None:
    rng = np.random.default_rng(7)
    flux = (rng.standard_normal((200, 1557)) * 10.0 ** rng.uniform(-6, 6, (200, 1))).astype(np.float32)
    weight = (10.0 ** rng.uniform(-10, 10, (200, 1557))).astype(np.float32)
    found = measure_stars(flux, weight)
    assert np.isfinite(found.misfit).all()
    assert np.isfinite(found.velocity_km_s).mean() < 0.05


def test_templates_tell_types_of_simulated_stars(stars: Stars, found: MeasuredStars) -> None:
    bright = stars.snr > 10
    off = np.abs(found.misfit[bright].argmin(axis=1) - stars.star_type[bright])
    assert found.misfit.shape[1] == len(STAR_TYPES)
    assert np.mean(off == 0) > 0.6
    assert np.mean(off <= 1) > 0.9
