"""The launcher binds a context per slot and bucket in the order that libraries ask for, and names what fails."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from classifiers.bundle.errors import BundleError
from classifiers.bundle.manifest import Tensor
from classifiers.runtimes.device.contract import DeviceLost, OutOfMemory
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.tensors import TensorDevice
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.program import Output, Program
from classifiers.runtimes.tensorrt.launching import TensorrtLauncher

READS = {"x": ("float32", (8,))}
ANSWERS: dict[str, tuple[str, tuple[int, ...]]] = {"y": ("float32", (8,)), "k": ("int64", ())}
NAMES = ("tensorrt", "tensorrt_rtx")
PROGRAM = Program(
    (),
    (Tensor(name="x", shape=(8,)),),
    (Output("one", Tensor(name="y", shape=(8,)), "y"), Output("one", Tensor(name="k", shape=(), dtype="int64"), "k")),
)


def opened(vendor: Any, made: Any, name: str = "tensorrt", *, file: str = "/proc/one.engine") -> TensorrtLauncher:
    """Return a launcher of a hand-written library's engine; nothing can be written beside it unless a file is named."""
    stream = SimpleNamespace(cuda_stream=vendor.STREAM)
    return TensorrtLauncher(made.library(name), b"engine", file, READS, ANSWERS, (16, 64), stream=lambda: stream)


