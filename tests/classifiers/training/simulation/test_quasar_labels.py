"""What a survey would publish of quasars: BROADLINE by its rule on lines, redshifts where its eigenspectra fit."""

from __future__ import annotations

import numpy as np

from classifiers.quasars.eigenspectra import FILE
from classifiers.training.simulation.grid import PIXELS, Float32, Float64, native_wavelength
from classifiers.training.simulation.quasar_labels import broadline, plain_bins, published_redshift

_C_KM_S = 299_792.458


def lines(redshift: float, sigma_km_s: float, strength: float, snr: float, n: int) -> tuple[Float32, Float64, Float32]:
    """Return n noisy flat spectra with C IV and C III] in emission, their redshifts and inverse variances."""
    velocity = np.log(native_wavelength() / (1.0 + redshift))
    flux = np.ones((n, PIXELS))
    for rest in (1546.15, 1905.97):
        flux += strength * np.exp(-0.5 * ((velocity - np.log(rest)) * _C_KM_S / sigma_km_s) ** 2)
    noisy = flux + np.random.default_rng(1).standard_normal(flux.shape) / snr
    return noisy.astype(np.float32), np.full(n, redshift), np.full((n, PIXELS), snr**2, np.float32)


def test_strong_broad_lines_are_broadline_and_narrow_or_faint_ones_are_not() -> None:
    def mean(sigma_km_s: float, strength: float, snr: float) -> float:
        flux, redshift, weight = lines(2.2, sigma_km_s, strength, snr, 12)
        return float(broadline(flux, redshift, weight).mean())

    assert mean(2000.0, 1.0, 10.0) > 0.99
    assert mean(2000.0, 0.02, 2.0) < 0.1
    assert mean(150.0, 1.0, 10.0) < 0.1


def test_plain_means_leave_out_masked_pixels_and_know_their_errors() -> None:
    flux = np.tile(np.array([1.0, 2.0, 6.0], np.float32), PIXELS // 3)[None, :]
    weight = np.full_like(flux, 4.0)
    weight[0, 2::3] = 0.0
    weight[0, :3] = 0.0
    mean, inverse = plain_bins(flux, weight)
    assert mean[0, 0] == inverse[0, 0] == 0.0
    np.testing.assert_allclose(mean[0, 1:], 1.5)
    np.testing.assert_allclose(inverse[0, 1:], 8.0)


def test_redshifts_are_where_eigenspectra_fit_unless_that_is_far_away() -> None:
    """A combination of them at z = 1.7, offered 0, 600 and 2,400 km/s away; and a spectrum without a feature."""
    with np.load(FILE) as stored:
        spectrum = np.array([5.0, 1.0, 0.5, 0.2]) @ stored["flux"].astype(np.float64)
        log10 = float(stored["log10_start"]) + float(stored["log10_step"]) * np.arange(spectrum.size)
    observed = np.interp(np.log10(native_wavelength() / 2.7), log10, spectrum)
    flux = np.array([observed, observed, observed, np.ones(PIXELS)], np.float32)
    off = np.array([0.0, 600.0, 2400.0, 0.0]) / _C_KM_S * 2.7
    found = published_redshift(flux, np.ones_like(flux), 1.7 + off)
    assert np.abs(found[:2] - 1.7).max() < 20.0 / _C_KM_S * 2.7
    assert found[2] == 1.7 + off[2]
    assert found[3] == 1.7
