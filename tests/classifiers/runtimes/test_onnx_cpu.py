"""ONNX Runtime on the CPU: rows are independent, and what the manifest declares is what runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import load_bundle
from classifiers.runtimes.independence import dependent_outputs
from classifiers.runtimes.onnx_cpu import OnnxEngine

WriteTiny = Callable[..., Path]


def batch(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        "flux": rng.standard_normal((n, 1557)).astype(np.float32),
        "inverse_variance": rng.random((n, 1557)).astype(np.float32),
    }


@pytest.mark.parametrize("role", ["spectral_classifier", "anomaly", "qso"])
def test_a_row_is_the_same_bits_whatever_batch_and_however_many_threads(write_tiny: WriteTiny, role: str) -> None:
    bundle = load_bundle(write_tiny(role))
    one, two = OnnxEngine(bundle, threads=1), OnnxEngine(bundle, threads=2)
    inputs = batch(75)
    assert dependent_outputs(one, inputs, np.random.default_rng(0)) == ()
    for name, answer in one.run(inputs).items():
        assert answer.tobytes() == two.run(inputs)[name].tobytes()


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 64, 100])
def test_any_number_of_rows_is_answered_with_as_many(write_tiny: WriteTiny, n: int) -> None:
    engine = OnnxEngine(load_bundle(write_tiny("anomaly")), threads=2)
    answers = engine.run(batch(n))
    assert {name: answer.shape for name, answer in answers.items()} == {
        "score": (n,), "contribution": (n, 1557), "map": (n, 2),
    }  # fmt: skip


def test_a_sum_over_a_last_axis_is_found_to_depend_on_the_place_of_the_row(write_tiny: WriteTiny) -> None:
    """The known weakness of onnxruntime that graphs must avoid; if it ever vanishes, this says so."""
    make, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    real = onnx.TensorProto.FLOAT
    nodes = [
        make("ReduceSum", ["flux", "last"], ["score"], keepdims=0),
        make("Identity", ["inverse_variance"], ["contribution"]),
        make("Slice", ["flux", "from", "to", "last"], ["map"]),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array([at], np.int64), name)
        for name, at in (("last", 1), ("from", 0), ("to", 2))
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "sums",
        [info(name, real, ["batch", 1557]) for name in ("flux", "inverse_variance")],
        [info("score", real, ["batch"]), info("contribution", real, ["batch", 1557]), info("map", real, ["batch", 2])],
        constants,
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    engine = OnnxEngine(load_bundle(write_tiny("anomaly", graph=model.SerializeToString())))
    assert dependent_outputs(engine, batch(64), np.random.default_rng(0)) == ("score",)


def test_a_graph_that_is_no_graph_is_a_bundle_error(write_tiny: WriteTiny) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx: expected a graph that onnxruntime loads"):
        OnnxEngine(load_bundle(write_tiny("qso", graph=b"not a graph")))


def test_a_graph_with_other_outputs_than_declared_is_a_bundle_error(write_tiny: WriteTiny) -> None:
    anomaly = load_bundle(write_tiny("anomaly")).graph
    with pytest.raises(BundleError, match="expected output qso_logit"):
        OnnxEngine(load_bundle(write_tiny("qso", graph=anomaly)))


@pytest.mark.parametrize(
    "change",
    [
        {"flux": np.zeros((4, 1556), np.float32)},
        {"flux": np.zeros((4, 1557), np.float64)},
        {"flux": np.zeros((0, 1557), np.float32)},
        {"flux": np.zeros((3, 1557), np.float32)},
    ],
)
def test_inputs_of_another_shape_or_dtype_are_the_callers_mistake(
    write_tiny: WriteTiny, change: dict[str, np.ndarray]
) -> None:
    engine = OnnxEngine(load_bundle(write_tiny("qso")))
    with pytest.raises(ValueError, match="tiny-qso"):
        engine.run({**batch(4), **change})
