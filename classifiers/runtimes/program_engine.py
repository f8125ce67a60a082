"""One bundle of a program as an ``Engine``: the program runs as a whole, the bundle's answers are picked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Spectrum
from classifiers.preprocess.prepare import PreparedBatch
from classifiers.runtimes.casting import Dtype


class Runs(Protocol):
    """A program on a device."""

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        """Compute n >= 1 rows; return arrays by bundle name and output name, first axis n."""
        ...


class Prepared(Protocol):
    """n spectra as they were prepared, and what was computed of them by bundle name and output name."""

    @property
    def prepared(self) -> PreparedBatch:
        """Return them on the common grid."""
        ...

    @property
    def answers(self) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        """Return arrays by bundle name and output name, first axis n."""
        ...


class Prepares(Protocol):
    """A program on a device that prepares raw spectra, too."""

    def run(self, spectra: Sequence[Spectrum]) -> Prepared:
        """Prepare and compute n >= 1 spectra."""
        ...


class ProgramEngine:
    """An ``Engine`` whose bundle shares its program, uploads and common layers with others.

    Attributes:
        program: what it shares.
        preparing: the same program behind its preparation of raw spectra; None where it has none.
    """

    def __init__(self, name: str, runtime: str, dtype: Dtype, program: Runs, preparing: Prepares | None = None) -> None:
        self.name = name
        self.runtime = runtime
        self.dtype: str = dtype
        self.program = program
        self.preparing = preparing

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Compute the bundle's outputs of n >= 1 rows."""
        return dict(self.program.run(inputs)[self.name])
