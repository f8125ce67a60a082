"""Plain means: flux is conserved whatever the weights, masks and units as elsewhere, rows alone decide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from classifiers.items import GridAxis, Spectrum
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.plain import plain_means
from classifiers.preprocess.prepare import prepare

AXIS = GridAxis("LOG10", 3.55, 1e-4, 4671)


def spectrum(flux: np.ndarray, weight: np.ndarray, **fields: object) -> Spectrum:
    made = Spectrum(
        axis=AXIS, medium="VACUUM", flux=flux.astype(np.float32), uncertainty=weight.astype(np.float32),
        uncertainty_kind="IVAR", flux_unit="1e-17 erg/s/cm2/Angstrom", quality=None, velocity_correction_km_s=0.0,
        resolving_power=None, sampling="DISPERSED", sky_fibre=False,
    )  # fmt: skip
    return replace(made, **fields)  # type: ignore[arg-type]


def line() -> tuple[np.ndarray, np.ndarray]:
    """Return a narrow line whose photon noise is its own, as flux and inverse variance."""
    flux = 1.0 + 50.0 * np.exp(-0.5 * ((np.arange(AXIS.n) - 2000.4) / 1.2) ** 2)
    return flux, 1.0 / (0.05 * flux)


def test_a_line_keeps_its_flux_where_a_weighted_mean_loses_some() -> None:
    flux, weight = line()
    item = spectrum(flux, weight)
    found = plain_means([item], COMMON_GRID, np.ones(1)).flux[0]
    weighted = prepare([item], COMMON_GRID)
    assert found.sum() * 3 == pytest.approx(flux.sum(), rel=1e-5)
    excess = (weighted.flux[0] * weighted.scale[0] - 1).sum() / (found - 1).sum()
    assert excess < 0.9


def test_variance_is_that_of_a_mean() -> None:
    flux, weight = line()
    found = plain_means([spectrum(flux, weight)], COMMON_GRID, np.full(1, 2.0))
    expected = 9.0 / (1.0 / weight).reshape(-1, 3).sum(axis=1) * 4.0
    np.testing.assert_allclose(found.inverse_variance[0], expected, rtol=1e-4)
    np.testing.assert_allclose(found.flux[0], flux.reshape(-1, 3).mean(axis=1) / 2.0, rtol=1e-4)


def test_masked_pixels_and_bad_numbers_have_no_say() -> None:
    flux, weight = line()
    flux, weight = flux.copy(), weight.copy()
    flux[2001], weight[1998], weight[300:330] = np.nan, 0.0, 0.0
    found = plain_means([spectrum(flux, weight)], COMMON_GRID, np.ones(1))
    assert np.isfinite(found.flux).all()
    assert np.isfinite(found.inverse_variance).all()
    assert (found.inverse_variance[0, 100:110] == 0).all()
    assert found.flux[0, 666] == pytest.approx(flux[[1999, 2000]].mean(), rel=1e-5)


@pytest.mark.parametrize("factor", [1e-17, 1e17, 1e-3])
def test_the_unit_of_flux_changes_nothing(factor: float) -> None:
    flux, weight = line()
    plain = plain_means([spectrum(flux, weight)], COMMON_GRID, np.ones(1))
    item = spectrum(flux * factor, weight / factor**2)
    scaled = plain_means([item], COMMON_GRID, np.full(1, factor))
    np.testing.assert_allclose(scaled.flux, plain.flux, rtol=1e-4)
    np.testing.assert_allclose(scaled.inverse_variance, plain.inverse_variance, rtol=1e-4)


def test_other_axes_are_resampled_and_a_rows_bits_are_its_own() -> None:
    rng = np.random.default_rng(1)
    axis = GridAxis("LINEAR", 3600.0, 0.8, 7781)
    items = [
        spectrum(1 + rng.standard_normal(axis.n), np.ones(axis.n), axis=axis, medium="AIR") if seed % 2
        else spectrum(1 + rng.standard_normal(AXIS.n), np.ones(AXIS.n))
        for seed in range(9)
    ]  # fmt: skip
    whole = plain_means(items, COMMON_GRID, np.ones(9))
    assert whole.flux[1][whole.inverse_variance[1] > 0].mean() == pytest.approx(1.0, abs=0.1)
    for row in range(9):
        alone = plain_means([items[row]], COMMON_GRID, np.ones(1))
        assert alone.flux[0].tobytes() == whole.flux[row].tobytes()
        assert alone.inverse_variance[0].tobytes() == whole.inverse_variance[row].tobytes()