def tensors(rows: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return inputs and outputs of a bucket."""
    x = torch.arange(rows * 8, dtype=torch.float32).reshape(rows, 8)
    return {"x": x}, {"y": torch.zeros(rows, 8), "k": torch.zeros(rows, dtype=torch.int64)}


@pytest.mark.parametrize("name", NAMES)
def test_a_bucket_is_bound_once_and_launched_many_times(vendor: Any, name: str) -> None:
    """Profile, memory, shapes, addresses, in this order; then launches alone."""
    made = vendor.Vendor()
    launcher = opened(vendor, made, name)
    inputs, outputs = tensors(64)
    launcher.prepare(0, 64, inputs, outputs)
    (context,) = made.engine.contexts
    compiled = [("execute_async_v3",)] if name == "tensorrt_rtx" else []
    assert context.calls == [
        ("set_optimization_profile_async", 1),
        ("set_device_memory", 64 * vendor.WORKSPACE_PER_ROW),
        ("set_input_shape", "x", (64, 8)),
        ("set_tensor_address", "x"),
        ("set_tensor_address", "y"),
        ("set_tensor_address", "k"),
        ("infer_shapes",),
        *compiled,
    ]
    bound = len(context.calls)
    for factor in (1.0, 3.0):
        inputs["x"].fill_(factor)
        launcher.launch(0, 64)
        assert torch.equal(outputs["y"], 2.0 * inputs["x"])
    assert torch.equal(outputs["k"], torch.arange(64))
    assert [call[0] for call in context.calls[bound:]] == ["execute_async_v3"] * 2


def test_slots_and_buckets_have_contexts_and_memory_of_their_own(vendor: Any) -> None:
    """Two streams never compute in the same memory, and small buckets take little."""
    made = vendor.Vendor()
    launcher = opened(vendor, made)
    kept = []
    for slot in (0, 1):
        for bucket in (16, 64):
            kept.append(tensors(bucket))
            launcher.prepare(slot, bucket, *kept[-1])
    contexts = made.engine.contexts
    assert [context.profile for context in contexts] == [0, 1, 0, 1]
    spans = sorted(context.memory for context in contexts)
    assert all(start + size <= after for (start, size), (after, _) in pairwise(spans))
    assert sorted(size for _, size in spans) == [1600, 1600, 6400, 6400]
    launcher.launch(1, 16)
    assert [sum(call == ("execute_async_v3",) for call in context.calls) for context in contexts] == [0, 0, 1, 0]


def test_memory_is_ours_to_give_and_rtx_compiles_before_the_first_launch(vendor: Any) -> None:
    """A context that allocates for itself would take the largest bucket's memory; one that compiles later is slow."""
    plain, rtx = vendor.Vendor(), vendor.Vendor()
    opened(vendor, plain).prepare(0, 16, *tensors(16))
    opened(vendor, rtx, "tensorrt_rtx").prepare(0, 16, *tensors(16))
    assert plain.engine.made_with == ["user"]
    (config,) = rtx.engine.made_with
    assert config.strategy == "user"
    assert config.dynamic_shapes_kernel_specialization_strategy == "eager"
    assert config.cuda_graph_strategy == "disabled"


def test_a_bucket_that_is_forgotten_is_launched_no_more(vendor: Any) -> None:
    """And one that was never bound may be forgotten."""
    launcher = opened(vendor, vendor.Vendor())
    launcher.prepare(0, 16, *tensors(16))
    launcher.forget(0, 16)
    launcher.forget(1, 64)
    with pytest.raises(KeyError):
        launcher.launch(0, 16)
    launcher.prepare(0, 16, *tensors(16))
    launcher.launch(0, 16)


def test_what_rtx_compiled_is_kept_beside_the_engine(vendor: Any, tmp_path: Path) -> None:
    """The next process begins with it, once for all contexts; what the library refuses is written anew."""
    file = tmp_path / "one.engine"
    kernels = tmp_path / "one.kernels"
    for before, known in ((None, b""), (b"kernels+1", b"kernels+1"), (b"of another card", b"")):
        if before is not None:
            kernels.write_bytes(before)
        made = vendor.Vendor()
        launcher = opened(vendor, made, "tensorrt_rtx", file=str(file))
        launcher.prepare(0, 16, *tensors(16))
        launcher.prepare(1, 16, *tensors(16))
        caches = [config.cache for config in made.engine.made_with]
        assert caches[0] is caches[1]
        assert caches[0].known == known
        assert kernels.read_bytes() == b"kernels+1+1"
    opened(vendor, vendor.Vendor(), "tensorrt", file=str(tmp_path / "other.engine")).prepare(0, 16, *tensors(16))
    assert [path.name for path in tmp_path.iterdir()] == ["one.kernels"]


def test_a_folder_that_cannot_be_written_costs_only_time(vendor: Any, tmp_path: Path) -> None:
    """A read-only cache serves."""
    (tmp_path / "taken").write_bytes(b"")
    launcher = opened(vendor, vendor.Vendor(), "tensorrt_rtx", file=str(tmp_path / "taken" / "one.engine"))
    bound = tensors(16)
    launcher.prepare(0, 16, *bound)
    launcher.launch(0, 16)
    assert torch.equal(bound[1]["y"], 2.0 * bound[0]["x"])


CALLS = ("set_optimization_profile_async", "set_input_shape", "set_tensor_address")
MEMORY = "[defaultAllocator.cpp::allocate::31] Error Code 1: Cuda Runtime (out of memory)"
REFUSED = "IExecutionContext::setInputShape: Error Code 3: API Usage Error (Parameter check failed)"
LOST = "Error Code 1: Cuda Runtime (an illegal memory access was encountered)"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("how", ["failing", "raising"])
def test_a_call_that_fails_while_binding_is_named(vendor: Any, call: str, how: str) -> None:
    """Memory that is short, a card that fails, a library that does not serve: each with the library's words."""
    for words, kind in ((MEMORY, OutOfMemory), (LOST, DeviceLost), (REFUSED, RuntimeUnavailable)):
        launcher = opened(vendor, vendor.Vendor(vendor.Faults(**{how: {call: words}})))
        with pytest.raises(kind) as failure:
            launcher.prepare(0, 16, *tensors(16))
        assert words in str(failure.value)


def test_rtx_compiles_while_it_is_bound(vendor: Any) -> None:
    """What fails then fails before a graph is captured."""
    launcher = opened(vendor, vendor.Vendor(vendor.Faults(failing={"execute_async_v3": LOST})), "tensorrt_rtx")
    with pytest.raises(DeviceLost, match="illegal memory access"):
        launcher.prepare(0, 16, *tensors(16))


def test_a_launch_that_fails_is_named(vendor: Any) -> None:
    """The service goes on with smaller buckets, or ends without committing."""
    for words, kind in ((MEMORY, OutOfMemory), (LOST, DeviceLost)):
        launcher = opened(vendor, vendor.Vendor(vendor.Faults(failing={"execute_async_v3": words})))
        launcher.prepare(0, 16, *tensors(16))
        with pytest.raises(kind) as failure:
            launcher.launch(0, 16)
        assert words in str(failure.value)


def test_a_context_that_has_no_room_is_out_of_memory(vendor: Any) -> None:
    """With the bucket, so that the next smaller one is tried."""
    launcher = opened(vendor, vendor.Vendor(vendor.Faults(no_context=MEMORY)))
    with pytest.raises(OutOfMemory) as failure:
        launcher.prepare(0, 64, *tensors(64))
    assert failure.value.bucket == 64


def test_a_context_that_the_library_does_not_make_leaves_the_card_to_the_next_runtime(vendor: Any) -> None:
    """Nothing is lost: ``auto`` goes on."""
    launcher = opened(vendor, vendor.Vendor(vendor.Faults(no_context="Error Code 9: no kernel for this shape")))
    with pytest.raises(RuntimeUnavailable, match=r"serve 64 rows, found: .*no kernel for this shape"):
        launcher.prepare(0, 64, *tensors(64))


@pytest.mark.parametrize(
    ("faults", "kind", "words"),
    [
        ({"no_engine": "Version tag does not match"}, RuntimeUnavailable, "/proc/one.engine, found: Version tag"),
        ({"no_engine": MEMORY}, OutOfMemory, "out of memory"),
        ({"no_driver": True}, RuntimeUnavailable, "it does not start: CUDA driver version is insufficient"),
    ],
)
def test_an_engine_that_is_not_loaded_says_why(vendor: Any, faults: Any, kind: Any, words: str) -> None:
    """The library's words reach who asked for the runtime."""
    with pytest.raises(kind, match=words):
        opened(vendor, vendor.Vendor(vendor.Faults(**faults)))


def test_a_shape_that_stays_unknown_is_refused(vendor: Any) -> None:
    """The engine reads more than the program gives."""
    launcher = opened(vendor, vendor.Vendor(vendor.Faults(unspecified=("mask",))))
    with pytest.raises(BundleError, match="mask"):
        launcher.prepare(0, 16, *tensors(16))


def test_an_rtx_engine_that_cannot_be_captured_is_refused(vendor: Any) -> None:
    """Before a graph is captured that would be wrong."""
    launcher = opened(vendor, vendor.Vendor(vendor.Faults(not_capturable=True)), "tensorrt_rtx")
    with pytest.raises(RuntimeUnavailable, match="cannot be captured"):
        launcher.prepare(0, 16, *tensors(16))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"y": ("out", "HALF", (8,))}, r"tensor y output float32 \(batch, \*\(8,\)\), found output float16"),
        ({"y": ("out", "FLOAT", (9,))}, r"found output float32 \(batch, \*\(9,\)\)"),
        ({"x": ("out", "FLOAT", (8,))}, "tensor x input float32"),
        ({"z": ("out", "FLOAT", (8,))}, "expected tensor z none, found output float32"),
        ({"k": ("out", "INT32", ())}, "found output int32"),
    ],
)
def test_an_engine_of_another_program_is_refused(vendor: Any, changed: Any, words: str) -> None:
    """Its tensors are the program's, or it never runs."""
    with pytest.raises(BundleError, match=words):
        opened(vendor, vendor.Vendor(tensors={**vendor.USUAL, **changed}))


