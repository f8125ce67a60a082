"""The stage of stars: velocities and types of what looks like a star, nothing of what does not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from classifiers.items import InlineAxis, Spectrum
from classifiers.loaded import load_engines
from classifiers.preprocess.air_vacuum import refractive_index
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.spectral.measuring import measured
from classifiers.spectral.stars import CLASSES, is_measured
from classifiers.suite import MODELS, open_suites
from classifiers.training.evaluation.real_spectra import native_spectra
from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, PIXELS
from classifiers.training.simulation.scheme import CLASSES as ALL_CLASSES
from classifiers.training.simulation.scheme import FIRST_STAR
from classifiers.training.simulation.simulator import SimulatedBatch, Simulator
from classifiers.verdict.answers import Answer
from classifiers.verdict.measured import Measured

CLASSIFIER = MODELS / "spectral-classifier"
C_KM_S = 299_792.458


@cache
def simulated(kind: str) -> tuple[SimulatedBatch, list[Spectrum]]:
    """Return 96 simulated spectra of a kind with their truth."""
    batch = Simulator.load().draw(96, np.random.default_rng((8, len(kind))), instrument="BOSS", kinds={kind: 1.0})
    return batch, native_spectra(batch.flux, batch.inverse_variance)


def answer(rows: list[dict[str, float]], other: float = 0.01) -> Answer:
    """Return a classifier's answer with these probabilities."""
    loaded = load_engines([CLASSIFIER])[0]
    names, calibration = loaded.bundle.manifest.class_names, loaded.bundle.calibration("onnxruntime", "fp32")
    shares = np.array([[*(row.get(name, 1e-3) for name in names), other] for row in rows])
    outputs: dict[str, Any] = {
        "class_logits": (np.log(shares) * calibration.temperature).astype(np.float32),
        "redshift": np.full(len(rows), 0.1, np.float32),
        "redshift_error": np.full(len(rows), 1e-3, np.float32),
        "alternative_class": np.full((len(rows), 1), -1),
        "alternative_redshift": np.zeros((len(rows), 1), np.float32),
        "alternative_probability": np.zeros((len(rows), 1), np.float32),
    }
    return Answer(loaded.bundle.manifest, calibration, outputs)


def stage(spectra: list[Spectrum], given: Answer) -> Measured:
    found = measured(spectra, prepare(spectra, COMMON_GRID), given)
    assert found is not None
    return found


def test_stars_get_velocities_and_shares_of_their_types() -> None:
    batch, spectra = simulated("STAR")
    labels = np.minimum(batch.class_index, len(ALL_CLASSES) - 1)  # for an M dwarf the last stands in
    found = stage(spectra, answer([{ALL_CLASSES[index]: 0.6} for index in labels]))
    bright = batch.snr > 10
    difference = (found.radial_velocity_km_s - C_KM_S * batch.redshift)[bright]
    assert np.isfinite(difference).mean() > 0.9
    assert np.nanmedian(np.abs(difference)) < 12.0
    assert (found.radial_velocity_error_km_s[bright & np.isfinite(found.radial_velocity_km_s)] > 0).all()
    columns = [ALL_CLASSES.index(name) for name in CLASSES]
    assert columns == list(range(FIRST_STAR, FIRST_STAR + 7))
    np.testing.assert_allclose(found.share[:, columns].sum(axis=1), 1.0)
    assert np.isnan(found.share[:, :FIRST_STAR]).all()
    assert np.isnan(found.redshift).all()


@pytest.mark.parametrize(
    ("probabilities", "other"), [({"STAR_K5": 0.9}, 9.0), ({"QSO_nan": 0.9}, 0.01), ({"GALAXY_nan": 0.9}, 0.01)]
)
def test_another_type_a_quasar_and_a_galaxy_have_no_velocity(probabilities: dict[str, float], other: float) -> None:
    _, spectra = simulated("STAR")
    found = stage(spectra[:4], answer([probabilities] * 4, other))
    assert np.isnan(found.radial_velocity_km_s).all()
    assert np.isnan(found.radial_velocity_error_km_s).all()
    assert np.isnan(found.share[:, FIRST_STAR:]).all()


