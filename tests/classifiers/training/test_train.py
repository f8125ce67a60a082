"""Training from nothing: a tiny run of each bundle exports a graph that answers as torch does.

What imports torch, which takes seconds, is imported by the tests that need it: collection stays quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from classifiers.bundle.folder import GOLDEN_FILE, load_bundle
from classifiers.bundle.manifest import OUTPUTS
from classifiers.runtimes.independence import dependent_outputs
from classifiers.runtimes.onnx_cpu import OnnxEngine
from classifiers.training.samples import Samples, draw_samples
from classifiers.training.simulation.simulator import TRAINING_KINDS, Simulator

if TYPE_CHECKING:
    from classifiers.training.train import Trained

N, SEED = 512, 7
SPECTRAL = ("spectral-classifier", "spectral-anomaly", "qso-finder")


@pytest.fixture(scope="module")
def samples() -> Samples:
    return draw_samples(Simulator.load(), N, SEED, kinds=TRAINING_KINDS)


@pytest.fixture(scope="module")
def classifier(samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    from classifiers.training.train import train_bundle

    folder = tmp_path_factory.mktemp("bundles") / "spectral-classifier"
    return train_bundle("spectral-classifier", SEED, N, 1, folder, samples=samples)


@pytest.fixture(scope="module", params=SPECTRAL)
def trained(request: pytest.FixtureRequest, samples: Samples, classifier: Trained) -> Trained:
    from classifiers.training.train import train_bundle

    if request.param == "spectral-classifier":
        return classifier
    folder = classifier.folder.parent / request.param
    return train_bundle(request.param, SEED, N, 1, folder, samples=samples, classifier=classifier.folder)


@pytest.mark.slow
def test_every_spectral_bundle_is_trained_here() -> None:
    from classifiers.training.bundles import BUNDLES

    assert SPECTRAL == BUNDLES


@pytest.mark.slow
def test_a_tiny_training_exports_a_bundle_that_answers_as_torch_does(trained: Trained, samples: Samples) -> None:
    import torch

    from classifiers.training.bundles import ROLES

    bundle = load_bundle(trained.folder)
    assert bundle.manifest.role == ROLES[bundle.manifest.name]
    flux, inverse_variance = samples.rows(slice(0, 40)).inputs()
    engine = OnnxEngine(bundle)
    inputs = {"flux": flux, "inverse_variance": inverse_variance}
    found = engine.run(inputs)
    assert set(OUTPUTS[bundle.manifest.role]) <= set(found)
    with torch.no_grad():
        expected = trained.module(torch.from_numpy(flux), torch.from_numpy(inverse_variance))
    for tensor, reference in zip(bundle.manifest.outputs, expected, strict=True):
        wanted = reference.numpy()
        np.testing.assert_allclose(found[tensor.name], wanted, rtol=1e-4, atol=1e-5, err_msg=tensor.name)
    assert dependent_outputs(engine, inputs, np.random.default_rng(1)) == ()
    with np.load(trained.folder / GOLDEN_FILE, allow_pickle=False) as golden:
        again = engine.run({name: golden[f"input_{name}"] for name in inputs})
        for name, value in again.items():
            np.testing.assert_allclose(value, golden[f"output_{name}"], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_blank_and_fully_masked_rows_get_finite_answers(trained: Trained) -> None:
    flux = np.zeros((2, 1557), dtype=np.float32)
    inverse_variance = np.stack([np.zeros(1557), np.ones(1557)]).astype(np.float32)
    found = OnnxEngine(load_bundle(trained.folder)).run({"flux": flux, "inverse_variance": inverse_variance})
    for name, value in found.items():
        if not name.startswith("radial_velocity"):
            assert np.isfinite(value).all(), name


@pytest.mark.slow
def test_bad_requests_are_refused_before_anything_is_simulated(tmp_path: Path) -> None:
    from classifiers.training.train import train_bundle

    with pytest.raises(ValueError, match="qso-finder"):
        train_bundle("oracle", 1, 10, 1, tmp_path)
    with pytest.raises(ValueError, match="epochs = 0"):
        train_bundle("qso-finder", 1, 10, 0, tmp_path)
