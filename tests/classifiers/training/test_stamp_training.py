"""A small training end to end, and what the shipped bundle promises.

Training imports torch, which takes seconds: only the tests that train import it, not collection.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.images.prepare import prepare_stamps
from classifiers.runtimes.golden import compare_golden
from classifiers.runtimes.independence import dependent_outputs
from classifiers.runtimes.opening import open_engine
from classifiers.training.stamps.evaluate import auroc, evaluate_stamp_bundle
from classifiers.training.stamps.simulate import simulate_stamps

SHIPPED = Path(__file__).resolve().parents[3] / "classifiers" / "models" / "stamp-anomaly"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[tuple[str, float]]]:
    from classifiers.training.stamps.train import train_stamp_bundle

    folder = tmp_path_factory.mktemp("bundle") / "stamp-anomaly"
    events: list[tuple[str, float]] = []
    metrics = train_stamp_bundle(
        3, 256, 2, folder, lambda what, fraction: events.append((what, fraction)), n_calibration=600
    )
    return folder, metrics, events


@pytest.mark.slow
def test_training_writes_an_intact_calibrated_bundle(trained: tuple[Path, dict[str, Any], list[Any]]) -> None:
    folder, metrics, events = trained
    bundle = load_bundle(folder)
    calibration = bundle.calibration("onnxruntime", "fp32")
    assert bundle.manifest.role == "image_anomaly"
    assert calibration.domain == "SIMULATED"
    assert calibration.n == 600
    assert metrics == bundle.manifest.metrics
    assert metrics["training_loss_nat_per_pixel"][1] < metrics["training_loss_nat_per_pixel"][0]
    assert events[-1] == ("done", 1.0)
    assert all(0 <= fraction <= 1 for _, fraction in events)


@pytest.mark.slow
def test_evaluation_reports_plain_numbers(trained: tuple[Path, dict[str, Any], list[Any]]) -> None:
    simulated = simulate_stamps(12, np.random.default_rng(1))
    real = [("ZTF", item, 2.0, 0.1 * row) for row, item in enumerate(simulated.items())]
    report = evaluate_stamp_bundle(trained[0], 5, 40, real)
    assert report["simulated"]["n"] == 40
    assert report["real"]["ZTF"]["n"] == 12
    assert set(report["simulated"]["artefacts"]) == {"dipole", "cosmic_ray", "bad_column", "streak"}
    assert -1 <= report["real_bogus"]["rank_correlation_with_p_value"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize(("n", "epochs"), [(0, 1), (10, 0)])
def test_nothing_to_train_on_is_refused(n: int, epochs: int, tmp_path: Path) -> None:
    from classifiers.training.stamps.train import train_stamp_bundle

    with pytest.raises(ValueError, match="at least 1"):
        train_stamp_bundle(1, n, epochs, tmp_path)


def test_auroc_is_the_probability_of_the_right_order() -> None:
    assert auroc(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 1
    assert auroc(np.array([0.0, 1.0]), np.array([1.0])) == 0.75
    assert auroc(np.array([5.0]), np.array([5.0])) == 0.5


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(SHIPPED)


def test_the_shipped_bundle_answers_its_golden_inputs(shipped: Bundle) -> None:
    report = compare_golden(shipped, open_engine(shipped, "onnxruntime").engine)
    assert report is not None
    assert report.relative < 1e-3


def test_the_shipped_bundle_answers_a_row_alike_in_any_batch(shipped: Bundle) -> None:
    prepared = prepare_stamps(simulate_stamps(50, np.random.default_rng(2)).items())
    engine = open_engine(shipped, "onnxruntime").engine
    inputs = {"stamps": prepared.stamps, "mask": prepared.mask}
    assert dependent_outputs(engine, inputs, np.random.default_rng(3), rounds=2) == ()


@pytest.mark.slow
def test_the_shipped_bundle_holds_its_rate_and_sees_artefacts(shipped: Bundle) -> None:
    report = evaluate_stamp_bundle(SHIPPED, 4711, 500)["simulated"]
    assert report["flagged_at_0.05"] < 50
    assert report["artefacts"]["streak"]["auroc"] > 0.75
    assert report["artefacts"]["bad_column"]["auroc"] > 0.9
    assert report["artefacts"]["dipole"]["auroc"] > 0.75
    assert all(kind["score_rises"] > 0.8 for kind in report["artefacts"].values())


def test_every_pixel_of_the_contribution_is_non_negative_and_masked_ones_are_zero(shipped: Bundle) -> None:
    prepared = prepare_stamps(simulate_stamps(20, np.random.default_rng(8)).items())
    answer = open_engine(shipped, "onnxruntime").engine.run({"stamps": prepared.stamps, "mask": prepared.mask})
    assert (answer["contribution"] >= 0).all()
    assert (answer["contribution"][prepared.mask == 0] == 0).all()
    assert np.isfinite(answer["score"]).all()
    assert np.isfinite(answer["map"]).all()
