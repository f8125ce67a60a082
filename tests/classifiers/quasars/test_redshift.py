"""Redshifts of quasars on eigenspectra: near the truth, each spectrum by itself, and silent when blind."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.items import Spectrum
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.plain import PlainMeans, plain_means
from classifiers.preprocess.prepare import prepare
from classifiers.quasars.redshift import C_KM_S, LEAST_BINS, QuasarRedshifts, measure_redshifts
from classifiers.training.evaluation.real_spectra import native_spectra
from classifiers.training.simulation.simulator import SimulatedBatch, Simulator


def drawn(n: int, seed: int) -> tuple[SimulatedBatch, PlainMeans]:
    batch = Simulator.load().draw(n, np.random.default_rng(seed), instrument="BOSS", kinds={"QSO": 1.0})
    spectra: list[Spectrum] = native_spectra(batch.flux, batch.inverse_variance)
    return batch, plain_means(spectra, COMMON_GRID, prepare(spectra, COMMON_GRID).scale)


@pytest.fixture(scope="module")
def quasars() -> tuple[SimulatedBatch, PlainMeans]:
    return drawn(64, 5)


def measured(means: PlainMeans, *offered: np.ndarray) -> QuasarRedshifts:
    columns = np.column_stack(offered)
    return measure_redshifts(means.flux, means.inverse_variance, columns, np.full(columns.shape, 0.5))


def test_an_offer_that_is_1500_km_s_off_is_mended(quasars: tuple[SimulatedBatch, PlainMeans]) -> None:
    """Errors of simulated quasars below z = 2.6 are what is said of them: their pulls scatter by about 1."""
    batch, means = quasars
    found = measured(means, batch.redshift + 0.005 * (1.0 + batch.redshift))
    clear = (batch.snr > 2.0) & (batch.redshift < 2.6)
    difference = (found.redshift - batch.redshift)[clear]
    assert clear.sum() > 20
    assert np.isfinite(difference).mean() > 0.95
    assert np.nanmedian(np.abs(difference) / (1.0 + batch.redshift[clear])) < 5e-4
    assert 0.4 < np.nanmedian(np.abs(difference) / found.error[clear]) / 0.67 < 1.6


def test_the_offer_that_fits_is_taken(quasars: tuple[SimulatedBatch, PlainMeans]) -> None:
    batch, means = quasars
    wrong = np.where(batch.redshift > 1.5, batch.redshift - 1.0, batch.redshift + 1.0)
    found = measured(means, wrong, batch.redshift)
    clear = (batch.snr > 5.0) & np.isfinite(found.redshift)
    off_km_s = C_KM_S * np.abs(found.redshift - batch.redshift)[clear] / (1.0 + batch.redshift[clear])
    assert clear.sum() > 15
    assert np.mean(off_km_s < 3_000.0) > 0.9


def test_a_spectrum_is_measured_by_itself_at_any_brightness(quasars: tuple[SimulatedBatch, PlainMeans]) -> None:
    batch, means = quasars
    together = measured(means, batch.redshift)
    for row in (0, 17, 63):
        one = PlainMeans(means.flux[row : row + 1], means.inverse_variance[row : row + 1])
        alone = measured(one, batch.redshift[row : row + 1])
        assert alone.redshift[0] == together.redshift[row] or np.isnan(together.redshift[row])
        brighter = PlainMeans(one.flux * np.float32(4.0), one.inverse_variance / np.float32(16.0))
        np.testing.assert_allclose(
            measured(brighter, batch.redshift[row : row + 1]).redshift, alone.redshift, rtol=1e-9
        )


def test_what_shows_too_little_keeps_what_was_offered(quasars: tuple[SimulatedBatch, PlainMeans]) -> None:
    batch, means = quasars
    short = means.inverse_variance.copy()
    short[:, LEAST_BINS - 1 :] = 0.0
    found = measured(PlainMeans(means.flux, short), batch.redshift)
    assert np.isnan(found.redshift).all()
    assert np.isnan(found.error).all()


def test_flat_and_empty_spectra_say_nothing_and_do_not_warn() -> None:
    """Whatever is offered for them."""
    flux = np.zeros((4, COMMON_GRID.n), np.float32)
    weight = np.array([0.0, 1.0, 1e20, 1.0], np.float32)[:, None] * np.ones_like(flux)
    offered = np.array([[2.0, np.nan], [2.0, 0.0], [2.0, 7.9], [-0.05, 2.0]])
    found = measure_redshifts(flux, weight, offered, np.full(offered.shape, 0.1))
    assert np.isnan(found.redshift).all()
