"""Eigenspectra of quasars, as the bins of the common grid see them at any redshift of a fine grid.

They are SDSS's own (``classifiers.training.quasar_templates`` makes the file), so that a redshift on them is what the
survey would have said. Their pixels are a third of a bin wide and aligned with it: at whole pixels of shift a bin sees
the mean of three of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.preprocess.grid import COMMON_GRID

Floats = NDArray[np.float64]
FILE = Path(__file__).parent / "eigenspectra.npz"
PER_BIN = 3
"""Pixels of the eigenspectra in a bin of the common grid."""


@dataclass(frozen=True, slots=True)
class Eigenspectra:
    """Four eigenspectra.

    Attributes:
        binned: (phase, vector, place) float64: the mean of three pixels around pixel ``PER_BIN * place + phase``.
        origin: the pixel at the first bin of the common grid at redshift 0.
        pixels: of each eigenspectrum.
        log10_step: width of a pixel [dex].
    """

    binned: Floats
    origin: int
    pixels: int
    log10_step: float


@lru_cache(maxsize=1)
def eigenspectra() -> Eigenspectra:
    """Read the eigenspectra that ship."""
    with np.load(FILE, allow_pickle=False) as stored:
        flux = stored["flux"].astype(np.float64)
        start, step = float(stored["log10_start"]), float(stored["log10_step"])
    count = flux.shape[1]
    padded = np.pad(flux, ((0, 0), (1, 1 + -count % PER_BIN)))
    means = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / PER_BIN
    means = means.reshape(len(flux), -1, PER_BIN)
    return Eigenspectra(
        binned=np.ascontiguousarray(np.moveaxis(means, 2, 0)),
        origin=round((COMMON_GRID.log10_start - start) / step),
        pixels=count,
        log10_step=step,
    )
