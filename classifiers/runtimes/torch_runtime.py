"""The torch runtime: a program's modules on a GPU, or on the CPU on the same path without streams and graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from classifiers.runtimes.casting import Dtype
from classifiers.runtimes.device.contract import BUCKETS, SLOTS, OutOfMemory
from classifiers.runtimes.device.launcher import Preparation
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.tensors import TensorDevice
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.program import Program
from classifiers.runtimes.torch_modules import ProgramModule

FIRST_WITH_TF32_AND_BF16: Final = (8, 0)
"""Compute capability of the first cards whose matrix units know these formats (Ampere)."""
ON_CPU: Final = (16, 64)
"""Rows that the processor computes at once: larger batches leave its caches. Measured on one core at 16, 64, 256 and
1024 rows: 480, 285, 383, 455 us for a spectrum through its three bundles, 639, 434, 773, 1044 us for a stamp."""
Compute = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


def version() -> str:
    """Return the version of torch."""
    return str(torch.__version__)


def no_format(dtype: Dtype, card: str, capability: tuple[int, int]) -> str:
    """Return why a card does not compute in a number format, in one line; "" where it does.

    Args:
        dtype: asked for.
        card: its name.
        capability: its compute capability.
    """
    if dtype not in ("tf32", "bf16") or capability >= FIRST_WITH_TF32_AND_BF16:
        return ""
    has = f"{card} (compute capability {capability[0]}.{capability[1]})"
    return f"expected dtype = fp32 or fp16 on {has}, received {dtype}"


class TorchLauncher:
    """A ``Launcher`` of any function of tensors."""

    def __init__(self, compute: Compute) -> None:
        """Take a function.

        Args:
            compute: from inputs to outputs by name; only kernels, no synchronisation.
        """
        self._compute = compute
        self._bound: dict[tuple[int, int], tuple[Mapping[str, Tensor], Mapping[str, Tensor]]] = {}

    def prepare(self, slot: int, bucket: int, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
        """Remember the tensors; see ``Launcher``."""
        self._bound[slot, bucket] = (inputs, outputs)

    def launch(self, slot: int, bucket: int) -> None:
        """Compute and copy into the bound outputs; see ``Launcher``."""
        inputs, outputs = self._bound[slot, bucket]
        found = self._compute(inputs)
        for name, tensor in outputs.items():
            tensor.copy_(found[name])

    def forget(self, slot: int, bucket: int) -> None:
        """Drop the tensors; see ``Launcher``."""
        self._bound.pop((slot, bucket), None)


def torch_launcher(
    program: Program, dtype: Dtype = "fp32", device: str = "cuda", *, compiled: bool = False
) -> TorchLauncher:
    """Return the launcher of a program's modules; see ``open_torch``.

    Raises:
        RuntimeUnavailable: the card cannot compute in this number format.
        BundleError: a bundle cannot be rebuilt.
    """
    if torch.device(device).type == "cuda":
        card = torch.cuda.get_device_properties(device)
        reason = no_format(dtype, card.name, (card.major, card.minor))
        if reason:
            raise RuntimeUnavailable("torch", reason)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # but in layers that ask for it
    module = ProgramModule(program.bundles, dtype).to(device)
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)  # weights are there before another stream reads them
    return TorchLauncher(torch.compile(module, dynamic=False) if compiled else module)


def open_torch(
    program: Program,
    dtype: Dtype = "fp32",
    device: str = "cuda",
    notice: Callable[[str], None] = lambda _: None,
    *,
    buckets: Sequence[int] = BUCKETS,
    slots: int = SLOTS,
    preparation: Preparation | None = None,
    compiled: bool = False,
) -> Pipeline:
    """Open a program on torch.

    Args:
        program: whose bundles carry weights and the name of a known architecture.
        dtype: fp32, tf32, fp16 or bf16.
        device: ``cuda``, ``cuda:N`` or ``cpu``.
        notice: told, in a line, where the device cannot hold a bucket.
        buckets: rows to compute at once, ascending.
        slots: computations in flight.
        preparation: of raw spectra on the device, where they are to be prepared there.
        compiled: whether ``torch.compile`` fuses the modules' kernels: minutes at the first use of each bucket.

    Raises:
        RuntimeUnavailable: the card cannot compute in this number format.
        BundleError: a bundle cannot be rebuilt.
    """
    launcher = torch_launcher(program, dtype, device, compiled=compiled)
    outputs = {each.name: each.tensor for each in program.outputs}

    def on_smaller(error: OutOfMemory, smaller: int) -> None:
        notice(f"{program.name}: {error}; from now on {smaller} at once")

    return Pipeline(
        program,
        TensorDevice(launcher, program.inputs, outputs, device, slots=slots, preparation=preparation),
        buckets,
        on_smaller,
    )
