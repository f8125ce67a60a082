"""Simulated quasars: widths and strengths of their lines, and their forest."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.lines.measure import MeasuredLines, measure_lines
from classifiers.lines.table import NAMES
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.galaxies import Galaxies
from classifiers.training.simulation.grid import Float32, Float64, native_wavelength
from classifiers.training.simulation.quasar_labels import plain_bins
from classifiers.training.simulation.quasars import Quasars


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


def near_quasars() -> tuple[Float32, Float64, MeasuredLines]:
    """Return noiseless quasars at redshifts 0.05 to 0.5, of median 1, and their lines at S/N 50 a pixel."""
    basis = Basis.load()
    flux, redshift, _ = Quasars(basis, Galaxies(basis)).draw(1500, np.random.default_rng(5))
    near = (redshift > 0.05) & (redshift < 0.5)
    flux, redshift = flux[near] / np.median(flux[near], axis=1, keepdims=True), redshift[near]
    weight, unknown = np.full_like(flux, 2500.0), np.full(len(flux), np.nan)
    noisy = flux + np.random.default_rng(6).standard_normal(flux.shape, dtype=np.float32) / np.float32(50.0)
    return flux, redshift, measure_lines(*plain_bins(noisy, weight), redshift, np.ones(len(flux), np.bool_), unknown)


@pytest.mark.slow
def test_balmer_lines_of_near_quasars_are_as_different_as_published_ones() -> None:
    _, _, found = near_quasars()
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


@pytest.mark.slow
def test_narrow_lines_of_near_quasars_are_as_strong_as_published_and_as_sharp_as_gas_is() -> None:
    """[O III] of SDSS's composite has 13 Angstrom (Vanden Berk et al. 2001); a sixth are narrower than 200 km/s."""
    _, _, found = near_quasars()
    column = NAMES.index("[O III] 5007")
    seen = found.flux[:, column] > 5.0 * found.flux_error[:, column]
    low, middle, high = np.percentile(found.equivalent_width[seen, column], (16.0, 50.0, 84.0))
    assert 8.0 < middle < 20.0
    assert 0.25 < 0.5 * np.log10(high / low) < 0.6
    assert np.percentile(found.sigma[seen, column], 16.0) < 200.0


@pytest.mark.slow
def test_the_forest_is_as_deep_as_in_observed_quasars_and_as_ragged() -> None:
    """Mean flux beyond Lyman alpha over that before it, and variance of bins of 207 km/s.

    Composites of z about 2.5 and 3 have 0.9 to 1 and 0.8 to 0.95 there, since their continua rise to the blue.
    """
    basis = Basis.load()
    flux, redshift, absorbed = Quasars(basis, Galaxies(basis)).draw(4000, np.random.default_rng(7))
    clear = (redshift > 2.4) & (redshift < 3.2) & ~absorbed
    flux, redshift = flux[clear], redshift[clear]
    rest = native_wavelength() / (1.0 + redshift[:, None])

    def mean(low: float, high: float) -> Float64:
        inside = (rest > low) & (rest < high)
        return np.asarray((flux * inside).sum(axis=1) / np.maximum(inside.sum(axis=1), 1))

    depth = mean(1075.0, 1160.0) / (0.5 * mean(1270.0, 1290.0) + 0.5 * mean(1310.0, 1340.0))
    for low, high, shallow, deep in ((2.4, 2.7, 1.0, 0.85), (2.8, 3.2, 0.92, 0.75)):
        chosen = (redshift > low) & (redshift < high)
        assert deep < np.median(depth[chosen]) < shallow
    variance = []
    for row in np.flatnonzero((redshift > 2.6) & (redshift < 3.0)):
        inside = flux[row, (rest[row] > 1060.0) & (rest[row] < 1170.0)]
        bins = inside[: inside.size // 3 * 3].reshape(-1, 3).mean(axis=1)
        x = np.arange(bins.size)
        variance.append(np.var(bins / np.polyval(np.polyfit(x, bins, 3), x)))
    assert 0.02 < np.median(variance) < 0.08


@pytest.mark.slow
def test_some_quasars_are_red_as_dust_of_their_hosts_makes_them_and_none_as_blue() -> None:
    """Six per cent of SDSS's are redder than the width of the others' colours allows (Richards et al. 2003)."""
    basis, wavelength = Basis.load(), native_wavelength()
    flux, redshift, _ = Quasars(basis, Galaxies(basis)).draw(1500, np.random.default_rng(7))
    rows = (redshift > 1.25) & (redshift < 1.9)
    rest = wavelength[None, :] / (1.0 + redshift[rows, None])

    def level(low: float, high: float) -> Float64:
        within = (rest > low) & (rest < high)
        return np.asarray((flux[rows] * within).sum(axis=1) / within.sum(axis=1))

    colour = np.log10(level(1680.0, 1730.0) / level(2950.0, 3050.0))
    assert 0.05 < np.mean(colour < np.median(colour) - 0.35) < 0.15
    assert np.mean(colour > np.median(colour) + 0.35) < 0.01


@pytest.mark.slow
def test_near_quasars_have_narrower_magnesium_than_far_ones() -> None:
    """By 0.2 dex at redshifts below 0.5: widths go with luminosity and mass (Shen et al. 2011, ApJS 194, 45)."""
    basis, column = Basis.load(), NAMES.index("Mg II 2799")
    flux, redshift, _ = Quasars(basis, Galaxies(basis)).draw(1500, np.random.default_rng(8))
    flux /= np.median(flux, axis=1, keepdims=True)
    noisy = flux + np.random.default_rng(9).standard_normal(flux.shape, dtype=np.float32) / np.float32(20.0)
    unknown = np.full(len(flux), np.nan)
    found = measure_lines(
        *plain_bins(noisy, np.full_like(flux, 400.0)), redshift, np.ones(len(flux), np.bool_), unknown
    )
    seen = np.nan_to_num(found.flux[:, column]) > 10.0 * np.nan_to_num(found.flux_error[:, column], nan=np.inf)
    near, far = (
        found.sigma[seen & (redshift > low) & (redshift < high), column] for low, high in ((0.36, 0.5), (0.8, 1.3))
    )
    assert 0.1 < np.log10(np.median(far) / np.median(near)) < 0.35
