"""The stage of quasars: their redshifts come from eigenspectra, near the network's or near another that it names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from classifiers.items import Spectrum
from classifiers.loaded import load_engines
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.quality import Quality
from classifiers.spectral.measuring import measured
from classifiers.spectral.quasars import FARTHEST
from classifiers.spectral.suite import SpectralSuite
from classifiers.suite import MODELS
from classifiers.training.evaluation.binned import area_under
from classifiers.training.evaluation.real_spectra import native_spectra
from classifiers.training.simulation.simulator import Simulator
from classifiers.verdict.answers import Answer
from classifiers.verdict.measured import Measured

CLASSIFIER = MODELS / "spectral-classifier"


@pytest.fixture(scope="module")
def quasars() -> tuple[list[Spectrum], np.ndarray[Any, np.dtype[np.float64]]]:
    """Return bright simulated quasars of redshifts 0.3 to 2.4, and those."""
    batch = Simulator.load().draw(120, np.random.default_rng(3), instrument="BOSS", kinds={"QSO": 1.0})
    rows = np.flatnonzero((batch.snr > 6.0) & (batch.redshift > 0.3) & (batch.redshift < 2.4))
    return native_spectra(batch.flux[rows], batch.inverse_variance[rows]), batch.redshift[rows]


def answer(
    redshift: np.ndarray[Any, np.dtype[np.float64]], other: np.ndarray[Any, np.dtype[np.float64]], share: float
) -> Answer:
    loaded = load_engines([CLASSIFIER])[0]
    names = loaded.bundle.manifest.class_names
    shares = np.array([0.8 if name == "QSO_BROADLINE" else 1e-3 for name in (*names, "OTHER")])
    n, calibration = len(redshift), loaded.bundle.calibration("onnxruntime", "fp32")
    outputs: dict[str, Any] = {
        "class_logits": np.tile(np.log(shares) * calibration.temperature, (n, 1)).astype(np.float32),
        "redshift": redshift.astype(np.float32),
        "redshift_error": np.full(n, 1e-5, np.float32),
        "alternative_class": np.tile([names.index("GALAXY_nan"), names.index("QSO_nan"), -1], (n, 1)),
        "alternative_redshift": np.column_stack([redshift, other, redshift]).astype(np.float32),
        "alternative_probability": np.tile(np.float32([0.05, share, 0.0]), (n, 1)),
    }
    return Answer(loaded.bundle.manifest, calibration, outputs)


def off(found: Measured, redshift: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.abs(found.redshift - redshift) / (1.0 + redshift)


def stage(spectra: list[Spectrum], given: Answer) -> Measured:
    found = measured(spectra, prepare(spectra, COMMON_GRID), given)
    assert found is not None
    return found


def test_redshifts_of_quasars_are_those_of_the_eigenspectra(
    quasars: tuple[list[Spectrum], np.ndarray[Any, np.dtype[np.float64]]],
) -> None:
    """However sure the network is of its own."""
    spectra, redshift = quasars
    found = stage(spectra, answer(redshift + 0.004 * (1.0 + redshift), redshift, 0.0))
    assert len(spectra) > 15
    assert np.median(off(found, redshift)) < 5e-4
    assert (found.redshift_error > 0).all()


@pytest.mark.parametrize(("share", "least", "most"), [(0.1, 0.85, 1.0), (0.001, 0.0, 0.1)])
def test_another_redshift_that_the_network_names_is_taken_where_it_fits(
    quasars: tuple[list[Spectrum], np.ndarray[Any, np.dtype[np.float64]]], share: float, least: float, most: float
) -> None:
    """Unless the network thinks hardly anything of it."""
    spectra, redshift = quasars
    wrong = np.where(redshift > 1.2, redshift - 0.8, redshift + 0.8)
    found = stage(spectra, answer(wrong, redshift, share))
    assert least <= np.mean(off(found, redshift) < 0.01) <= most


@pytest.mark.slow
def test_what_is_published_of_broad_absorption_rests_on_the_trough() -> None:
    """With a classifier beside it the finder tells absorbed quasars from others better; nearer ones keep its answer."""
    batch = Simulator.load().draw(1400, np.random.default_rng(4), instrument="BOSS", kinds={"QSO": 1.0})
    rows = np.flatnonzero(batch.snr > 3.0)
    spectra, absorbed = native_spectra(batch.flux[rows], batch.inverse_variance[rows]), batch.broad_absorption[rows]
    finder, classifier = load_engines([MODELS / "qso-finder"]), load_engines([CLASSIFIER])
    alone = SpectralSuite(finder).classify(spectra).columns["p_bal"]
    verdicts = SpectralSuite([*classifier, *finder]).classify(spectra)
    columns = verdicts.columns
    near = batch.redshift[rows] < 1.4
    near &= columns["redshift"] < 1.5
    np.testing.assert_array_equal(columns["p_bal"][near], alone[near])
    bit = verdicts.quality_flags & int(Quality.BROAD_ABSORPTION) > 0
    quasars = np.array([verdicts.class_names[top].startswith("QSO") for top in verdicts.top_class])
    np.testing.assert_array_equal(bit, quasars & (columns["p_bal"] > 0.5) & (columns["redshift"] > 1.5))
    assert bit.any()
    assert not bit.all()
    assert near.sum() > 100
    far = batch.redshift[rows] > 1.5
    areas = [
        area_under(probability[far & ~absorbed], probability[far & absorbed])
        for probability in (alone, columns["p_bal"])
    ]
    assert absorbed.sum() > 20
    assert areas[1] > 0.9 > areas[0]
    assert "p_bal" not in SpectralSuite(classifier).classify(spectra).columns


def test_a_redshift_that_is_published_is_not_among_the_others() -> None:
    """Where the fit takes another of the network's redshifts, the network's own is listed in its place."""
    batch = Simulator.load().draw(900, np.random.default_rng(8), instrument="SDSS", kinds={"QSO": 1.0})
    spectra, engines = native_spectra(batch.flux, batch.inverse_variance), load_engines([CLASSIFIER])
    found, clean = SpectralSuite(engines).classify(spectra), prepare(spectra, COMMON_GRID)
    own = engines[0].engine.run({"flux": clean.flux, "inverse_variance": clean.inverse_variance})["redshift"]
    published, others = found.columns["redshift"], found.alternative_redshift
    quasar = np.array([name.startswith("QSO") for name in found.class_names])
    taken = np.flatnonzero(quasar[found.top_class] & (np.abs(own - published) > 0.015 * (1.0 + published)))
    assert taken.size > 3
    assert np.isclose(others[taken], own[taken, None], atol=1e-5).any(axis=1).all()
    near = np.abs(others - published[:, None])[taken] < 0.006 * (1.0 + published[taken, None])
    assert not (near & quasar[found.alternative_class[taken]] & (found.alternative_class[taken] >= 0)).any()
    assert (found.zwarn[taken] & 2).all()


def test_the_farthest_quasars_keep_the_networks_redshift() -> None:
    """What the eigenspectra see there is Lyman alpha and its forest, where they fit far off more often."""
    batch = Simulator.load().draw(3000, np.random.default_rng(4), instrument="BOSS", kinds={"QSO": 1.0})
    rows = np.flatnonzero((batch.snr > 6.0) & (batch.redshift > 4.0))
    spectra, redshift = native_spectra(batch.flux[rows], batch.inverse_variance[rows]), batch.redshift[rows]
    found = stage(spectra, answer(redshift, redshift, 0.0))
    far, near = redshift > FARTHEST + 0.1, redshift < FARTHEST - 0.1
    assert min(far.sum(), near.sum()) > 10
    assert np.isnan(found.redshift[far]).all()
    assert np.isnan(found.redshift_error[far]).all()
    assert np.isfinite(found.redshift[near]).mean() > 0.9
