"""Every bundle that ships: intact, loadable, and true to the promise that a row never depends on its batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.bundle.folder import load_bundle
from classifiers.runtimes.independence import dependent_outputs
from classifiers.runtimes.opening import RuntimeOptions, open_engine
from classifiers.suite import default_bundles, open_suites
from classifiers.training.calibration import QSO_PRIOR
from classifiers.training.stamps.scheme import CLASS_PRIOR


@pytest.mark.slow
@pytest.mark.parametrize("folder", default_bundles(), ids=lambda folder: folder.name)
def test_a_row_of_a_shipped_bundle_is_the_same_bits_in_any_batch(folder: Path) -> None:
    bundle = load_bundle(folder)
    rng = np.random.default_rng(11)
    inputs = {
        tensor.name: rng.standard_normal((37, *tensor.shape)).astype(np.float32) for tensor in bundle.manifest.inputs
    }
    for name in ("inverse_variance", "mask"):
        if name in inputs:
            inputs[name] = (inputs[name] > -1).astype(np.float32)
    engine = open_engine(bundle, RuntimeOptions("onnxruntime"))
    assert dependent_outputs(engine, inputs, rng, rounds=2) == ()


def test_the_shipped_bundles_fit_together() -> None:
    suites = open_suites(default_bundles())
    assert set(suites) == {"spectrum", "image", "narrowband"}


def test_the_shares_that_probabilities_assume_stand_in_the_bundle() -> None:
    """What ``prior_id`` of an L2 record stands for: without it nobody can bring them to a mixture of his own."""
    found = {each.name: each for each in (load_bundle(folder).manifest for folder in default_bundles())}
    assert found["stamp-anomaly"].metrics["class_prior"] == CLASS_PRIOR
    assert found["qso-finder"].metrics["class_prior"] == QSO_PRIOR
    for name in ("spectral-classifier", "stamp-anomaly"):
        assert tuple(found[name].metrics["class_prior"]) == found[name].class_names
    for name in ("spectral-classifier", "stamp-anomaly", "qso-finder"):
        assert sum(found[name].metrics["class_prior"].values()) == pytest.approx(1.0, abs=1e-3)
