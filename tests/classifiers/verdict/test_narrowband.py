"""Verdicts on pseudo-spectra: the numbers of one record agree with each other, and nothing absent is published."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from classifiers.bundle.calibration import Calibration
from classifiers.bundle.manifest import OUTPUTS, Manifest
from classifiers.preprocess.prepare import PreparedBatch
from classifiers.quality import Quality
from classifiers.verdict.answers import Answer
from classifiers.verdict.calibrate import score_calibration
from classifiers.verdict.narrowband import narrowband_verdicts

BANDS = 5
SHAPES: dict[str, tuple[int, ...]] = {"class_logits": (4,), "contribution": (BANDS,)}
CLASSES = ("QSO_LOW_Z", "QSO_HIGH_Z", "GALAXY", "STAR")


def fields(**more: Any) -> dict[str, Any]:
    bands = [
        {"name": f"B{i}", "wavelength_angstrom": 4000.0 + 100 * i, "tolerance_angstrom": 40.0} for i in range(BANDS)
    ]
    return {
        "name": "tiny", "version": "1", "role": "narrowband", "class_scheme": "TINY", "class_names": CLASSES,
        "star_classes": ("STAR",), "qso_classes": CLASSES[:2], "high_z_classes": CLASSES[1:2], "qso_z_threshold": 2.1,
        "bands": bands, "zwarn_snr": 3.0, "domain": {"min_coverage": 0.5, "samplings": ("NARROWBAND",)},
        "inputs": [{"name": name, "shape": (BANDS,)} for name in ("flux", "inverse_variance")],
        "outputs": [{"name": name, "shape": SHAPES.get(name, ())} for name in OUTPUTS["narrowband"]],
        "batch_buckets": (2,), "training": {"command": "tests", "seed": 0}, "files": {}, **more,
    }  # fmt: skip


def prepared(n: int, **more: Any) -> PreparedBatch:
    values: dict[str, Any] = {
        "flux": np.tile(np.arange(1.0, 1.0 + BANDS, dtype=np.float32), (n, 1)),
        "inverse_variance": np.ones((n, BANDS), np.float32),
        "scale": np.ones(n), "snr": np.full(n, 10.0), "coverage": np.ones(n), "quality_flags": np.zeros(n, np.int64),
    }  # fmt: skip
    return PreparedBatch(**{**values, **more})


def outputs(logits: list[list[float]], **more: Any) -> dict[str, Any]:
    n = len(logits)
    values: dict[str, Any] = {
        name: np.full((n, *SHAPES.get(name, ())), 0.5, np.float32) for name in OUTPUTS["narrowband"]
    }
    return {**values, "class_logits": np.array(logits, np.float32), **more}


def answer(logits: list[list[float]], calibration: Calibration | None = None, **more: Any) -> Answer:
    return Answer(Manifest(**fields()), calibration or Calibration(id="c", n=1), outputs(logits, **more))


def test_quasar_probabilities_are_sums_of_class_probabilities() -> None:
    """At the calibrated temperature; never beyond 1, and the high-redshift part never beyond the whole."""
    logits = [[2.0, 1.0, 0.0, -1.0], [30.0, 30.0, -30.0, -30.0], [0.0, 9.0, 1.0, 2.0]]
    verdicts = narrowband_verdicts(answer(logits, Calibration(id="c", n=1, temperature=2.0)), prepared(3))
    classes = verdicts.class_probabilities
    np.testing.assert_allclose(classes.sum(axis=1), 1.0)
    np.testing.assert_allclose(np.log(classes[0, 0] / classes[0, 1]), 0.5)
    np.testing.assert_allclose(verdicts.columns["p_qso"], classes[:, 0] + classes[:, 1])
    np.testing.assert_allclose(verdicts.columns["p_qso_high_z"], classes[:, 1])
    assert (verdicts.columns["p_qso"] <= 1).all()
    assert (verdicts.columns["qso_z_threshold"] == 2.1).all()


def test_a_star_has_no_redshift_but_a_quasar_solution() -> None:
    """The solution of the top class is published for quasars and galaxies alone."""
    verdicts = narrowband_verdicts(answer([[0, 0, 0, 5.0], [0, 0, 5.0, 0], [5.0, 0, 0, 0]]), prepared(3))
    assert np.isnan(verdicts.columns["redshift"]).tolist() == [True, False, False]
    assert np.isfinite(verdicts.columns["redshift_qso"]).all()
    assert verdicts.zwarn.tolist() == [-1, 0, 0]


def test_a_faulty_answer_is_bad_data_and_publishes_nothing() -> None:
    """NaN or inf in one output takes its row out, and no other."""
    redshift = np.array([0.5, np.nan, 0.5], np.float32)
    verdicts = narrowband_verdicts(answer([[1.0, 0, 0, 0]] * 3, redshift=redshift), prepared(3))
    assert list(verdicts.unknown_reason) == [None, "BAD_DATA", None]
    assert verdicts.top_class.tolist() == [0, -1, 0]
    assert np.isnan(verdicts.class_probabilities[1]).all()
    assert verdicts.quality_flags[1] & Quality.NON_FINITE_OUTPUT


def test_novelty_is_conformal_and_names_the_band() -> None:
    """A score beyond the calibration sample is NOVEL, with the wavelength that contributes most."""
    calibration = score_calibration("c", np.random.default_rng(0).random(5000), p_other_threshold=None)
    contribution = np.zeros((2, BANDS), np.float32)
    contribution[1, 3] = 9.0
    score = np.array([0.5, 2.0], np.float32)
    verdicts = narrowband_verdicts(
        answer([[1.0, 0, 0, 0]] * 2, calibration, score=score, contribution=contribution), prepared(2)
    )
    assert list(verdicts.unknown_reason) == [None, "NOVEL"]
    assert verdicts.columns["unknown_p_value"][1] < verdicts.columns["unknown_p_value"][0]
    assert np.isnan(verdicts.columns["anomaly_wavelength_angstrom"][0])
    assert verdicts.columns["anomaly_wavelength_angstrom"][1] == 4300.0


def test_few_bands_are_out_of_domain_and_low_snr_warns() -> None:
    """Two of five bands; S/N 1."""
    batch = prepared(2, coverage=np.array([0.4, 1.0]), snr=np.array([10.0, 1.0]))
    verdicts = narrowband_verdicts(answer([[1.0, 0, 0, 0]] * 2), batch)
    assert list(verdicts.unknown_reason) == ["OUT_OF_DOMAIN", None]
    assert verdicts.zwarn.tolist() == [16, 1]


def test_a_negative_source_is_bad_data_and_no_discovery() -> None:
    """However strange its score is: no light is negative."""
    calibration = score_calibration("c", np.random.default_rng(0).random(5000), p_other_threshold=None)
    strange = answer([[1.0, 0, 0, 0]] * 2, calibration, score=np.full(2, 9.0, np.float32))
    verdicts = narrowband_verdicts(strange, prepared(2, snr=np.array([-5.0, 10.0])))
    assert list(verdicts.unknown_reason) == ["BAD_DATA", "NOVEL"]


def test_empty_sky_has_no_signal_and_what_is_fainter_than_the_mocks_is_out_of_domain() -> None:
    """By the bundle's two limits of S/N."""
    domain = {"min_coverage": 0.5, "samplings": ("NARROWBAND",), "min_snr": 1.0, "no_signal_snr": 0.7}
    known = replace(answer([[1.0, 0, 0, 0]] * 3), manifest=Manifest(**fields(domain=domain)))
    verdicts = narrowband_verdicts(known, prepared(3, snr=np.array([0.2, 0.9, 1.1])))
    assert list(verdicts.unknown_reason) == ["NO_SIGNAL", "OUT_OF_DOMAIN", None]


