"""An engine as a ``Launcher``: one execution context per (slot, bucket), bound once to tensors, launched many times.

The memory that a context computes in is a tensor, too: torch's allocator then knows of all memory on the card, contexts
of small buckets do not take what the largest needs, and RTX can be captured into CUDA graphs only so.

RTX compiles kernels for a context, at its first launch at the latest. What it compiled is kept beside the engine
(``.kernels``), and the library itself refuses what was compiled for another card, driver or version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol

import torch
from torch import Tensor

from classifiers.bundle.errors import BundleError
from classifiers.errors import ClassifierError
from classifiers.runtimes.device.contract import DeviceLost, OutOfMemory, blames_the_card
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.tensorrt.cache import write_whole
from classifiers.runtimes.tensorrt.library import Library, listen, one_line
from classifiers.runtimes.tensorrt.network import DTYPES, Shapes

OUT_OF_MEMORY: Final = (
    "out of memory",
    "outofmemory",
    "could not be allocated",
    "failed_allocation",
    "failedallocation",
)
SMALLEST_WORKSPACE: Final = 256
"""Bytes of a context's memory where the engine needs none: it must have an address."""


class Stream(Protocol):
    """What is asked of torch's CUDA streams."""

    @property
    def cuda_stream(self) -> int:
        """Return the stream's handle."""
        ...


def current_stream() -> Stream:
    """Return torch's current CUDA stream."""
    stream: Stream = torch.cuda.current_stream()
    return stream


@dataclass(frozen=True, slots=True)
class _Bound:
    """A context, and the tensors that it knows by their addresses."""

    context: Any
    tensors: tuple[Tensor, ...]


