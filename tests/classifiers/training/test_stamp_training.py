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
from classifiers.runtimes.opening import RuntimeOptions, open_engine
from classifiers.suite import open_suites
from classifiers.training.evaluation.document import Matrix, Report, Table
from classifiers.training.stamps.anomalies import KINDS
from classifiers.training.stamps.artefacts import KINDS as ARTEFACTS
from classifiers.training.stamps.evaluate import RealAlert, as_section, evaluate_images
from classifiers.training.stamps.ranking import auroc, auroc_interval, rank_correlation
from classifiers.training.stamps.scheme import CLASS_SCHEME, CLASSES, SHARES, StampClass
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
    assert bundle.manifest.class_scheme == CLASS_SCHEME
    assert bundle.manifest.class_names == CLASSES
    assert metrics["class_prior"] == dict(zip(CLASSES, SHARES, strict=True))
    assert calibration.temperature != 1
    assert bundle.manifest.tolerances["fp32"].probability > 0  # torch's golden answers differ in last bits
    assert all(len(metrics[name]) == 2 for name in metrics if name.startswith("training_"))
    assert metrics["training_loss_nat_per_pixel"][1] < metrics["training_loss_nat_per_pixel"][0]
    assert events[-1] == ("done", 1.0)
    assert all(0 <= fraction <= 1 for _, fraction in events)


@pytest.mark.slow
def test_evaluation_scores_classes_flags_and_real_bogus(trained: tuple[Path, dict[str, Any], list[Any]]) -> None:
    simulated = simulate_stamps(12, np.random.default_rng(1))
    real = [
        RealAlert("ZTF", item, {"rb": 0.08 * row}, StampClass.HOSTLESS if row == 3 else None, "why" if row == 3 else "")
        for row, item in enumerate(simulated.items())
    ]
    report = evaluate_images(open_suites([trained[0]])["image"], real, seed=5, n=60)
    assert report.proportion("simulated: NOVEL").n == 60
    assert report.proportion("ZTF: same side of 0.5 as rb").n == 12
    assert report.proportion("why").n == 1
    assert sum(report.proportion(f"simulated: recall of {name}").n for name in CLASSES) == 60
    names = {number.name for number in report.numbers}
    assert all(any(kind in name for name in names) for kind in KINDS)
    assert "ZTF: rank correlation of P(not ARTEFACT) with rb" in names
    assert report.to_json().startswith("{")
    proportions, numbers, matrix = as_section(report).items
    assert isinstance(proportions, Table)
    assert len(proportions.rows) == sum(each.n > 0 for each in report.proportions)
    assert isinstance(numbers, Table)
    assert isinstance(matrix, Matrix)
    assert sum(map(sum, matrix.counts)) == 60


@pytest.mark.parametrize(("found", "columns"), [(CLASSES[1], CLASSES), ("none", (*CLASSES, "none"))])
def test_alerts_without_a_class_have_a_column_where_there_are_any(found: str, columns: tuple[str, ...]) -> None:
    *_, matrix = as_section(Report("t", {}, [], [], {CLASSES[0]: {CLASSES[0]: 3, found: 2}})).items
    assert isinstance(matrix, Matrix)
    assert tuple(matrix.columns) == columns
    assert matrix.counts[0][columns.index(found)] == 2
    assert sum(map(sum, matrix.counts)) == 5


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


def test_the_interval_of_an_auroc_narrows_with_the_sample_and_stays_in_bounds() -> None:
    low, high = auroc_interval(0.9, 20, 20)
    assert 0 <= low < 0.9 < high <= 1
    assert auroc_interval(0.9, 200, 200)[0] > low
    assert auroc_interval(1.0, 5, 5) == (1.0, 1.0)
    assert auroc_interval(0.8, 54, 54) == pytest.approx((0.7158, 0.8842), abs=2e-3)  # s.e. 0.043, equation 1


def test_rank_correlation_knows_order_and_its_absence() -> None:
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([10.0, 20, 90])) == pytest.approx(1)
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == pytest.approx(-1)
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([1.0, 1, 1])) is None


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(SHIPPED)


def test_the_shipped_bundle_answers_its_golden_inputs(shipped: Bundle) -> None:
    report = compare_golden(shipped, open_engine(shipped, RuntimeOptions("onnxruntime")))
    assert report is not None
    assert report.relative < 1e-3


def test_the_shipped_bundle_answers_a_row_alike_in_any_batch(shipped: Bundle) -> None:
    prepared = prepare_stamps(simulate_stamps(50, np.random.default_rng(2)).items())
    engine = open_engine(shipped, RuntimeOptions("onnxruntime"))
    inputs = {"stamps": prepared.stamps, "mask": prepared.mask}
    assert dependent_outputs(engine, inputs, np.random.default_rng(3), rounds=2) == ()


@pytest.fixture(scope="module")
def measured() -> Report:
    return evaluate_images(open_suites([SHIPPED])["image"], ())


@pytest.mark.slow
def test_the_shipped_bundle_holds_its_rate_and_knows_its_classes(measured: Report) -> None:
    assert measured.proportion("simulated: NOVEL").interval[0] <= 0.01
    assert measured.proportion("simulated: p-value at most 0.05").value < 0.1
    assert all(measured.proportion(f"simulated: recall of {name}").value > 0.75 for name in CLASSES)
    assert all(measured.proportion(f"simulated: {kind} called ARTEFACT").value > 0.8 for kind in ARTEFACTS)
    assert number(measured, "simulated: AUROC of P(not ARTEFACT)") > 0.98


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "least"), [("dipole", 0.75), ("bad_column", 0.9), ("streak", 0.75)])
def test_injected_faults_make_the_shipped_bundle_doubt_that_a_change_is_real(
    measured: Report, kind: str, least: float
) -> None:
    assert number(measured, f"AUROC of P(ARTEFACT): {kind}") > least


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "least"), [("dipole", 0.75), ("bad_column", 0.75), ("streak", 0.95), ("comet", 0.85)])
def test_injected_events_raise_the_shipped_bundles_score(measured: Report, kind: str, least: float) -> None:
    assert number(measured, f"AUROC of the anomaly score: {kind}") > least


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "least"), [("streak", 0.75), ("comet", 0.25), ("dipole", 0.2)])
def test_events_that_no_training_saw_are_novel_at_the_declared_rate(measured: Report, kind: str, least: float) -> None:
    (found,) = [each for each in measured.proportions if each.name.startswith(f"injected, NOVEL: {kind}")]
    assert found.value > least


def number(report: Report, beginning: str) -> float:
    return next(each.value for each in report.numbers if each.name.startswith(beginning))


def test_every_pixel_of_the_contribution_is_non_negative_and_masked_ones_are_zero(shipped: Bundle) -> None:
    prepared = prepare_stamps(simulate_stamps(20, np.random.default_rng(8)).items())
    answer = open_engine(shipped, RuntimeOptions("onnxruntime")).run({"stamps": prepared.stamps, "mask": prepared.mask})
    assert (answer["contribution"] >= 0).all()
    assert (answer["contribution"][prepared.mask == 0] == 0).all()
    assert np.isfinite(answer["score"]).all()
    assert np.isfinite(answer["map"]).all()
    assert np.isfinite(answer["class_logits"]).all()
