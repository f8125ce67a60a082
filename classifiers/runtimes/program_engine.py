"""One bundle of a program as an ``Engine``: the program runs as a whole, the bundle's answers are picked out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classifiers.runtimes.casting import Dtype


class Runs(Protocol):
    """A program on a device."""

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        """Compute n >= 1 rows; return arrays by bundle name and output name, first axis n."""
        ...


class ProgramEngine:
    """An ``Engine`` whose bundle shares its program, uploads and common layers with others."""

    def __init__(self, name: str, runtime: str, dtype: Dtype, program: Runs) -> None:
        self.name = name
        self.runtime = runtime
        self.dtype: str = dtype
        self.program = program

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Compute the bundle's outputs of n >= 1 rows."""
        return dict(self.program.run(inputs)[self.name])
