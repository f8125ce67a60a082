"""Engines that share work run as one call, and answer the same bits as alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from classifiers.bundle.folder import GOLDEN_FILE, Bundle, load_bundle
from classifiers.engine import Engine
from classifiers.runtimes.independence import dependent_outputs
from classifiers.runtimes.joining import CannotJoin, join, output_name
from classifiers.runtimes.onnx_cpu import JoinedOnnxEngines, OnnxEngine
from classifiers.runtimes.stages import stages
from classifiers.suite import MODELS

WriteTiny = Callable[..., Path]
SHIPPED = ("spectral-classifier", "spectral-anomaly", "qso-finder")


def opened(*folders: Path) -> list[tuple[Bundle, Engine]]:
    return [(bundle, OnnxEngine(bundle)) for bundle in map(load_bundle, folders)]


def golden_inputs(bundle: Bundle) -> dict[str, np.ndarray]:
    with np.load(bundle.folder / GOLDEN_FILE, allow_pickle=False) as golden:
        return {tensor.name: golden[f"input_{tensor.name}"] for tensor in bundle.manifest.inputs}


class OneByOne:
    """The joined engines behind the interface of one."""

    name, runtime, dtype = "joined", "onnxruntime", "fp32"

    def __init__(self, joined: JoinedOnnxEngines) -> None:
        self._joined = joined

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        answers = self._joined.run(inputs)
        return {output_name(name, output): value for name, own in answers.items() for output, value in own.items()}


def test_the_shipped_bundles_answer_the_same_bits_in_one_call_as_alone() -> None:
    engines = opened(*(MODELS / name for name in SHIPPED))
    (stage,) = stages(engines)
    assert (stage.label, stage.rows) == ("+".join(SHIPPED), 64)
    inputs = golden_inputs(engines[0][0])
    together = stage.run(inputs)
    for bundle, engine in engines:
        alone = engine.run(inputs)
        assert list(together[bundle.manifest.name]) == list(alone)
        for output, value in alone.items():
            assert together[bundle.manifest.name][output].tobytes() == value.tobytes(), output


def test_a_rows_answer_in_the_joined_call_does_not_depend_on_its_batch() -> None:
    joined = JoinedOnnxEngines([load_bundle(MODELS / name) for name in SHIPPED])
    inputs = golden_inputs(load_bundle(MODELS / SHIPPED[0]))
    varied = {name: np.concatenate([array * (1 + 0.1 * k) for k in range(9)]) for name, array in inputs.items()}
    varied = {name: array.astype(np.float32) for name, array in varied.items()}
    assert dependent_outputs(OneByOne(joined), varied, np.random.default_rng(0), rounds=2) == ()


def test_equal_constants_are_kept_once_and_common_operations_have_equal_names() -> None:
    graphs = {name: load_bundle(MODELS / name).graph for name in SHIPPED}
    joined = onnx.load_model_from_string(join(graphs))
    onnx.checker.check_model(joined)
    single = [onnx.load_model_from_string(graph).graph for graph in graphs.values()]
    assert len(joined.graph.initializer) < sum(len(graph.initializer) for graph in single)
    assert len(joined.graph.node) == sum(len(graph.node) for graph in single)
    assert [value.name for value in joined.graph.input] == ["flux", "inverse_variance"]


def test_one_engine_is_a_call_of_its_own(write_tiny: WriteTiny) -> None:
    engines = opened(write_tiny("qso"))
    (stage,) = stages(engines)
    assert (stage.names, stage.rows) == (("tiny-qso",), 16)


def test_engines_of_another_chunk_run_alone(write_tiny: WriteTiny) -> None:
    engines = opened(write_tiny("qso"), write_tiny("anomaly", batch_buckets=(2, 64)))
    assert [(stage.label, stage.rows) for stage in stages(engines)] == [("tiny-qso", 16), ("tiny-anomaly", 64)]


def test_an_engine_of_another_runtime_runs_beside_the_joined_ones(write_tiny: WriteTiny) -> None:
    engines = opened(write_tiny("spectral_classifier"), write_tiny("anomaly"), write_tiny("qso"))
    foreign = OneByOne(JoinedOnnxEngines([engines[2][0]]))
    labels = [(stage.label, stage.rows) for stage in stages([*engines[:2], (engines[2][0], foreign)])]
    assert labels == [("tiny-spectral-classifier+tiny-anomaly", 16), ("joined", 0)]


def test_graphs_with_other_inputs_or_operators_are_not_joined(write_tiny: WriteTiny) -> None:
    spectral, image = load_bundle(write_tiny("qso")).graph, load_bundle(write_tiny("image_anomaly")).graph
    with pytest.raises(CannotJoin, match="image reads"):
        join({"spectral": spectral, "image": image})
    later = onnx.load_model_from_string(spectral)
    later.opset_import[0].version += 1
    with pytest.raises(CannotJoin, match="later uses the operators"):
        join({"spectral": spectral, "later": later.SerializeToString()})
