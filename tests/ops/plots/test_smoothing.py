"""Smoothing leaves out masked pixels, and the range of flux shows lines without following noise."""

from __future__ import annotations

import numpy as np
import pytest

from ops.plots.smoothing import flux_range, jumps, kernel_sigma, smoothed


def test_a_constant_stays_a_constant_beside_masked_pixels() -> None:
    """What a masked pixel holds does not reach its neighbours."""
    flux, weight = np.full(200, 3.0), np.ones(200)
    flux[90:95], weight[90:95] = 1e6, 0.0
    line = smoothed(flux, weight, 4.0)
    np.testing.assert_allclose(line.flux, 3.0)


def test_a_long_gap_stays_empty() -> None:
    """Out of reach of any pixel there is no line."""
    weight = np.ones(600)
    weight[200:400] = 0.0
    line = smoothed(np.ones(600), weight, 2.0)
    assert np.isnan(line.flux[250:350]).all()
    assert np.isfinite(line.flux[:190]).all()
    assert np.isnan(smoothed(np.ones(600), np.zeros(600), 2.0).flux).all()


def test_the_error_of_the_line_is_the_scatter_of_its_noise() -> None:
    """Of pure noise of known variance the smoothed line scatters by its error."""
    noise = np.random.default_rng(5).normal(0, 2.0, 50_000)
    line = smoothed(noise, np.full(noise.size, 0.25), 6.0)
    assert np.std(line.flux / line.error) == pytest.approx(1.0, rel=0.05)
    assert np.median(line.error) < 0.6


def test_tiny_flux_units_keep_their_precision() -> None:
    """Flux of 1e-17 and inverse variances of 1e36 neither overflow nor vanish."""
    line = smoothed(np.full(100, 2e-17), np.full(100, 1e36), 2.0)
    np.testing.assert_allclose(line.flux, 2e-17)
    assert np.isfinite(line.error).all()


def test_faint_spectra_are_smoothed_more() -> None:
    """The kernel grows as the S/N falls, within bounds."""
    assert kernel_sigma(4000, 50.0) == kernel_sigma(4000, None) < kernel_sigma(4000, 2.0) < kernel_sigma(4000, 0.5)
    assert kernel_sigma(4000, -1.0) == kernel_sigma(4000, 0.5)
    assert kernel_sigma(10, 50.0) == 1.0


def test_the_range_holds_a_line_but_not_a_noisy_end() -> None:
    """A significant emission line fits; an equally high excursion of a noisy end does not set the scale."""
    flux, sigma = np.ones(4000), np.full(4000, 0.1)
    flux[1000:1010] = 6.0
    flux[3990:], sigma[3990:] = 40.0, 30.0
    shown = flux_range(smoothed(flux, sigma**-2, 1.0))
    assert shown is not None
    low, high = shown
    assert low == 0.0
    assert 1.5 < high < 7.0
    assert flux_range(smoothed(flux, np.zeros(4000), 1.0)) is None


def test_the_line_ends_with_the_good_pixels() -> None:
    """Inside a mask it would be the noise of the last pixel; one of next to no weight there changes nothing."""
    weight = np.ones(600)
    weight[200:260] = 0.0
    weight[230] = 1e-12
    line = smoothed(np.ones(600), weight, 4.0)
    assert np.isfinite(line.flux[:200]).all()
    assert np.isnan(line.flux[203:257]).all()
    weight[:] = 1.0
    weight[300] = 0.0
    assert np.isfinite(smoothed(np.ones(600), weight, 4.0).flux).all()


def test_a_jump_of_the_wavelength_is_a_gap_and_a_growing_step_is_none() -> None:
    """Windows are told apart; logarithmic grids and overlapping arms are whole; the kernel stays in its window."""
    windows = np.concatenate([np.linspace(3926, 4355, 4000), np.linspace(5160, 5730, 4000)])
    starts = jumps(windows)
    np.testing.assert_array_equal(starts, [4000])
    assert jumps(np.geomspace(3000, 25000, 5000)).size == 0
    assert jumps(np.sort(np.concatenate([np.arange(4000, 6000, 0.8), np.arange(5800.1, 8000, 0.8)]))).size == 0
    steps = np.where(np.arange(8000) < 4000, 1.0, 5.0)
    np.testing.assert_allclose(smoothed(steps, np.ones(8000), 6.0, starts).flux, steps)