def test_stars_and_galaxies_of_one_batch_are_measured_as_alone() -> None:
    _, stars = simulated("STAR")
    _, galaxies = simulated("GALAXY")
    mixed = [stars[0], galaxies[0], stars[1], galaxies[1]]
    said = [{"STAR_G2": 0.9}, {"GALAXY_nan": 0.9}, {"STAR_A0": 0.9}, {"GALAXY_AGN": 0.9}]
    together = stage(mixed, answer(said))
    for row, (spectrum, one) in enumerate(zip(mixed, said, strict=True)):
        alone = stage([spectrum], answer([one]))
        for name in ("share", "redshift", "radial_velocity_km_s", "radial_velocity_error_km_s"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[row], err_msg=name)


def velocities(spectra: list[Spectrum], star_type: str) -> np.ndarray:
    return stage(spectra, answer([{star_type: 0.9}] * len(spectra))).radial_velocity_km_s


def bright_stars() -> list[Spectrum]:
    batch, spectra = simulated("STAR")
    rows = np.flatnonzero(batch.snr > 15)
    assert rows.size > 20
    return [spectra[row] for row in rows.tolist()]


def test_topocentric_wavelengths_are_brought_to_the_barycentre() -> None:
    spectra = bright_stars()
    for correction in (-26.0, 29.5):
        stated = [replace(each, velocity_correction_km_s=correction) for each in spectra]
        moved = velocities(stated, "STAR_G2") - velocities(spectra, "STAR_G2")
        assert abs(np.nanmedian(moved) - correction) < 3.0
        assert np.nanmedian(np.abs(moved - correction)) < 5.0
    assert np.isfinite(velocities(spectra, "STAR_G2")).mean() > 0.9


def test_wavelengths_in_air_give_the_velocity_of_those_in_vacuum() -> None:
    spectra = bright_stars()
    vacuum = 10.0 ** (LOG10_START + LOG10_STEP * np.arange(PIXELS))
    axis = InlineAxis(vacuum / refractive_index(vacuum), b"air")
    in_air = [replace(each, axis=axis, medium="AIR") for each in spectra]
    difference = velocities(in_air, "STAR_G2") - velocities(spectra, "STAR_G2")
    assert np.isfinite(difference).mean() > 0.9
    assert np.nanmax(np.abs(difference)) < 3.0


def test_other_star_classes_or_another_grid_are_left_alone() -> None:
    given = answer([{"STAR_G2": 0.9}])
    assert is_measured(given.manifest)
    for change in ({"star_classes": ("STAR_M",)}, {"grid": None}):
        manifest = SimpleNamespace(star_classes=given.manifest.star_classes, grid=given.manifest.grid)
        vars(manifest).update(change)
        assert not is_measured(manifest)  # type: ignore[arg-type]


def test_the_shipped_classifier_publishes_velocities_of_stars_alone() -> None:
    suite = open_suites([CLASSIFIER])["spectrum"]
    batch, spectra = simulated("STAR")
    _, galaxies = simulated("GALAXY")
    verdicts = suite.classify([*spectra, *galaxies])
    star = np.array([index >= FIRST_STAR for index in verdicts.top_class])
    velocity, error = (verdicts.columns[f"radial_velocity_{name}"] for name in ("km_s", "error_km_s"))
    assert np.isnan(velocity[~star]).all()
    np.testing.assert_array_equal(np.isfinite(velocity), np.isfinite(error))
    bright = np.flatnonzero((batch.snr > 10) & star[: len(spectra)])
    assert bright.size > 20
    difference = velocity[bright] - C_KM_S * batch.redshift[bright]
    assert np.isfinite(difference).mean() > 0.9
    assert np.nanmedian(np.abs(difference)) < 12.0
    assert np.isnan(verdicts.columns["redshift"][star]).all()
