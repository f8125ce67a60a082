"""Calibration on held-out simulations: factors worked by hand, and the three bundles made to fit together."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from classifiers.bundle.folder import load_bundle
from classifiers.loaded import load_engines
from classifiers.suite import MODELS, suites
from classifiers.training.bundles import BUNDLES
from classifiers.training.calibration import QSO_PRIOR, calibrate_bundles
from classifiers.training.error_factors import error_factor

ENOUGH = 4608
"""Simulations, about the least with which the bundles can hold their rates."""


@pytest.mark.slow
def test_the_error_factor_brings_pulls_to_unit_width() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.0, 3.0, 20_000)
    found = (truth + 0.02 * rng.standard_normal(truth.size)).astype(np.float32)
    assert error_factor(found, np.full(truth.size, 0.01, np.float32), truth) == pytest.approx(2.0, rel=0.03)


@pytest.mark.slow
def test_no_redshifts_to_judge_by_leave_errors_as_they_are() -> None:
    empty = np.zeros(0, np.float32)
    assert error_factor(empty, empty, np.zeros(0)) == 1.0


@pytest.mark.slow
def test_calibrated_bundles_fit_together_and_say_what_they_were_calibrated_on(tmp_path: Path) -> None:
    for name in BUNDLES:
        shutil.copytree(MODELS / name, tmp_path / name)
    written = calibrate_bundles(tmp_path, n=ENOUGH, seed=77)
    assert set(written) == set(BUNDLES)
    engines = load_engines([tmp_path / name for name in BUNDLES])
    for use in suites(engines)["spectrum"].engines():
        assert use.calibration_id == f"simulated-77-{ENOUGH}"
        assert use.calibration_domain == "SIMULATED"
    assert written["spectral-classifier"].fused is not None
    assert 0.3 < written["spectral-classifier"].temperature < 3.0
    assert load_bundle(tmp_path / "qso-finder").manifest.metrics["class_prior"] == QSO_PRIOR


@pytest.mark.slow
def test_too_few_held_out_spectra_are_refused(tmp_path: Path) -> None:
    for name in BUNDLES:
        shutil.copytree(MODELS / name, tmp_path / name)
    with pytest.raises(ValueError, match="known objects"):
        calibrate_bundles(tmp_path, n=300, seed=78)
