"""From the engines of a lane to the calls that compute them: engines that can share work run as one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.folder import Bundle
from classifiers.engine import Arrays, Engine
from classifiers.runtimes.joining import CannotJoin
from classifiers.runtimes.opening import ONNXRUNTIME
from classifiers.runtimes.program_engine import ProgramEngine

if TYPE_CHECKING:
    from classifiers.runtimes.onnx_cpu import OnnxEngine

Inputs: TypeAlias = Mapping[str, NDArray[np.float32]]
JOINT = "+"
"""Between the names of bundles that are computed in one call; no bundle's name holds it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One call that computes one or more bundles.

    Attributes:
        names: of the bundles.
        rows: rows that it computes at once, whatever it is given; 0 where it takes any number.
        run: from inputs to outputs, by bundle name and output name.
    """

    names: tuple[str, ...]
    rows: int
    run: Callable[[Inputs], Mapping[str, Arrays]]

    @property
    def label(self) -> str:
        """Return how its time is reported: the names joined by ``JOINT``."""
        return JOINT.join(self.names)


def stages(engines: Sequence[tuple[Bundle, Engine]]) -> tuple[Stage, ...]:
    """Return the calls: one for engines on onnxruntime whose graphs can be joined, one for each program of a device.

    Args:
        engines: bundles with their opened engines, of one lane.

    Raises:
        BundleError: graphs that open alone do not open together.
    """
    shared: dict[int, list[ProgramEngine]] = {}
    for _, engine in engines:
        if isinstance(engine, ProgramEngine):
            shared.setdefault(id(engine.program), []).append(engine)
    joinable = [(bundle, engine) for bundle, engine in engines if _is_of_onnxruntime(engine)]
    joined: list[Stage] = []
    if len(joinable) > 1:
        from classifiers.runtimes.onnx_cpu import JoinedOnnxEngines  # they are of it, which so is imported

        try:
            together = JoinedOnnxEngines([bundle for bundle, _ in joinable])
        except CannotJoin:
            joinable = []
        else:
            joined = [Stage(tuple(engine.name for _, engine in joinable), together.chunk, together.run)]
    else:
        joinable = []
    taken = {engine.name for _, engine in joinable}
    taken |= {engine.name for group in shared.values() for engine in group}
    programs = (Stage(tuple(each.name for each in group), 0, group[0].program.run) for group in shared.values())
    return (*joined, *programs, *(_alone(engine) for _, engine in engines if engine.name not in taken))


def _alone(engine: Engine) -> Stage:
    def run(inputs: Inputs) -> dict[str, dict[str, NDArray[Any]]]:
        return {engine.name: engine.run(inputs)}

    return Stage((engine.name,), engine.chunk if _is_of_onnxruntime(engine) else 0, run)


def _is_of_onnxruntime(engine: Engine) -> TypeGuard[OnnxEngine]:
    """Return whether an engine is a session on the CPU: other runtimes are served without importing onnxruntime."""
    if engine.runtime != ONNXRUNTIME:
        return False
    from classifiers.runtimes.onnx_cpu import OnnxEngine

    return isinstance(engine, OnnxEngine)
