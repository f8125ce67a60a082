"""What the quasar finder's verdict holds: calibrated probabilities, beyond a threshold that a survey may choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration
from classifiers.bundle.manifest import INPUTS, OUTPUTS, SURVEY_HIGH_Z, Manifest
from classifiers.items import GridAxis, Spectrum
from classifiers.preprocess.prepare import PreparedBatch
from classifiers.verdict.answers import Answer
from classifiers.verdict.spectral import spectral_verdicts

N_PIXEL = 20


def manifest(more: tuple[str, ...] = (), **fields: Any) -> Manifest:
    shapes: dict[str, tuple[int, ...]] = {SURVEY_HIGH_Z: (2,)}
    values: dict[str, Any] = {
        "name": "finder", "version": "1", "role": "qso", "qso_z_threshold": 2.1,
        "grid": {"log10_start": 3.6, "log10_step": 1e-3, "n": N_PIXEL},
        "inputs": [{"name": name, "shape": (N_PIXEL,)} for name in INPUTS["qso"]],
        "outputs": [{"name": name, "shape": shapes.get(name, ())} for name in OUTPUTS["qso"] + more],
        "batch_buckets": (16,), "training": {"command": "", "seed": 0}, "files": {},
    }  # fmt: skip
    return Manifest.model_validate({**values, **fields})


def columns(surveys: Sequence[str], answer: Answer) -> dict[str, NDArray[Any]]:
    """Return the columns of the verdicts on one ordinary spectrum of each survey."""
    n, two = len(surveys), np.zeros(2, np.float32)
    axis = GridAxis("LINEAR", 4000.0, 1.0, 2)
    items = [
        Spectrum(axis, "VACUUM", two, two, "IVAR", "", None, 0.0, 2000.0, "DISPERSED", sky_fibre=False, survey=survey)
        for survey in surveys
    ]
    flux = (1 + 0.1 * np.random.default_rng(0).standard_normal((n, N_PIXEL))).astype(np.float32)
    weight, one = np.ones((n, N_PIXEL), np.float32), np.ones(n)
    prepared = PreparedBatch(flux, weight, one, snr=10 * one, coverage=one, quality_flags=np.zeros(n, np.int64))
    return dict(spectral_verdicts(items, prepared, {"qso": answer}).columns)


def test_quasar_columns_are_calibrated_probabilities() -> None:
    outputs = {
        name: np.full(2, value, np.float32)
        for name, value in (("qso_logit", 2.0), ("high_z_logit", 0.0), ("bal_logit", -2.0), ("redshift_qso", 2.4),
                            ("redshift_qso_error", 0.01))
    }  # fmt: skip
    answer = Answer(manifest(), Calibration(id="q", n=1, qso_temperature=2.0), outputs)
    found = columns(["SDSS"] * 2, answer)
    assert found["p_qso"][0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert found["p_qso_high_z"][0] == pytest.approx(0.5 / (1 + np.exp(-1)))
    assert found["qso_z_threshold"].tolist() == [2.1, 2.1]


def test_a_survey_with_a_threshold_of_its_own_is_answered_at_that() -> None:
    thresholds = ({"survey": "WEAVE", "redshift": 2.2}, {"survey": "OTHER", "redshift": 3.0})
    outputs: dict[str, Any] = {name: np.zeros(3, np.float32) for name in OUTPUTS["qso"]}
    outputs |= {"qso_logit": np.full(3, 40.0, np.float32), "high_z_logit": np.full(3, 2.0, np.float32)}
    outputs[SURVEY_HIGH_Z] = np.array([[-1.0, -3.0]] * 3, np.float32)
    declared = manifest((SURVEY_HIGH_Z,), survey_qso_z_thresholds=thresholds)
    answer = Answer(declared, Calibration(id="q", n=1, high_z_temperature=2.0), outputs)
    found = columns(["WEAVE", "SDSS", "OTHER"], answer)
    assert found["qso_z_threshold"].tolist() == [2.2, 2.1, 3.0]
    np.testing.assert_allclose(found["p_qso_high_z"], 1 / (1 + np.exp([0.5, -1.0, 1.5])), rtol=1e-6)


@pytest.mark.parametrize(
    ("more", "thresholds"),
    [
        ((), ({"survey": "WEAVE", "redshift": 2.2},)),
        ((SURVEY_HIGH_Z,), ()),
        ((SURVEY_HIGH_Z,), ({"survey": "WEAVE", "redshift": 2.2}, {"survey": "WEAVE", "redshift": 2.3})),
    ],
)
def test_thresholds_of_surveys_and_their_answers_belong_together(more: Any, thresholds: Any) -> None:
    with pytest.raises(ValueError, match="name each survey once and need the output survey_high_z_logit"):
        manifest(more, survey_qso_z_thresholds=thresholds)
