"""Calibration of bundles for another runtime: copies with tables of their own, the rest untouched."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import load_bundle
from classifiers.runtimes.opening import RuntimeOptions
from classifiers.suite import MODELS, open_suites
from classifiers.training.recalibrating import recalibrated

TORCH = RuntimeOptions("torch", "fp32", "cpu")
NAMES = ("spectral-classifier", "spectral-anomaly", "qso-finder", "stamp-anomaly", "jpas-qso-finder")


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return copies of the shipped bundles, calibrated for torch on few simulations."""
    names = [name for name in NAMES if "weights.safetensors" in load_bundle(MODELS / name).manifest.files]
    folder = tmp_path_factory.mktemp("copies")
    return recalibrated([MODELS / name for name in names], folder, TORCH, lambda *_: None, n=6144)


@pytest.mark.slow
def test_each_copy_has_a_calibration_of_its_own_beside_the_reference(copies: list[Path]) -> None:
    """Its id names runtime and dtype, and the bundle that ships is as it was."""
    for copy in copies:
        shipped, bundle = load_bundle(MODELS / copy.name), load_bundle(copy)
        own = bundle.calibration("torch", "fp32")
        assert own.id.endswith("-torch-fp32")
        assert "borrowed" in shipped.calibration("torch", "fp32").id
        reference = bundle.calibration("onnxruntime", "fp32")
        assert reference.temperature == shipped.calibration("onnxruntime", "fp32").temperature
        assert own.temperature == pytest.approx(reference.temperature, rel=0.2)
        assert bundle.manifest.metrics == shipped.manifest.metrics


@pytest.mark.slow
def test_copies_serve_on_both_runtimes_and_records_name_the_calibration(copies: list[Path]) -> None:
    """The classifier's fused tables know the anomaly bundle by its new digest, those of the reference, too."""
    for options in (TORCH, RuntimeOptions("onnxruntime")):
        for classifier in open_suites(copies, options).values():
            for engine in classifier.engines():
                assert "borrowed" not in engine.calibration_id
                assert (engine.runtime in engine.calibration_id) == (engine.runtime == "torch")


def test_a_classifier_without_its_anomaly_bundle_is_refused(tmp_path: Path) -> None:
    """The fused novelty score needs both."""
    with pytest.raises(BundleError, match="expected a spectral classifier and an anomaly bundle"):
        recalibrated([MODELS / "spectral-classifier"], tmp_path, TORCH, lambda *_: None)