def test_an_engine_of_other_buckets_is_refused(vendor: Any) -> None:
    """Profiles are counted, and each one's rows compared."""
    with pytest.raises(BundleError, match="expected 2 profiles, found 1"):
        opened(vendor, vendor.Vendor(buckets=(16,)))
    with pytest.raises(BundleError, match="expected a profile of 64 rows, found one of 256"):
        opened(vendor, vendor.Vendor(buckets=(16, 256)))


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ({"x": torch.zeros(16, 9)}, None),
        ({"x": torch.zeros(15, 8)}, None),
        ({"x": torch.zeros(16, 8, dtype=torch.float64)}, None),
        ({"x": torch.zeros(8, 16).T}, None),
        ({"u": torch.zeros(16, 8)}, None),
        (None, {"y": torch.zeros(16, 8)}),
    ],
)
def test_tensors_that_are_not_the_programs_are_a_mistake_of_the_caller(vendor: Any, inputs: Any, outputs: Any) -> None:
    """An address is all that the library sees, so shapes are checked before."""
    usual = tensors(16)
    with pytest.raises(ValueError, match="expected"):
        opened(vendor, vendor.Vendor()).prepare(0, 16, inputs or usual[0], outputs or usual[1])


@pytest.mark.parametrize("name", NAMES)
def test_batches_of_any_size_go_through_a_pipeline(vendor: Any, name: str) -> None:
    """Cut, padded and put together again; int64 answers arrive as such."""
    launcher = opened(vendor, vendor.Vendor(), name)
    device = TensorDevice(launcher, PROGRAM.inputs, {each.name: each.tensor for each in PROGRAM.outputs}, "cpu")
    pipeline = Pipeline(PROGRAM, device, (16, 64))
    rng = np.random.default_rng(5)
    for rows in (1, 15, 16, 17, 64, 65, 300):
        x = rng.standard_normal((rows, 8)).astype(np.float32)
        answers = pipeline.run({"x": x})["one"]
        np.testing.assert_array_equal(answers["y"], 2.0 * x)
        assert answers["k"].dtype == np.int64
        assert answers["k"].shape == (rows,)


def test_a_pipeline_goes_on_with_smaller_buckets_where_memory_is_short(vendor: Any) -> None:
    """It is told once, and every row is answered."""
    launcher = opened(vendor, vendor.Vendor(vendor.Faults(largest=16)))
    told: list[tuple[int, int]] = []
    device = TensorDevice(launcher, PROGRAM.inputs, {each.name: each.tensor for each in PROGRAM.outputs}, "cpu")
    pipeline = Pipeline(PROGRAM, device, (16, 64), lambda error, smaller: told.append((error.bucket, smaller)))
    x = np.ones((300, 8), np.float32)
    np.testing.assert_array_equal(pipeline.run({"x": x})["one"]["y"], 2.0 * x)
    assert told == [(64, 16)]
    assert pipeline.buckets == (16,)
