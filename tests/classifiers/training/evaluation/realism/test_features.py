"""Features of spectra: noise as reported reads 1, and what is wrong with noise or masks shows in its own column."""

from __future__ import annotations

import numpy as np

from classifiers.items import Spectrum
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.training.evaluation.real_spectra import native_spectra
from classifiers.training.evaluation.realism.features import measure, robust_spread, second_differences
from classifiers.training.simulation.grid import PIXELS


def noisy(factor: float, correlation: float = 0.0, masked: slice = slice(0, 0)) -> list[Spectrum]:
    """Return flat spectra of S/N 10 per pixel with ``factor`` times the noise that they report."""
    white = np.random.default_rng(1).standard_normal((12, PIXELS + 1))
    noise = factor * (white[:, 1:] + correlation * white[:, :-1]) / np.sqrt(1.0 + correlation**2)
    weight = np.full((12, PIXELS), 100.0, dtype=np.float32)
    weight[:, masked] = 0.0
    return native_spectra((1.0 + 0.1 * noise).astype(np.float32), weight)


def test_white_noise_of_the_reported_size_has_power_one_at_every_lag() -> None:
    prepared = prepare(noisy(1.0), COMMON_GRID)
    for lag in (1, 2, 5):
        assert abs(float(np.median(robust_spread(second_differences(prepared, lag)))) - 1.0) < 0.04


def test_twice_the_noise_is_twice_the_power_and_no_correlation() -> None:
    as_reported, twice = measure(noisy(1.0)), measure(noisy(2.0))
    rise = twice.groups["noise power"][:, :-1] - as_reported.groups["noise power"][:, :-1]
    np.testing.assert_allclose(rise, np.log(2.0), atol=0.02)
    assert abs(float(np.median(as_reported.groups["noise autocorrelation"]))) < 0.04


def test_correlated_noise_has_less_power_between_neighbours() -> None:
    correlated = measure(noisy(1.0, correlation=0.6)).groups["noise autocorrelation"]
    assert float(np.median(correlated[:, :5])) < float(np.median(measure(noisy(1.0)).groups["noise autocorrelation"]))


def test_a_masked_run_is_counted_with_its_length_and_share() -> None:
    whole, holed = measure(noisy(1.0)).groups["masks"], measure(noisy(1.0, masked=slice(1200, 1500))).groups["masks"]
    assert (whole[:, 2:] == 0).all()
    np.testing.assert_allclose(holed[:, 2], 100 / COMMON_GRID.n, atol=3 / COMMON_GRID.n)
    np.testing.assert_allclose(holed[:, 3], np.log(2.0))


def test_a_spectrum_without_pixels_has_features_that_are_not_numbers_and_raises_nothing() -> None:
    found = measure([*noisy(1.0)[:2], *noisy(1.0, masked=slice(0, PIXELS))[:1]])
    assert np.isnan(found.groups["continuum colours"][2]).all()
    assert np.isfinite(found.groups["continuum colours"][:2]).any()
    assert found.columns().shape == (3, sum(values.shape[1] for values in found.groups.values()))
