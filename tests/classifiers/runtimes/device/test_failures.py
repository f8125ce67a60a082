"""Errors of torch are told apart by their words, and a lack of memory lets go of what it happened in."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifiers.bundle.manifest import Tensor as Declared
from classifiers.runtimes.device.contract import DeviceLost, OutOfMemory
from classifiers.runtimes.device.failures import attempt, failure
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.streams import Act, Cpu, Lane
from classifiers.runtimes.device.tensors import TensorDevice
from classifiers.runtimes.program import Output, Program

X = Declared(name="x", shape=(3,))
SUM = Output("p", Declared(name="sum", shape=()), "p/sum")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), OutOfMemory),
        (RuntimeError("CUDA error: out of memory"), OutOfMemory),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), OutOfMemory),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), OutOfMemory),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"), OutOfMemory),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), OutOfMemory),
        (RuntimeError("GET was unable to find an engine to execute this computation"), OutOfMemory),
        (RuntimeError("Unable to find a valid cuDNN algorithm to run convolution"), OutOfMemory),
        (RuntimeError('NVML_SUCCESS == r INTERNAL ASSERT FAILED at "CUDACachingAllocator.cpp":995'), OutOfMemory),
        (RuntimeError("std::bad_alloc"), OutOfMemory),
        (MemoryError(), OutOfMemory),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), DeviceLost),
        (RuntimeError("parallel_for failed: no kernel image is available for execution on the device"), DeviceLost),
        (RuntimeError('use_count > 0 INTERNAL ASSERT FAILED at "/c10/cuda/CUDACachingAllocator.cpp":2055'), DeviceLost),
        (RuntimeError("cuDNN error: no such symbol"), DeviceLost),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), DeviceLost),
        (RuntimeError("CUDA error: device-side assert triggered"), DeviceLost),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), DeviceLost),
        (RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"), type(None)),
        (ValueError("CUDA error"), type(None)),
    ],
)
def test_torch_errors_are_told_apart(error: Exception, kind: type) -> None:
    assert type(failure(error, 64)) is kind


def test_a_capture_that_ends_after_a_lack_of_memory_is_a_lack_of_memory() -> None:
    ended = RuntimeError("CUDA error: operation failed due to a previous error during capture")
    ended.__context__ = torch.OutOfMemoryError("CUDA out of memory.")
    assert isinstance(failure(ended, 64), OutOfMemory)


def test_a_lack_of_memory_holds_nothing_of_what_was_done() -> None:
    held: list[weakref.ref[Tensor]] = []

    def inner() -> None:
        activation = torch.zeros(3)
        held.append(weakref.ref(activation))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    def act() -> None:
        buffer = torch.zeros(4)
        held.append(weakref.ref(buffer))
        try:
            inner()
        except torch.OutOfMemoryError as error:
            raise RuntimeError("CUDA error: the capture was invalidated") from error

    with without_collection():
        found = attempt(act, 16)
        assert [reference() for reference in held] == [None, None]
    assert isinstance(found, OutOfMemory)
    assert found.reason == "CUDA out of memory."
    assert (found.__cause__, found.__context__, found.__traceback__) == (None, None, None)


def test_what_is_no_lack_of_memory_is_raised() -> None:
    def lost() -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def wrong() -> None:
        raise RuntimeError("The size of tensor a (3) must match the size of tensor b (4)")

    with pytest.raises(DeviceLost, match="illegal memory access"):
        attempt(lost, 16)
    with pytest.raises(RuntimeError, match="size of tensor"):
        attempt(wrong, 16)
    assert attempt(lambda: None, 16) is None


@contextmanager
def without_collection() -> Iterator[None]:
    """Leave reference cycles uncollected, so that only what nobody holds goes."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Watching:
    """A launcher without room for more than so many rows; notes what larger buckets hold when each is launched."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.now = 0
        self.made: list[tuple[int, weakref.ref[Tensor]]] = []
        self.alive_above: dict[int, int] = {}
        self._bound: dict[tuple[int, int], tuple[Mapping[str, Tensor], Mapping[str, Tensor]]] = {}

    def watch(self, tensor: Tensor) -> None:
        self.made.append((len(tensor), weakref.ref(tensor)))

    def prepare(self, slot: int, bucket: int, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
        self.now = bucket
        for tensor in (*inputs.values(), *outputs.values()):
            self.watch(tensor)
        self._bound[slot, bucket] = (inputs, outputs)

    def launch(self, slot: int, bucket: int) -> None:
        above = sum(size > bucket and reference() is not None for size, reference in self.made)
        self.alive_above[bucket] = max(self.alive_above.get(bucket, 0), above)
        inputs, outputs = self._bound[slot, bucket]
        activation = inputs["x"] * 2.0
        self.watch(activation)
        if bucket > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        outputs["p/sum"].copy_(activation.sum(dim=1) / 2.0)

    def forget(self, slot: int, bucket: int) -> None:
        self._bound.pop((slot, bucket), None)


class Apart(Cpu):
    """The CPU as a GPU's memory: apart, with pinned buffers of its own and acts that are captured."""

    apart = True

    def __init__(self, launcher: Watching) -> None:
        self._launcher = launcher

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        made = super().host(shape, dtype)
        self._launcher.watch(made)
        return made

    def lane(self) -> Lane:
        return self

    def captured(self, act: Act) -> Act:
        graph_memory = torch.zeros(self._launcher.now)
        self._launcher.watch(graph_memory)

        def replay() -> None:
            act()
            graph_memory.zero_()

        act()
        return replay


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("slots", [1, 3])
def test_nothing_of_a_bucket_without_room_is_alive_when_a_smaller_one_is_launched(apart: bool, slots: int) -> None:
    launcher = Watching(room=4)
    streams = Apart(launcher) if apart else Cpu()
    device = TensorDevice(launcher, [X], {SUM.name: SUM.tensor}, slots=slots, streams=streams)
    pipeline = Pipeline(Program((), (X,), (SUM,)), device, (4, 16, 64))
    x: NDArray[np.float32] = np.arange(300, dtype=np.float32).reshape(100, 3)
    with without_collection():
        found = pipeline.run({"x": x})
    np.testing.assert_array_equal(found["p"]["sum"], x.sum(axis=1))
    assert pipeline.buckets == (4,)
    assert launcher.alive_above == {64: 0, 16: 0, 4: 0}
    assert {size for size, _ in launcher.made} == {4, 16, 64}
