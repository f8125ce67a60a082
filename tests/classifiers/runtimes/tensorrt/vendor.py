"""A library written by hand: engines that double x into y and count into k, contexts that check how they are used.

It computes when launched, on CPU tensors by their addresses, and refuses what the vendor's documentation forbids: an
address or a shape before the profile, a launch with anything missing, memory that is too small.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from classifiers.runtimes.tensorrt.library import Library

WIDTH = 8
WORKSPACE_PER_ROW = 100
STREAM = 4711
INPUT, OUTPUT = "in", "out"


def dtype(name: str) -> Any:
    """Return a data type as the binding's enumeration gives it."""
    return SimpleNamespace(name=name)


@dataclass
class Faults:
    """What goes wrong: calls that return False or raise, what is None, and the most rows that there is memory for."""

    failing: dict[str, str] = field(default_factory=dict)
    raising: dict[str, str] = field(default_factory=dict)
    no_engine: str = ""
    no_context: str = ""
    not_capturable: bool = False
    no_driver: bool = False
    unspecified: tuple[str, ...] = ()
    largest: int = 10**6


class Context:
    """An execution context."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.calls: list[tuple[Any, ...]] = []
        self.profile: int | None = None
        self.memory: tuple[int, int] | None = None
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}

    def _said(self, *call: Any) -> bool:
        self.calls.append(call)
        faults, logger = self.engine.faults, self.engine.logger
        if call[0] in faults.raising:
            raise RuntimeError(faults.raising[call[0]])
        if call[0] in faults.failing:
            logger.log(ILogger.ERROR, faults.failing[call[0]])
            return False
        return True

    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        assert self.profile is None, "a profile that changes forgets shapes and addresses"
        assert stream == STREAM
        self.profile = index
        return self._said("set_optimization_profile_async", index)

    def set_device_memory(self, memory: int, size: int) -> None:
        assert self.profile is not None
        assert size >= self.engine.get_device_memory_size_for_profile_v2(self.profile)
        assert memory
        self.memory = (memory, size)
        self._said("set_device_memory", size)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert self.profile is not None
        assert shape[0] == self.engine.buckets[self.profile], "outside the profile"
        self.shapes[name] = shape
        if shape[0] > self.engine.faults.largest:
            self.engine.logger.log(ILogger.ERROR, "Requested amount of GPU memory could not be allocated")
            return False
        return self._said("set_input_shape", name, shape)

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert self.profile is not None
        self.addresses[name] = address
        return self._said("set_tensor_address", name)

    def infer_shapes(self) -> list[str]:
        self._said("infer_shapes")
        return list(self.engine.faults.unspecified)

    def is_stream_capturable(self, stream: int) -> bool:
        assert stream == STREAM
        assert ("execute_async_v3",) in self.calls, "kernels are compiled by the first launch at the latest"
        return not self.engine.faults.not_capturable

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == STREAM
        assert self.memory is not None
        assert self.shapes.keys() == {"x"}
        assert self.addresses.keys() == {"x", "y", "k"}
        rows = self.shapes["x"][0]

        def at(name: str, kind: Any, count: int) -> Any:
            return np.ctypeslib.as_array((kind * count).from_address(self.addresses[name]))

        at("y", ctypes.c_float, rows * WIDTH)[:] = 2.0 * at("x", ctypes.c_float, rows * WIDTH)
        at("k", ctypes.c_int64, rows)[:] = np.arange(rows)
        return self._said("execute_async_v3")


class RuntimeCache:
    """Kernels that RTX compiled: here the names of the contexts that were made."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.known = engine, b""

    def deserialize(self, blob: bytes) -> bool:
        if not blob.startswith(b"kernels"):
            return False
        self.known = blob
        return True

    def serialize(self) -> bytes:
        return b"kernels" + b"+1" * len(self.engine.contexts)


