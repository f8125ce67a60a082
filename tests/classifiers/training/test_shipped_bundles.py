"""The bundles that ship, through the way that users have, against floors that a broken bundle would fall through.

The floors lie well below what was measured (README, Evaluation), because the real sets are small.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.bundle.folder import GOLDEN_FILE, load_bundle
from classifiers.loaded import load_engines
from classifiers.runtimes.independence import dependent_outputs
from classifiers.runtimes.onnx_cpu import OnnxEngine
from classifiers.suite import MODELS, suites
from classifiers.training.evaluation.document import Report
from classifiers.training.evaluation.evaluate import evaluate
from classifiers.training.samples import draw_samples
from classifiers.training.simulation.simulator import Simulator

SPECTRAL = ("spectral-classifier", "spectral-anomaly", "qso-finder")
FLOORS = {
    "GALAXY recall": 0.85,
    "QSO recall": 0.95,
    "STAR recall": 0.95,
    "13 classes": 0.70,
    "star type, within one": 0.85,
    "GALAXY redshift within 0.01 (1+z)": 0.85,
    "QSO redshift within 0.01 (1+z)": 0.90,
    "QSO finder: completeness at P(QSO) > 0.5": 0.90,
    "QSO finder: redshift within 0.01 (1+z)": 0.85,
    "unknown: blank sky": 0.60,
}
CEILINGS = {"false unknown, known objects": 0.10, "QSO finder: others taken for a QSO": 0.10}


@pytest.fixture(scope="module")
def report(data_dir: Path) -> Report:
    engines = load_engines([MODELS / name for name in SPECTRAL])
    return evaluate(suites(engines)["spectrum"], data_dir / "spectra")


@pytest.mark.slow
@pytest.mark.parametrize("measure", FLOORS)
def test_real_spectra_are_classified_above_the_floor(report: Report, measure: str) -> None:
    assert report.proportion(measure).value >= FLOORS[measure], report.to_markdown()


@pytest.mark.slow
@pytest.mark.parametrize("measure", CEILINGS)
def test_false_alarms_on_real_spectra_stay_below_the_ceiling(report: Report, measure: str) -> None:
    assert report.proportion(measure).value <= CEILINGS[measure], report.to_markdown()


@pytest.mark.parametrize("name", SPECTRAL)
def test_a_shipped_bundle_is_intact_calibrated_and_gives_its_golden_outputs(name: str) -> None:
    bundle = load_bundle(MODELS / name)
    assert bundle.calibration("onnxruntime", "fp32").domain == "SIMULATED"
    assert len(bundle.graph) < 5_000_000
    with np.load(bundle.folder / GOLDEN_FILE, allow_pickle=False) as golden:
        inputs = {tensor.name: golden[f"input_{tensor.name}"] for tensor in bundle.manifest.inputs}
        found = OnnxEngine(bundle).run(inputs)
        for output, value in found.items():
            np.testing.assert_allclose(value, golden[f"output_{output}"], rtol=2e-3, atol=2e-4, err_msg=output)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECTRAL)
def test_a_rows_answer_does_not_depend_on_its_batch(name: str) -> None:
    flux, inverse_variance = draw_samples(Simulator.load(), 70, seed=21).inputs()
    engine = OnnxEngine(load_bundle(MODELS / name))
    inputs = {"flux": flux, "inverse_variance": inverse_variance}
    assert dependent_outputs(engine, inputs, np.random.default_rng(2)) == ()


@pytest.mark.slow
def test_scaling_flux_by_a_power_of_two_changes_no_class() -> None:
    flux, inverse_variance = draw_samples(Simulator.load(), 64, seed=22).inputs()
    engine = OnnxEngine(load_bundle(MODELS / "spectral-classifier"))
    plain = engine.run({"flux": flux, "inverse_variance": inverse_variance})["class_logits"]
    scaled = engine.run({"flux": flux * 8, "inverse_variance": inverse_variance / 64})["class_logits"]
    np.testing.assert_allclose(np.exp(scaled), np.exp(plain), atol=1e-4)


@pytest.mark.slow
def test_probabilities_sum_to_one_and_entropy_splits_into_parts_that_are_not_negative() -> None:
    flux, inverse_variance = draw_samples(Simulator.load(), 64, seed=23).inputs()
    engine = OnnxEngine(load_bundle(MODELS / "spectral-classifier"))
    found = engine.run({"flux": flux, "inverse_variance": inverse_variance})
    np.testing.assert_allclose(np.exp(found["class_logits"]).sum(axis=1), 1.0, atol=1e-4)
    np.testing.assert_allclose(found["other_type_probability"].sum(axis=1), 1.0, atol=1e-4)
    parts = found["aleatoric_entropy"] + found["mutual_information"]
    np.testing.assert_allclose(parts, found["entropy"], atol=1e-5)
    assert (found["mutual_information"] >= 0).all()
    assert (found["entropy"] <= np.log(13) + 1e-5).all()
    assert ((found["redshift_margin"] >= 0) & (found["redshift_margin"] <= 1)).all()
    assert (found["redshift_error"] >= 0).all()
