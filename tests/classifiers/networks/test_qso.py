"""Other networks stand on the classifier's trunk: they leave it as it is, and a joined graph computes it once."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from classifiers.bundle.folder import load_bundle
from classifiers.networks.classifier import SpectralClassifier
from classifiers.networks.declared import QSO_BIN
from classifiers.networks.qso import beyond
from classifiers.networks.vae import BIN_PIXELS
from classifiers.runtimes.joining import join
from classifiers.suite import MODELS
from classifiers.training.autoencoder import fit_vae
from classifiers.training.fitting import fit_qso
from classifiers.training.samples import draw_samples
from classifiers.training.simulation.simulator import TRAINING_KINDS, Simulator


def test_the_posterior_above_a_threshold_counts_whole_bins_and_parts_of_one() -> None:
    logits = torch.log(torch.tensor([[0.1, 0.2, 0.3, 0.4]]))
    middle = math.expm1(2.0 * QSO_BIN)  # half of bin 2 lies above it
    assert torch.sigmoid(beyond(logits, middle))[0].item() == pytest.approx(0.15 + 0.4, abs=1e-5)
    edge = math.expm1(1.5 * QSO_BIN)
    assert torch.sigmoid(beyond(logits, edge))[0].item() == pytest.approx(0.7, abs=1e-5)


def test_a_higher_threshold_is_never_more_probable() -> None:
    logits = 3.0 * torch.randn(50, 312, generator=torch.Generator().manual_seed(1))
    found = torch.stack([beyond(logits, threshold) for threshold in (0.0, 1.0, 2.1, 2.2, 4.0, 9.0)])
    assert (found[1:] <= found[:-1]).all()
    assert torch.isfinite(found).all()


@pytest.mark.slow
@pytest.mark.parametrize("fit", [fit_qso, fit_vae])
def test_training_on_a_trunk_changes_nothing_of_the_classifier(fit: Callable[..., nn.Module]) -> None:
    torch.manual_seed(4)
    classifier = SpectralClassifier().eval()
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    fitted = fit(draw_samples(Simulator.load(), 512, 9, kinds=TRAINING_KINDS), classifier, 1, 1)
    for name, value in classifier.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(torch.isfinite(value).all() for value in fitted.parameters())


@pytest.mark.slow
def test_the_trunk_that_the_shipped_bundles_share_is_computed_once(tmp_path: Path) -> None:
    names = ("spectral-classifier", "spectral-anomaly", "qso-finder")
    graphs = {name: load_bundle(MODELS / name).graph for name in names}
    alone = {name: _convolutions(graph, tmp_path) for name, graph in graphs.items()}
    assert alone["spectral-anomaly"] == alone["spectral-classifier"]
    assert alone["qso-finder"] == alone["spectral-classifier"] - 1  # it has no maps for the redshift of galaxies
    assert _convolutions(join(graphs), tmp_path) == alone["spectral-classifier"]


def _convolutions(graph: bytes, folder: Path) -> int:
    """Return how many convolutions, sums of bins aside, onnxruntime computes for a graph once it has simplified it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(folder / "simplified.onnx")
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    simplified = onnx.load(options.optimized_model_filepath).graph
    sums = {tensor.name for tensor in simplified.initializer if tensor.dims and math.prod(tensor.dims) <= BIN_PIXELS}
    return sum(node.op_type == "Conv" and node.input[1] not in sums for node in simplified.node)
