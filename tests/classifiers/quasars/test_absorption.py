"""Broad absorption: troughs put into quasars are found, each spectrum by itself; of what is unseen nothing is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.plain import PlainMeans, plain_means
from classifiers.preprocess.prepare import prepare
from classifiers.quasars.absorption import CIV_ANGSTROM, LEAST_REDSHIFT, absorption_evidence, with_evidence
from classifiers.quasars.redshift import C_KM_S
from classifiers.training.absorption import narrow_systems
from classifiers.training.evaluation.real_spectra import native_spectra, real_spectra
from classifiers.training.simulation.simulator import SimulatedBatch, Simulator

Floats = NDArray[np.float64]


def drawn(n: int, seed: int) -> tuple[SimulatedBatch, PlainMeans]:
    batch = Simulator.load().draw(n, np.random.default_rng(seed), instrument="BOSS", kinds={"QSO": 1.0})
    spectra = native_spectra(batch.flux, batch.inverse_variance)
    return batch, plain_means(spectra, COMMON_GRID, prepare(spectra, COMMON_GRID).scale)


@pytest.fixture(scope="module")
def quasars() -> tuple[SimulatedBatch, PlainMeans]:
    return drawn(640, 6)


def with_trough(means: PlainMeans, redshift: Floats, nearest: float, farthest: float, depth: float) -> PlainMeans:
    """Take a share of the light between two velocities blueward of C IV [km/s]."""
    rest = COMMON_GRID.centres_angstrom / (1.0 + redshift[:, None])
    velocity = C_KM_S * np.log(CIV_ANGSTROM / rest)
    taken = depth * ((velocity > nearest) & (velocity < farthest))
    return PlainMeans((means.flux * (1.0 - taken)).astype(np.float32), means.inverse_variance)


def test_simulated_broad_absorption_is_more_probable_than_none(quasars: tuple[SimulatedBatch, PlainMeans]) -> None:
    batch, means = quasars
    found = absorption_evidence(means.flux, means.inverse_variance, batch.redshift)
    bright = np.isfinite(found) & (batch.snr > 4.0)
    absorbed = batch.broad_absorption & bright
    assert absorbed.sum() > 8
    assert np.median(found[absorbed]) > 3.0
    assert np.median(found[bright & ~batch.broad_absorption]) < 0.0


def test_a_trough_put_into_a_real_quasar_is_found(data_dir: Path) -> None:
    """And the same quasar without it is not called absorbed, whatever the network had said of either."""
    spectra, labels = real_spectra(data_dir / "spectra")
    rows = [
        row
        for row, label in enumerate(labels)
        if label.group == "QSO" and 1.8 < label.redshift < 4.0 and label.snr > 5.0
    ]
    items, redshift = [spectra[row] for row in rows], np.array([labels[row].redshift for row in rows])
    means = plain_means(items, COMMON_GRID, prepare(items, COMMON_GRID).scale)
    plain = absorption_evidence(means.flux, means.inverse_variance, redshift)
    deep = with_trough(means, redshift, 4_000.0, 9_000.0, 0.7)
    found = absorption_evidence(deep.flux, deep.inverse_variance, redshift)
    assert len(rows) > 10
    assert (found > plain + 5.0).mean() > 0.9
    assert (with_evidence(np.full(len(rows), 0.1), found) > 0.5).mean() > 0.9
    assert (with_evidence(np.full(len(rows), 0.1), plain) > 0.5).mean() < 0.5


def test_narrow_systems_that_all_quasars_have_are_hardly_ever_called_broad(
    quasars: tuple[SimulatedBatch, PlainMeans],
) -> None:
    batch, _ = quasars
    plain = ~batch.broad_absorption & (batch.redshift > 1.6) & (batch.snr > 4.0)
    flux = batch.flux[plain] * narrow_systems(batch.redshift[plain], np.random.default_rng(9))
    spectra = native_spectra(flux.astype(np.float32), batch.inverse_variance[plain])
    means = plain_means(spectra, COMMON_GRID, prepare(spectra, COMMON_GRID).scale)
    found = with_evidence(
        np.full(plain.sum(), 0.1), absorption_evidence(means.flux, means.inverse_variance, batch.redshift[plain])
    )
    assert plain.sum() > 100
    assert (found > 0.5).mean() < 0.05


def test_a_deeper_trough_is_more_evidence(quasars: tuple[SimulatedBatch, PlainMeans]) -> None:
    batch, means = quasars
    clear = (batch.redshift > 2.0) & (batch.redshift < 3.5) & (batch.snr > 10.0) & ~batch.broad_absorption
    row = int(np.flatnonzero(clear)[0])
    one = PlainMeans(means.flux[row : row + 1], means.inverse_variance[row : row + 1])
    redshift = batch.redshift[row : row + 1]
    found = []
    for depth in (0.0, 0.2, 0.4, 0.6):
        cut = with_trough(one, redshift, 5_000.0, 8_000.0, depth)
        found.append(float(absorption_evidence(cut.flux, cut.inverse_variance, redshift)[0]))
    assert found == sorted(found)


def test_a_spectrum_is_weighed_by_itself_to_the_last_bit(quasars: tuple[SimulatedBatch, PlainMeans]) -> None:
    batch, means = quasars
    together = absorption_evidence(means.flux, means.inverse_variance, batch.redshift)
    for row in np.flatnonzero(np.isfinite(together))[:5].tolist():
        one = slice(row, row + 1)
        alone = absorption_evidence(means.flux[one], means.inverse_variance[one], batch.redshift[one])
        assert alone[0] == together[row]
        brighter = absorption_evidence(
            means.flux[one] * np.float32(4.0), means.inverse_variance[one] / np.float32(16.0), batch.redshift[one]
        )
        assert brighter[0] == pytest.approx(together[row], rel=1e-6, abs=1e-6)


def test_nothing_is_said_where_no_trough_could_be_seen(quasars: tuple[SimulatedBatch, PlainMeans]) -> None:
    """At low redshift, at none, and where the blue side of C IV is masked."""
    batch, means = quasars
    low = absorption_evidence(means.flux, means.inverse_variance, np.full(len(batch), LEAST_REDSHIFT))
    none = absorption_evidence(means.flux, means.inverse_variance, np.full(len(batch), np.nan))
    blind = means.inverse_variance * (COMMON_GRID.centres_angstrom > CIV_ANGSTROM * 3.0)
    masked = absorption_evidence(means.flux, blind.astype(np.float32), np.full(len(batch), 2.0))
    assert np.isnan(low).all()
    assert np.isnan(none).all()
    assert np.isnan(masked).all()


def test_flat_empty_and_wild_spectra_give_no_warning_and_no_certainty() -> None:
    flux = np.zeros((4, COMMON_GRID.n), np.float32)
    flux[3] = 1e15
    weight = np.array([0.0, 1.0, 1e20, 1e20], np.float32)[:, None] * np.ones_like(flux)
    found = absorption_evidence(flux, weight, np.full(4, 2.5))
    assert np.isnan(found[0])
    assert not (found > 1.0).any()


def test_the_network_stands_where_nothing_was_measured() -> None:
    network = np.array([0.1, 0.1, np.nan, 0.0, 1.0])
    found = with_evidence(network, np.array([np.nan, 30.0, 30.0, 0.0, 0.0]))
    assert found[0] == 0.1
    assert found[1] > 0.5
    assert np.isnan(found[2])
    assert 0.0 < found[3] < found[4] < 1.0