def test_what_lacks_bands_is_judged_among_its_like() -> None:
    """A score that is strange for a source in all bands, and ordinary for one in four of five."""
    scores = np.random.default_rng(0).random(10_000)
    lacks = np.arange(10_000) % 2 == 0
    calibration = score_calibration("c", scores + 3.0 * lacks, lacks, p_other_threshold=None)
    domain = {"min_coverage": 0.5, "full_coverage": 0.9, "samplings": ("NARROWBAND",)}
    known = answer([[1.0, 0, 0, 0]] * 3, calibration, score=np.array([2.0, 2.0, 5.0], np.float32))
    known = replace(known, manifest=Manifest(**fields(domain=domain)))
    verdicts = narrowband_verdicts(known, prepared(3, coverage=np.array([1.0, 0.8, 0.8])))
    assert list(verdicts.unknown_reason) == ["NOVEL", None, "NOVEL"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bands": []}, "needs bands"),
        ({"qso_z_threshold": None}, "needs qso_z_threshold"),
        ({"high_z_classes": ()}, "needs qso_classes and high_z_classes"),
        ({"high_z_classes": ("GALAXY",)}, "every one of qso_classes"),
        ({"qso_classes": ("QSO_LOW_Z", "QSO_HIGH_Z", "BLAZAR")}, "every one of qso_classes"),
        (
            {"bands": [{"name": f"B{i}", "wavelength_angstrom": 4000.0 + 100 * i, "tolerance_angstrom": 60.0}
                       for i in range(BANDS)]},
            "tolerances not overlap",
        ),
        ({"inputs": [{"name": name, "shape": (BANDS + 1,)} for name in ("flux", "inverse_variance")]}, "row shape"),
    ],
)  # fmt: skip
def test_a_manifest_that_contradicts_itself_is_refused(wrong: dict[str, Any], message: str) -> None:
    """Bands, quasar classes and threshold belong together."""
    with pytest.raises(ValueError, match=message):
        Manifest(**fields(**wrong))
