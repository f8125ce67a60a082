"""A device that computes rightly but where it is told otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from classifiers.bundle.folder import Bundle
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.prepare import DevicePreparation
from classifiers.runtimes.device.preparing import PreparingPipeline
from classifiers.runtimes.device.tensors import TensorDevice
from classifiers.runtimes.program import Program
from classifiers.runtimes.program_engine import ProgramEngine
from classifiers.runtimes.torch_runtime import TorchLauncher, torch_launcher

BUCKETS = (16, 64)
Tensors = Mapping[str, Tensor]


@dataclass
class Faulty:
    """A ``Launcher`` that computes rightly but where it is told otherwise.

    Attributes:
        true: what computes.
        spoil: changes the outputs of a slot and bucket once they are computed, or raises.
        launched: slots and buckets, in turn.
    """

    true: TorchLauncher
    spoil: Callable[[int, int, Tensors], None]
    launched: list[tuple[int, int]] = field(default_factory=list)
    outputs: dict[tuple[int, int], Tensors] = field(default_factory=dict)

    def prepare(self, slot: int, bucket: int, inputs: Tensors, outputs: Tensors) -> None:
        self.outputs[slot, bucket] = outputs
        self.true.prepare(slot, bucket, inputs, outputs)

    def launch(self, slot: int, bucket: int) -> None:
        self.launched.append((slot, bucket))
        self.true.launch(slot, bucket)
        self.spoil(slot, bucket, self.outputs[slot, bucket])

    def forget(self, slot: int, bucket: int) -> None:
        self.true.forget(slot, bucket)


def engine_of(
    bundle: Bundle,
    spoil: Callable[[int, int, Tensors], None] = lambda *_: None,
    preparation: DevicePreparation | None = None,
    buckets: tuple[int, ...] = BUCKETS,
) -> tuple[ProgramEngine, Faulty]:
    """Return an engine on CPU tensors, and what launches."""
    program = Program.of([bundle])
    outputs = {each.name: each.tensor for each in program.outputs}
    launcher = Faulty(torch_launcher(program, "fp32", "cpu"), spoil)
    pipeline = Pipeline(program, TensorDevice(launcher, program.inputs, outputs, preparation=preparation), buckets)
    grid = bundle.manifest.grid
    preparing = None
    if preparation is not None and grid is not None:
        preparing = PreparingPipeline(pipeline, preparation, grid.grid())
    return ProgramEngine(bundle.manifest.name, "torch", "fp32", pipeline, preparing), launcher


def spoiled(output: str, slot: int, bucket: int, row: int, by: float) -> Callable[[int, int, Tensors], None]:
    """Return what changes one row of one output in one slot at one size."""

    def spoil(at: int, size: int, outputs: Tensors) -> None:
        if (at, size) == (slot, bucket):
            outputs[output][row] += by

    return spoil
