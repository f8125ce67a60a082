"""ONNX Runtime's CUDA provider as a ``Launcher``: where torch is, it computes on torch's streams and in torch's memory.

Each slot has a session on the slot's stream (the provider's ``user_compute_stream``), and each (slot, bucket) a binding
to its tensors by their addresses; runs do not wait for the stream. They are not captured into CUDA graphs: the library
allocates while it runs, and captures of its own want every node on the card.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from classifiers.runtimes.casting import Dtype
from classifiers.runtimes.device.contract import BUCKETS, SLOTS
from classifiers.runtimes.device.launcher import Preparation
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.streams import Cpu, Cuda
from classifiers.runtimes.device.tensors import TensorDevice
from classifiers.runtimes.onnx_cpu import FAILURES
from classifiers.runtimes.onnx_cuda import PROVIDER, failure, load_libraries, on_provider, on_smaller, options
from classifiers.runtimes.program import Program

_NO_WAIT: Final = ("disable_synchronize_execution_providers", "1")


def current_stream() -> str:
    """Return the handle of torch's current CUDA stream, as the provider takes it."""
    return str(torch.cuda.current_stream().cuda_stream)


@dataclass
class _Own:
    """What a slot has: a session, its bindings by bucket, and the buckets that it has computed."""

    session: Any
    bindings: dict[int, Any] = field(default_factory=dict)
    computed: set[int] = field(default_factory=set)


class OnnxLauncher:
    """Computes a program in a session for each slot; a ``Launcher``."""

    def __init__(
        self,
        program: Program,
        provider: str = PROVIDER,
        *,
        dtype: Dtype = "fp32",
        stream: Callable[[], str] = current_stream,
        opener: Callable[..., Any] = onnxruntime.InferenceSession,
    ) -> None:
        """Take a program; sessions are opened when slots are first used.

        Args:
            program: bundles that read the same.
            provider: of onnxruntime; only that of CUDA is given options.
            dtype: one of ``onnx_cuda.DTYPES``.
            stream: what a slot's session computes on, asked when it is opened.
            opener: makes the session; see ``onnx_cpu.open_session``.
        """
        self._program, self._provider, self._dtype = program, provider, dtype
        self._stream, self._opener = stream, opener
        self._slots: dict[int, _Own] = {}
        self._wait_for_nothing = onnxruntime.RunOptions()
        self._wait_for_nothing.add_run_config_entry(*_NO_WAIT)

    def prepare(self, slot: int, bucket: int, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
        """Bind a (slot, bucket) to tensors; see ``Launcher``.

        Raises:
            RuntimeUnavailable: there is no session, or it does not use the provider.
        """
        own = self._slots.get(slot)
        if own is None:
            own = self._slots[slot] = _Own(self._session())
        binding = own.session.io_binding()
        for name, tensor in inputs.items():
            binding.bind_input(name, *_place(tensor))
        for name, tensor in outputs.items():
            binding.bind_output(name, *_place(tensor))
        own.bindings[bucket] = binding

    def launch(self, slot: int, bucket: int) -> None:
        """Enqueue the computation on the slot's stream; see ``Launcher``.

        Raises:
            OutOfMemory: the card has no room for the bucket.
            DeviceLost: the card failed, or what has computed such a bucket before.
            RuntimeUnavailable: the library has no kernels that compute it here.
        """
        own = self._slots[slot]
        try:
            own.session.run_with_iobinding(own.bindings[bucket], self._wait_for_nothing)
        except FAILURES as error:
            raise failure(error, bucket, computed=bucket in own.computed) from error
        own.computed.add(bucket)

    def forget(self, slot: int, bucket: int) -> None:
        """Drop a binding; see ``Launcher``."""
        own = self._slots.get(slot)
        if own is not None:
            own.bindings.pop(bucket, None)

    def _session(self) -> Any:
        given: dict[str, str] = {}
        if self._provider == PROVIDER:
            given = {**options(self._dtype), "user_compute_stream": self._stream()}
        return on_provider(self._program, self._provider, given, self._opener)


def _place(tensor: Tensor) -> tuple[str, int, Any, list[int], int]:
    """Return a tensor as bindings take it: device, its number, type, shape, address."""
    kind = np.dtype(str(tensor.dtype).removeprefix("torch."))
    return tensor.device.type, tensor.device.index or 0, kind.type, list(tensor.shape), tensor.data_ptr()


def open_onnx_ring(
    program: Program,
    dtype: Dtype,
    notice: Callable[[str], None],
    *,
    provider: str = PROVIDER,
    buckets: Sequence[int] = BUCKETS,
    slots: int = SLOTS,
    preparation: Preparation | None = None,
) -> Pipeline:
    """Open a program on the first GPU, between torch's tensors.

    Args:
        program: bundles that read the same.
        dtype: one of ``onnx_cuda.DTYPES``.
        notice: told in one line where a bucket is too large for the card.
        provider: of onnxruntime; that of the CPU computes in torch's tensors there.
        buckets: rows to compute at once.
        slots: computations in flight.
        preparation: of raw spectra on the device, where they are to be prepared there.

    Raises:
        RuntimeUnavailable: there is no session, or it does not use the provider.
    """
    load_libraries(provider)
    outputs = {each.name: each.tensor for each in program.outputs}
    device = TensorDevice(
        OnnxLauncher(program, provider, dtype=dtype),
        program.inputs,
        outputs,
        slots=slots,
        preparation=preparation,
        streams=Cuda("cuda", graphs=False) if provider == PROVIDER else Cpu(),
    )
    return Pipeline(program, device, buckets, on_smaller(notice))
