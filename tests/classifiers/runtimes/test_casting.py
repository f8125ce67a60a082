"""Casting a graph to half precision: which nodes follow, which never do, and what it costs in the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.bundle.manifest import Tolerance
from classifiers.runtimes.casting import DTYPES, cast_graph
from classifiers.runtimes.golden import compare_golden
from classifiers.runtimes.program import Program, joined_programs
from classifiers.suite import default_bundles
from classifiers.training.tolerances import TOLERANCES

FLOAT, HALF = onnx.TensorProto.FLOAT, {"fp16": onnx.TensorProto.FLOAT16, "bf16": onnx.TensorProto.BFLOAT16}
NEVER = {
    "ArgMax", "Clip", "Div", "Exp", "LayerNormalization", "Log", "Max", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceSum", "Reciprocal", "Sigmoid", "Softmax", "Softplus", "Sqrt", "Sub", "TopK",
}  # fmt: skip
PROGRAMS = joined_programs([load_bundle(folder) for folder in default_bundles()])


def types(model: onnx.ModelProto) -> dict[str, int]:
    """Return the element type of every value of a model; shapes and types must agree throughout."""
    body = onnx.shape_inference.infer_shapes(model, strict_mode=True, check_type=True).graph
    found = {value.name: value.type.tensor_type.elem_type for value in (*body.value_info, *body.input, *body.output)}
    return found | {tensor.name: tensor.data_type for tensor in body.initializer}


def layered(*, width: int = 8, kernel: NDArray[np.float32] | None = None, last: str = "Softmax") -> bytes:
    """Return x -> Conv -> Relu -> Conv -> MatMul -> ``last``, on (b, 1, 1, 32)."""
    rng = np.random.default_rng(1)
    first = rng.standard_normal((width, 1, 1, 9)).astype(np.float32) if kernel is None else kernel
    second = rng.standard_normal((4, first.shape[0], 1, 9)).astype(np.float32)
    head = rng.standard_normal((64, 5)).astype(np.float32)
    nodes = [
        onnx.helper.make_node("Conv", ["x", "first"], ["a"]),
        onnx.helper.make_node("Relu", ["a"], ["b"]),
        onnx.helper.make_node("Conv", ["b", "second"], ["c"]),
        onnx.helper.make_node("Reshape", ["c", "shape"], ["d"]),
        onnx.helper.make_node("MatMul", ["d", "head"], ["e"]),
        onnx.helper.make_node(last, ["e"], ["y"]),
    ]
    shape = onnx.numpy_helper.from_array(np.array([-1, 64], np.int64), "shape")
    stored = [onnx.numpy_helper.from_array(v, n) for n, v in (("first", first), ("second", second), ("head", head))]
    inputs = [onnx.helper.make_tensor_value_info("x", FLOAT, ["b", 1, 1, 32])]
    outputs = [onnx.helper.make_tensor_value_info("y", FLOAT, ["b", 5])]
    graph = onnx.helper.make_graph(nodes, "layered", inputs, outputs, [*stored, shape])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    return model.SerializeToString()


@pytest.mark.parametrize("dtype", HALF)
def test_layers_between_layers_are_cast_and_the_last_one_is_not(dtype: Any) -> None:
    """What a softmax reads comes from a layer in fp32, and the layers before it compute in half precision."""
    found = types(onnx.load_model_from_string(cast_graph(layered(), dtype)))
    assert [found[name] for name in "abcd"] == [HALF[dtype]] * 4
    assert [found[name] for name in "xey"] == [FLOAT] * 3


def test_sums_over_pixels_stay_in_single_precision() -> None:
    """A convolution with a kernel of ones is arithmetic on the data, not a layer."""
    found = types(onnx.load_model_from_string(cast_graph(layered(kernel=np.ones((8, 1, 1, 9), np.float32)), "fp16")))
    assert [found[name] for name in "ab"] == [FLOAT, FLOAT]
    assert found["c"] == HALF["fp16"]


@pytest.mark.parametrize("dtype", ["fp32", "tf32"])
def test_formats_of_the_device_leave_the_graph_alone(dtype: Any) -> None:
    """How a device multiplies is no matter of the graph."""
    graph = layered()
    assert cast_graph(graph, dtype) is graph
    assert dtype in DTYPES


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: each.name)
def test_probabilities_entropies_and_sums_of_the_bundles_stay_in_single_precision(program: Program, dtype: Any) -> None:
    """Inputs, outputs and every operator that half precision would spoil keep fp32; convolutions do not."""
    model = onnx.load_model_from_string(cast_graph(program.graph, dtype))
    found = types(model)
    spoilt = [n.op_type for n in model.graph.node if n.op_type in NEVER and found.get(n.output[0]) == HALF[dtype]]
    assert spoilt == []
    assert all(found[value.name] != HALF[dtype] for value in (*model.graph.input, *model.graph.output))
    low = [n for n in model.graph.node if n.op_type in ("Conv", "Gemm") and found[n.output[0]] == HALF[dtype]]
    assert low
    assert model.ByteSize() < len(program.graph)


class CastGraph:
    """A bundle's part of a cast program on onnxruntime, which computes half precision by rounding to it."""

    runtime, dtype, name = "onnxruntime", "fp16", "cast"

    def __init__(self, program: Program, bundle: Bundle) -> None:
        self._session = onnxruntime.InferenceSession(cast_graph(program.graph, "fp16"))
        self._outputs = [each for each in program.outputs if each.bundle == bundle.manifest.name]

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Compute the bundle's outputs."""
        values = self._session.run([each.name for each in self._outputs], dict(inputs))
        return {each.tensor.name: value for each, value in zip(self._outputs, values, strict=True)}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: each.name)
def test_golden_answers_hold_in_half_precision(program: Program) -> None:
    """Classes, probabilities, entropies and redshifts stay within what the bundles declare for fp16."""
    for bundle in program.bundles:
        report = compare_golden(bundle, CastGraph(program, bundle))
        assert report is not None
        tolerance = Tolerance.model_validate(TOLERANCES["fp16"])
        assert report.excess(tolerance) is None, (bundle.manifest.name, report)


def test_a_graph_that_cannot_be_converted_is_an_error_of_the_bundle() -> None:
    """Operators of another domain alone, and bytes that are no graph: name, expected, found."""
    with pytest.raises(BundleError, match="odd: expected a valid ONNX graph"):
        cast_graph(b"garbage", "fp16", "odd")
    model = onnx.load_model_from_string(layered())
    for node in model.graph.node:
        node.domain = "elsewhere"
    model.opset_import[0].domain = "elsewhere"
    with pytest.raises(BundleError, match="odd: expected a graph that can be computed in bf16"):
        cast_graph(model.SerializeToString(), "bf16", "odd")