class RuntimeConfig:
    """How RTX makes contexts."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cache: RuntimeCache | None = None
        self.strategy = ""
        self.dynamic_shapes_kernel_specialization_strategy = "lazy"
        self.cuda_graph_strategy = "whole"

    def set_execution_context_allocation_strategy(self, strategy: str) -> None:
        self.strategy = strategy

    def create_runtime_cache(self) -> RuntimeCache:
        return RuntimeCache(self.engine)

    def set_runtime_cache(self, cache: RuntimeCache) -> bool:
        self.cache = cache
        return True


class Engine:
    """An engine of x (batch, 8) float32 to y (batch, 8) float32 and k (batch,) int64."""

    def __init__(self, faults: Faults, logger: Any, buckets: tuple[int, ...], tensors: dict[str, tuple[str, str, Any]]):
        self.faults, self.logger, self.buckets, self.tensors = faults, logger, buckets, tensors
        self.contexts: list[Context] = []
        self.made_with: list[Any] = []
        self.num_io_tensors = len(tensors)
        self.num_optimization_profiles = len(buckets)

    def get_tensor_name(self, index: int) -> str:
        return list(self.tensors)[index]

    def get_tensor_mode(self, name: str) -> str:
        return self.tensors[name][0]

    def get_tensor_dtype(self, name: str) -> Any:
        return dtype(self.tensors[name][1])

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, *self.tensors[name][2])

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        bucket = self.buckets[profile]
        return [(rows, *self.tensors[name][2]) for rows in (bucket - 1, bucket, bucket)]

    def get_device_memory_size_for_profile_v2(self, profile: int) -> int:
        return self.buckets[profile] * WORKSPACE_PER_ROW

    def create_runtime_config(self) -> RuntimeConfig:
        return RuntimeConfig(self)

    def create_execution_context(self, how: Any) -> Context | None:
        self.made_with.append(how)
        if self.faults.no_context:
            self.logger.log(ILogger.ERROR, self.faults.no_context)
            return None
        self.contexts.append(Context(self))
        return self.contexts[-1]


class ILogger:
    """The interface that loggers implement."""

    INTERNAL_ERROR, ERROR, WARNING, INFO = range(4)


USUAL = {"x": (INPUT, "FLOAT", (WIDTH,)), "y": (OUTPUT, "FLOAT", (WIDTH,)), "k": (OUTPUT, "INT64", ())}


class Vendor:
    """The module of a library, and the engine that it loads from any bytes."""

    def __init__(
        self,
        faults: Faults | None = None,
        buckets: tuple[int, ...] = (16, 64),
        tensors: dict[str, tuple[str, str, Any]] = USUAL,
    ) -> None:
        self.faults, self.buckets, self.tensors = faults or Faults(), buckets, tensors
        self.engine: Engine | None = None
        self.ILogger = ILogger
        self.TensorIOMode = SimpleNamespace(INPUT=INPUT, OUTPUT=OUTPUT)
        self.ExecutionContextAllocationStrategy = SimpleNamespace(STATIC="static", USER_MANAGED="user")
        self.DynamicShapesKernelSpecializationStrategy = SimpleNamespace(EAGER="eager", LAZY="lazy")
        self.CudaGraphStrategy = SimpleNamespace(DISABLED="disabled", WHOLE_GRAPH_CAPTURE="whole")

    def Runtime(self, logger: Any) -> Any:  # noqa: N802  # the vendor's own name
        """Return what loads engines."""
        if self.faults.no_driver:
            logger.log(ILogger.ERROR, "CUDA driver version is insufficient for CUDA runtime version")
            raise TypeError("pybind11::init(): factory function returned nullptr")

        def deserialize(_: bytes) -> Engine | None:
            if self.faults.no_engine:
                logger.log(ILogger.ERROR, self.faults.no_engine)
                return None
            self.engine = Engine(self.faults, logger, self.buckets, self.tensors)
            return self.engine

        return SimpleNamespace(deserialize_cuda_engine=deserialize)

    def library(self, name: str = "tensorrt") -> Library:
        """Return it as a loaded library."""
        return Library(name, self, "11.4.1")
