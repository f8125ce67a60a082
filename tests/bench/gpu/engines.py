"""The engines that are measured: programs of the spectral bundles on each runtime that can serve here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.runtimes.casting import Dtype
from classifiers.runtimes.device.launcher import Launcher
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.prepare import DevicePreparation
from classifiers.runtimes.device.preparing import PreparingPipeline
from classifiers.runtimes.device.tensors import TensorDevice
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.onnx_cpu import JoinedOnnxEngines, OnnxEngine
from classifiers.runtimes.probing import why_not
from classifiers.runtimes.program import Program
from classifiers.runtimes.torch_runtime import torch_launcher
from tests.bare import STOOD_IN

MODELS = Path(__file__).resolve().parents[3] / "classifiers" / "models"
SPECTRAL = ("spectral-classifier", "spectral-anomaly", "qso-finder")
Inputs = Mapping[str, NDArray[np.float32]]


class Runs(Protocol):
    """Rows in, outputs by bundle out."""

    def run(self, inputs: Inputs) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        """Compute n >= 1 rows."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """One program on one runtime in one number format.

    Attributes:
        runtime: its name.
        dtype: of the learned layers.
        program: what is computed.
        runs: from host memory to host memory.
        launcher: what computes on the device; None on onnxruntime, which has none.
        preparing: the same from raw spectra; None where the CPU prepares them.
        limited: makes a pipeline over the same device with no bucket above a size; None on onnxruntime.
    """

    runtime: str
    dtype: Dtype
    program: Program
    runs: Runs
    launcher: Launcher | None = None
    preparing: PreparingPipeline | None = None
    limited: Callable[[int], Runs] | None = None

    def up_to(self, bucket: int) -> Measured:
        """Return the same engine with this bucket as its largest: nothing is built again."""
        return self if self.limited is None else replace(self, runs=self.limited(bucket), preparing=None)

    @property
    def name(self) -> str:
        """Return the bundle's name, or ``all`` for several."""
        return self.program.name if len(self.program.bundles) == 1 else "all"


def programs() -> tuple[Program, ...]:
    """Return each spectral bundle as a program, and all of them as one."""
    bundles = [load_bundle(MODELS / name) for name in SPECTRAL]
    return (*(Program.of([bundle]) for bundle in bundles), Program.of(bundles))


def available(device: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the runtimes that are measured on a device, and why the others are not.

    TensorRT and TensorRT for RTX must not meet in one process: the first that serves is taken.
    """
    chosen, refused = [], {}
    for name in ("tensorrt", "tensorrt_rtx"):
        reason = "another TensorRT is measured" if chosen else why_not(name, "auto" if device == "cuda" else "cpu")
        if reason:
            refused[name] = reason
        else:
            chosen.append(name)
    chosen.append("torch")
    if device == "cpu":
        chosen.append("onnxruntime")
    else:
        refused["onnxruntime"] = "measured on a CPU alone"
    return tuple(chosen), refused


def opened(program: Program, runtime: str, dtype: Dtype, device: str, buckets: Sequence[int], slots: int) -> Measured:
    """Open a program on a runtime: one engine with all buckets, since each set of buckets would be one of its own.

    Raises:
        ClassifierError: the runtime does not build it, or the device cannot hold it.
    """
    if runtime == "onnxruntime":
        return Measured(runtime, "fp32", program, _on_onnxruntime(program.bundles))
    make: Callable[[], Launcher] = lambda: torch_launcher(program, dtype, device)  # noqa: E731
    if runtime != "torch":
        make = lambda: _tensorrt(program, runtime, dtype, buckets)  # noqa: E731
    preparation = DevicePreparation()
    launcher = make()
    outputs = {each.name: each.tensor for each in program.outputs}
    target = TensorDevice(launcher, program.inputs, outputs, device, slots=slots, preparation=preparation)
    pipeline = Pipeline(program, target, buckets)
    preparing = PreparingPipeline(pipeline, preparation, COMMON_GRID)

    def limited(largest: int) -> Runs:
        return Pipeline(program, target, [each for each in buckets if each <= largest])

    return Measured(runtime, dtype, program, pipeline, launcher, preparing, limited)


class _Alone:
    """One bundle on onnxruntime."""

    def __init__(self, bundle: Bundle) -> None:
        self._engine = OnnxEngine(bundle)

    def run(self, inputs: Inputs) -> dict[str, dict[str, NDArray[Any]]]:
        return {self._engine.name: self._engine.run(inputs)}


def _on_onnxruntime(bundles: Sequence[Bundle]) -> Runs:
    if len(bundles) == 1:
        return _Alone(bundles[0])
    _need_onnx("onnxruntime")
    return JoinedOnnxEngines(bundles)


def _need_onnx(runtime: str) -> None:
    """Raise RuntimeUnavailable on a bare machine that lacks what joins and casts graphs."""
    if "onnx" in STOOD_IN:
        raise RuntimeUnavailable(runtime, "expected the package onnx, which joins graphs, found none")


def _tensorrt(program: Program, runtime: str, dtype: Dtype, buckets: Sequence[int]) -> Launcher:
    _need_onnx(runtime)
    from classifiers.runtimes.tensorrt.compiling import compile_ahead, program_shapes
    from classifiers.runtimes.tensorrt.launching import TensorrtLauncher
    from classifiers.runtimes.tensorrt.library import load

    compiled = compile_ahead(program, runtime, dtype, buckets, None, notice=print)
    reads, answers = program_shapes(program)
    sizes = compiled.kept.record.key["buckets"]
    return TensorrtLauncher(load(runtime), compiled.kept.engine, str(compiled.kept.path), reads, answers, sizes)
