"""Second redshifts: blended real spectra show both, single ones hardly ever a second, each spectrum by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.items import Spectrum
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.plain import PlainMeans, plain_means
from classifiers.preprocess.prepare import prepare
from classifiers.quasars.second import LEAST_APART, THRESHOLDS, redshift_at, second_redshifts, second_scores
from classifiers.training.evaluation.damage import blended
from classifiers.training.evaluation.real_spectra import native_spectra, real_spectra
from classifiers.training.simulation.simulator import SimulatedBatch, Simulator

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def means_of(spectra: Sequence[Spectrum]) -> PlainMeans:
    return plain_means(spectra, COMMON_GRID, prepare(spectra, COMMON_GRID).scale)


@pytest.fixture(scope="module")
def singles() -> tuple[SimulatedBatch, PlainMeans, Flags]:
    """Return bright simulated galaxies and quasars, and which are quasars."""
    kinds = {"GALAXY": 1.0, "QSO": 1.0}
    batch = Simulator.load().draw(400, np.random.default_rng(8), instrument="BOSS", kinds=kinds)
    return batch, means_of(native_spectra(batch.flux, batch.inverse_variance)), batch.kind == 1


def test_real_spectra_blended_show_both_redshifts_and_alone_no_second(data_dir: Path) -> None:
    """Where a second one is found it is that of the other spectrum."""
    spectra, labels = real_spectra(data_dir / "spectra")
    seen: dict[str, int] = {}
    for row, label in enumerate(labels):
        if label.group in ("GALAXY", "QSO") and label.snr > 8.0 and np.isfinite(label.redshift):
            seen.setdefault(label.object_id, row)
    rows = list(seen.values())
    redshift = np.array([labels[row].redshift for row in rows])
    quasar = np.array([labels[row].group == "QSO" for row in rows])
    other = np.array([int(np.argmax(np.abs(np.log1p(redshift) - np.log1p(own)) > 0.1)) for own in redshift])
    pairs = means_of([blended(spectra[rows[i]], spectra[rows[other[i]]]) for i in range(len(rows))])
    found = second_redshifts(pairs.flux, pairs.inverse_variance, redshift, quasar).redshift
    alone = means_of([spectra[row] for row in rows])
    false = second_redshifts(alone.flux, alone.inverse_variance, redshift, quasar).redshift
    fired = np.isfinite(found)
    right = np.abs(found - redshift[other]) < 0.01 * (1.0 + redshift[other])
    assert len(rows) > 30
    assert fired.mean() > 0.25
    assert right[fired].mean() > 0.9
    assert np.isfinite(false).sum() <= 1


def test_single_simulated_objects_have_no_second_redshift(singles: tuple[SimulatedBatch, PlainMeans, Flags]) -> None:
    batch, means, quasar = singles
    found = second_redshifts(means.flux, means.inverse_variance, batch.redshift, quasar)
    assert np.isfinite(found.redshift).sum() <= 1


def test_what_is_found_is_the_likelier_kind_at_its_own_threshold(
    singles: tuple[SimulatedBatch, PlainMeans, Flags],
) -> None:
    """Sums of galaxies and quasars: what stands out most, and only where its score is above the threshold."""
    batch, means, quasar = singles
    galaxies, quasars = np.flatnonzero(~quasar)[:120], np.flatnonzero(quasar)[:120]
    flux = means.flux[galaxies] + means.flux[quasars]
    weight = 1.0 / (1.0 / np.maximum(means.inverse_variance[galaxies], 1e-9) + 1.0 / np.maximum(
        means.inverse_variance[quasars], 1e-9
    ))  # fmt: skip
    weight = (weight * (means.inverse_variance[galaxies] > 0) * (means.inverse_variance[quasars] > 0)).astype(
        np.float32
    )
    flux = np.where(weight > 0, flux, np.float32(0.0))
    first, of_quasar = batch.redshift[quasars], np.ones(len(quasars), np.bool_)
    found = second_redshifts(flux, weight, first, of_quasar)
    place, score = second_scores(flux, weight, first, of_quasar)
    over = score / np.array(THRESHOLDS[1])
    fired = np.isfinite(found.redshift)
    np.testing.assert_array_equal(fired, over.max(axis=1) > 1.0)
    np.testing.assert_array_equal(found.quasar[fired], over[fired].argmax(axis=1) == 1)
    picked = redshift_at(place)[np.arange(len(place)), over.argmax(axis=1)]
    np.testing.assert_array_equal(found.redshift[fired], picked[fired])
    assert fired.sum() > 10
    truth = batch.redshift[galaxies][fired]
    assert np.median(np.abs(found.redshift[fired] - truth) / (1.0 + truth)) < 0.003


def test_no_second_redshift_is_near_the_first(singles: tuple[SimulatedBatch, PlainMeans, Flags]) -> None:
    batch, means, quasar = singles
    place, score = second_scores(means.flux, means.inverse_variance, batch.redshift, quasar)
    apart = np.abs(np.log10(1.0 + redshift_at(place)) - np.log10(1.0 + batch.redshift)[:, None])
    assert (apart[score > 0.0] > 0.95 * LEAST_APART).all()


def test_a_spectrum_is_searched_by_itself_to_the_last_bit(singles: tuple[SimulatedBatch, PlainMeans, Flags]) -> None:
    batch, means, quasar = singles
    place, score = second_scores(means.flux, means.inverse_variance, batch.redshift, quasar)
    for row in np.argsort(-score.max(axis=1))[:6].tolist():
        one = slice(row, row + 1)
        alone = second_scores(means.flux[one], means.inverse_variance[one], batch.redshift[one], quasar[one])
        np.testing.assert_array_equal(alone[0], place[one])
        np.testing.assert_array_equal(alone[1], score[one])
        brighter = second_scores(
            means.flux[one] * np.float32(4.0), means.inverse_variance[one] / np.float32(16.0), batch.redshift[one],
            quasar[one],
        )  # fmt: skip
        np.testing.assert_allclose(brighter[1], score[one], rtol=1e-3, atol=1e-3)


def test_flat_empty_and_wild_spectra_have_none_and_give_no_warning() -> None:
    flux = np.zeros((5, COMMON_GRID.n), np.float32)
    flux[3] = 1e15
    flux[4, 700] = 1e10
    weight = np.array([0.0, 1.0, 1e20, 1e20, 1.0], np.float32)[:, None] * np.ones_like(flux)
    for quasar in (np.zeros(5, np.bool_), np.ones(5, np.bool_)):
        for redshift in (-0.05, 0.0, 2.5, 7.9):
            found = second_redshifts(flux, weight, np.full(5, redshift), quasar)
            assert np.isnan(found.redshift).all()
