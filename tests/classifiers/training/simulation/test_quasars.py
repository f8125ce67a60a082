"""Simulated quasars: widths of their lines, and the survey's BROADLINE rule on measured lines."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.lines.measure import measure_lines
from classifiers.lines.table import NAMES
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.galaxies import Galaxies
from classifiers.training.simulation.grid import PIXELS, Float32, Float64, native_wavelength
from classifiers.training.simulation.quasars import Quasars, label, plain_bins

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
        return float(label(flux, redshift, weight).mean())

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


@pytest.mark.slow
def test_widths_of_ultraviolet_lines_scatter_as_published_ones() -> None:
    basis = Basis.load()
    flux, redshift, _ = Quasars(basis, Galaxies(basis)).draw(900, np.random.default_rng(3))
    flux /= np.median(flux, axis=1, keepdims=True)
    weight = np.full_like(flux, 400.0)
    noisy = flux + np.random.default_rng(4).standard_normal(flux.shape, dtype=np.float32) / np.float32(20.0)
    quasar, unknown = np.ones(len(flux), np.bool_), np.full(len(flux), np.nan)
    found = measure_lines(*plain_bins(noisy, weight), redshift, quasar, unknown)
    for name in ("C IV 1549", "C III] 1909", "Mg II 2799"):
        column = NAMES.index(name)
        strong = np.nan_to_num(found.flux[:, column]) > 10.0 * np.nan_to_num(found.flux_error[:, column], nan=np.inf)
        low, middle, high = np.percentile(np.log10(found.sigma[strong, column]), (16.0, 50.0, 84.0))
        assert 3.2 < middle < 3.5, name
        assert 0.08 < 0.5 * (high - low) < 0.16, name


@pytest.mark.slow
def test_balmer_lines_of_near_quasars_are_as_different_as_published_ones() -> None:
    basis = Basis.load()
    flux, redshift, _ = Quasars(basis, Galaxies(basis)).draw(1500, np.random.default_rng(5))
    near = (redshift > 0.05) & (redshift < 0.5)
    flux, redshift = flux[near] / np.median(flux[near], axis=1, keepdims=True), redshift[near]
    weight, unknown = np.full_like(flux, 2500.0), np.full(len(flux), np.nan)
    noisy = flux + np.random.default_rng(6).standard_normal(flux.shape, dtype=np.float32) / np.float32(50.0)
    found = measure_lines(*plain_bins(noisy, weight), redshift, np.ones(len(flux), np.bool_), unknown)
    beta, alpha = NAMES.index("H beta"), NAMES.index("H alpha")
    width = found.equivalent_width[:, beta]
    seen = (found.flux[:, beta] > 5.0 * found.flux_error[:, beta]) & np.isfinite(found.flux[:, alpha]) & (width > 0)
    low, middle, high = np.percentile(np.log10(width[seen]), (16.0, 50.0, 84.0))
    assert 1.2 < middle < 2.0
    assert 0.2 < 0.5 * (high - low) < 0.5
    assert np.percentile(width[seen], 97.5) > 100.0
    assert 2.3 < np.median(found.flux[seen, alpha] / found.flux[seen, beta]) < 5.0
    low, middle, high = np.percentile(np.log10(found.sigma[seen, beta]), (16.0, 50.0, 84.0))
    assert 2.9 < middle < 3.5
    assert 0.5 * (high - low) > 0.1
