"""One bundle of a program as an ``Engine``: the program runs as a whole, the bundle's answers are picked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Spectrum
from classifiers.preprocess.grid import CommonGrid
from classifiers.preprocess.prepare import PreparedBatch
from classifiers.runtimes.casting import Dtype
from classifiers.runtimes.program import Program


class Runs(Protocol):
    """A program on a device."""

    @property
    def program(self) -> Program:
        """Return what is computed."""
        ...

    @property
    def buckets(self) -> tuple[int, ...]:
        """Return the rows that are computed at once, ascending; less where they were found too large."""
        ...

    @property
    def slots(self) -> int:
        """Return how many of them may be in flight."""
        ...

    def run(
        self, inputs: Mapping[str, NDArray[np.float32]], *, bucket: int | None = None
    ) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        """Compute n >= 1 rows; return arrays by bundle name and output name, first axis n.

        Args:
            inputs: by input name, first axis n.
            bucket: rows to compute at once, one of ``buckets``, slot after slot; None: as is best.
        """
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

    @property
    def grid(self) -> CommonGrid:
        """Return the grid that they are brought to."""
        ...

    def run(self, spectra: Sequence[Spectrum], *, bucket: int | None = None) -> Prepared:
        """Prepare and compute n >= 1 spectra; ``bucket`` as of ``Runs``, where all are of one form."""
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
