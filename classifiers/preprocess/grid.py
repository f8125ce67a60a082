"""The common grid that spectral engines read: bins of equal width in log10(vacuum wavelength / Angstrom).

``COMMON_GRID`` is the project's: each of its bins is exactly three native SDSS pixels (centres log10 = 3.55 + 1e-4 j),
3548 to 10,397 Angstrom.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CommonGrid:
    """Bins with centres 10^(log10_start + i log10_step), i = 0 .. n-1, and edges half a step to either side.

    Attributes:
        log10_start: log10 of the first bin's centre [log10 Angstrom, vacuum].
        log10_step: width of a bin [dex].
        n: number of bins.
    """

    log10_start: float
    log10_step: float
    n: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.log10_start) and np.isfinite(self.log10_step) and self.log10_step > 0 and self.n >= 1):
            raise ValueError(f"a grid needs a finite start, a positive step and at least one bin, not {self}")

    @cached_property
    def centres_angstrom(self) -> NDArray[np.float64]:
        """Return the centres: (n,) float64 [Angstrom, vacuum]."""
        centres = np.asarray(10.0 ** (self.log10_start + self.log10_step * np.arange(self.n)), dtype=np.float64)
        centres.setflags(write=False)
        return centres

    @cached_property
    def edges_angstrom(self) -> NDArray[np.float64]:
        """Return the edges: (n+1,) float64 [Angstrom, vacuum]."""
        edges = np.asarray(
            10.0 ** (self.log10_start + self.log10_step * (np.arange(self.n + 1) - 0.5)), dtype=np.float64
        )
        edges.setflags(write=False)
        return edges


COMMON_GRID = CommonGrid(log10_start=3.5501, log10_step=3e-4, n=1557)