class TensorrtLauncher:
    """Computes with an engine of TensorRT or TensorRT for RTX; a ``Launcher``."""

    def __init__(
        self,
        library: Library,
        engine: bytes,
        file: str,
        inputs: Shapes,
        outputs: Shapes,
        buckets: Sequence[int],
        *,
        stream: Callable[[], Stream] = current_stream,
    ) -> None:
        """Load an engine.

        Args:
            library: the one that built it.
            engine: serialised.
            file: where it lies, for errors.
            inputs: what it must read.
            outputs: what it must answer.
            buckets: batch sizes that it has profiles for, in their order.
            stream: what launches are enqueued on.

        Raises:
            RuntimeUnavailable: the library does not load it here.
            OutOfMemory: the card has no room for its weights.
            BundleError: it has other inputs, outputs or profiles.
        """
        self._library, self._file, self._stream = library, file, stream
        logger, self._words = listen(library)
        self._words.take()  # what was said before is of something else
        self._inputs, self._outputs = dict(inputs), dict(outputs)
        self._profiles = {bucket: i for i, bucket in enumerate(buckets)}
        self._bound: dict[tuple[int, int], _Bound] = {}
        self._kernels: Any = None
        self._kernels_file = Path(file).with_suffix(".kernels")
        try:
            self._runtime = library.module.Runtime(logger)
        except (TypeError, RuntimeError) as error:  # how the binding says that there is no driver
            raise RuntimeUnavailable(library.name, f"it does not start: {self._words.take()}") from error
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            words = self._words.take()
            if _is_memory(words):
                raise OutOfMemory(max(buckets), words)
            reason = f"expected an engine that it loads at {file}, found: {words}; delete it to have it built again"
            raise RuntimeUnavailable(library.name, reason)
        self._check(buckets)

    def prepare(self, slot: int, bucket: int, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
        """Make the context of a (slot, bucket) and bind it to tensors; see ``Launcher``.

        Raises:
            ValueError: the tensors are not those of the program, which is a mistake of the caller.
            OutOfMemory: there is no room for the context.
            DeviceLost: the card failed.
            RuntimeUnavailable: the library makes no context of the engine, or none for a CUDA graph.
        """
        try:
            self._bind(slot, bucket, inputs, outputs)
        except DeviceLost as error:
            if blames_the_card(error.reason):
                raise
            reason = f"expected its engine {self._file} to serve {bucket} rows, found: {error.reason}"
            raise RuntimeUnavailable(self._library.name, reason) from error

    def _bind(self, slot: int, bucket: int, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
        self._words.take()
        profile = self._profiles[bucket]
        _check_tensors(inputs, self._inputs, bucket)
        _check_tensors(outputs, self._outputs, bucket)
        stream = self._stream()
        size = int(self._engine.get_device_memory_size_for_profile_v2(profile))
        device = next(iter(inputs.values())).device
        workspace = torch.empty(max(size, SMALLEST_WORKSPACE), dtype=torch.uint8, device=device)
        context = self._context()
        if context is None:
            self._fail(bucket)
        self._call(bucket, context.set_optimization_profile_async, profile, stream.cuda_stream)
        context.set_device_memory(workspace.data_ptr(), workspace.numel())
        for name, tensor in inputs.items():
            self._call(bucket, context.set_input_shape, name, tuple(tensor.shape))
        for name, tensor in (*inputs.items(), *outputs.items()):
            self._call(bucket, context.set_tensor_address, name, tensor.data_ptr())
        self._check_shapes(context, bucket)
        if self._library.compiles_when_loaded:
            self._compile(context, bucket, stream)
        self._bound[slot, bucket] = _Bound(context, (workspace, *inputs.values(), *outputs.values()))

    def launch(self, slot: int, bucket: int) -> None:
        """Enqueue the computation on the current stream; see ``Launcher``.

        Raises:
            OutOfMemory: the library found no memory.
            DeviceLost: the library failed.
        """
        self._call(bucket, self._bound[slot, bucket].context.execute_async_v3, self._stream().cuda_stream)

    def forget(self, slot: int, bucket: int) -> None:
        """Drop the context of a (slot, bucket) and the memory that it computed in; see ``Launcher``."""
        self._bound.pop((slot, bucket), None)

    def _check_shapes(self, context: Any, bucket: int) -> None:
        """Have the library derive all shapes now; name what it lacks."""
        try:
            missing = context.infer_shapes()
        except RuntimeError as error:
            self._fail(bucket, str(error))
        if missing:
            raise self._wrong("an engine of the inputs declared", f"one that also reads {', '.join(missing)}")

    def _context(self) -> Any:
        trt, strategy = self._library.module, self._library.module.ExecutionContextAllocationStrategy.USER_MANAGED
        if not self._library.compiles_when_loaded:
            return self._engine.create_execution_context(strategy)
        config = self._engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(strategy)
        # Kernels for the bucket's exact shape before the first launch, not later in the background: a captured graph
        # would keep the provisional ones. Graphs are captured by the device, not by the library.
        config.dynamic_shapes_kernel_specialization_strategy = trt.DynamicShapesKernelSpecializationStrategy.EAGER
        config.cuda_graph_strategy = trt.CudaGraphStrategy.DISABLED
        if self._kernels is None:
            self._kernels = config.create_runtime_cache()
            if self._kernels_file.is_file():
                self._kernels.deserialize(self._kernels_file.read_bytes())  # of another driver: left as it was
        config.set_runtime_cache(self._kernels)
        return self._engine.create_execution_context(config)

    def _compile(self, context: Any, bucket: int, stream: Stream) -> None:
        """Have RTX compile what it has not, by a first launch, and keep it beside the engine for the next process."""
        self._call(bucket, context.execute_async_v3, stream.cuda_stream)
        if not context.is_stream_capturable(stream.cuda_stream):
            raise RuntimeUnavailable(self._library.name, f"its engine {self._file} cannot be captured as a CUDA graph")
        content = bytes(self._kernels.serialize())
        try:
            write_whole(self._kernels_file, content)
        except OSError:
            return  # a folder that cannot be written costs time at the next start, nothing else

    def _call(self, bucket: int, function: Callable[..., bool], *arguments: Any) -> None:
        """Call what returns whether it succeeded."""
        try:
            succeeded = function(*arguments)
        except RuntimeError as error:  # some calls of the binding raise instead
            self._fail(bucket, str(error))
        if not succeeded:
            self._fail(bucket)

    def _fail(self, bucket: int, raised: str = "") -> NoReturn:
        words = one_line(f"{raised}; {self._words.take()}" if raised else self._words.take())
        raise OutOfMemory(bucket, words) if _is_memory(words) else DeviceLost(f"{self._library.name}: {words}")

    def _check(self, buckets: Sequence[int]) -> None:
        """Compare the engine with the program."""
        engine, trt = self._engine, self._library.module
        found: dict[str, tuple[bool, str, tuple[int, ...]]] = {}
        for i in range(engine.num_io_tensors):
            name = engine.get_tensor_name(i)
            dtype = engine.get_tensor_dtype(name).name
            shape = tuple(int(n) for n in engine.get_tensor_shape(name))
            is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
            found[name] = (is_input, DTYPES.get(dtype, dtype), shape[1:])
        wanted = {name: (True, *self._inputs[name]) for name in self._inputs}
        wanted |= {name: (False, *self._outputs[name]) for name in self._outputs}
        for name in sorted(set(wanted) | set(found)):
            if wanted.get(name) != found.get(name):
                raise self._wrong(f"tensor {name} {_said(wanted.get(name))}", _said(found.get(name)))
        if engine.num_optimization_profiles != len(buckets):
            raise self._wrong(f"{len(buckets)} profiles", str(engine.num_optimization_profiles))
        for bucket, profile in self._profiles.items():
            for name in self._inputs:
                largest = tuple(int(n) for n in engine.get_tensor_profile_shape(name, profile)[2])
                if largest[0] != bucket:
                    raise self._wrong(f"a profile of {bucket} rows", f"one of {largest[0]}")

    def _wrong(self, expected: str, found: str) -> ClassifierError:
        return BundleError(self._file, expected=expected, found=found)


def _said(tensor: tuple[bool, str, tuple[int, ...]] | None) -> str:
    return "none" if tensor is None else f"{'input' if tensor[0] else 'output'} {tensor[1]} (batch, *{tensor[2]})"


def _is_memory(words: str) -> bool:
    return any(phrase in words.lower() for phrase in OUT_OF_MEMORY)


def _check_tensors(tensors: Mapping[str, Tensor], wanted: Shapes, bucket: int) -> None:
    if tensors.keys() != wanted.keys():
        raise ValueError(f"expected tensors {', '.join(wanted)}, received {', '.join(tensors)}")
    for name, (dtype, shape) in wanted.items():
        tensor = tensors[name]
        if (str(tensor.dtype), tuple(tensor.shape)) != (f"torch.{dtype}", (bucket, *shape)):
            raise ValueError(f"{name}: expected {dtype} {(bucket, *shape)}, received {tensor.dtype} {tensor.shape}")
        if not tensor.is_contiguous():
            raise ValueError(f"{name}: expected a contiguous tensor")
