"""A program on TensorRT or TensorRT for RTX: its engine out of the cache or built, on torch's streams and memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from classifiers.runtimes.casting import Dtype
from classifiers.runtimes.device.contract import BUCKETS, OutOfMemory
from classifiers.runtimes.device.launcher import Preparation
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.tensors import TensorDevice
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.program import Program
from classifiers.runtimes.tensorrt.compiling import compile_largest, program_shapes
from classifiers.runtimes.tensorrt.launching import TensorrtLauncher
from classifiers.runtimes.tensorrt.library import load


def open_tensorrt(
    program: Program,
    library_name: str,
    dtype: Dtype,
    cache_folder: Path | None,
    notice: Callable[[str], None],
    *,
    buckets: Sequence[int] = BUCKETS,
    preparation: Preparation | None = None,
) -> Pipeline:
    """Open a program on the first GPU.

    Args:
        program: bundles that read the same.
        library_name: tensorrt or tensorrt_rtx.
        dtype: number format of the layers that are learned.
        cache_folder: where engines are kept; None: the user's cache folder.
        notice: told in one line each that an engine is refused or built, or a bucket is too large for the card.
        buckets: rows to compute at once; the largest ones are left out where there is no memory to build for them.
        preparation: of raw spectra on the device, where they are to be prepared there.

    Raises:
        RuntimeUnavailable: there is no GPU or library, or it does not build or load the engine.
        OutOfMemory: the card has no room for the engine.
        BundleError: the engine is not one of the program.
    """
    if not torch.cuda.is_available():
        raise RuntimeUnavailable(library_name, "expected an NVIDIA GPU that torch can use, found none")
    compiled = compile_largest(program, library_name, dtype, buckets, cache_folder, notice=notice)
    library = load(library_name)
    reads, answers = program_shapes(program)
    sizes = compiled.kept.record.key["buckets"]
    launcher = TensorrtLauncher(library, compiled.kept.engine, str(compiled.kept.path), reads, answers, sizes)
    outputs = {each.name: each.tensor for each in program.outputs}
    device = TensorDevice(launcher, program.inputs, outputs, "cuda", preparation=preparation)

    def on_smaller(error: OutOfMemory, smaller: int) -> None:
        notice(f"{error}; batches of {smaller} rows from now on")

    return Pipeline(program, device, sizes, on_smaller)
