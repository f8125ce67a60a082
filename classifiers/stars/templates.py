"""The star templates, on the bins of the common grid at any shift.

They are SDSS's own (``classifiers.training.star_templates`` makes the file), so that the type of the best one is what
the survey would have said: those of the scheme's types, and those of stars outside the scheme. A template of n pixels
is integrated over bins: its flux is a straight line between pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.preprocess.grid import COMMON_GRID

Floats = NDArray[np.float64]
FILE = Path(__file__).parent / "templates.npz"
STAR_TYPES = ("A0", "F5", "F9", "G2", "K1", "K3", "K5")
OUTSIDE_TYPES = ("M", "WD", "OB", "CARBON")
"""Outside the scheme, by the names that classifiers have for them (``other_types`` of a manifest)."""


@dataclass(frozen=True, slots=True)
class Templates:
    """Templates, relative to their smooth continuum.

    Attributes:
        names: of the templates; F2, G0, G5 and K7 are no types of their own.
        star_type: (t,) int64 into ``STAR_TYPES``, or into ``OUTSIDE_TYPES``.
        flux: (t, m) float64.
        log10_start, log10_step: of the pixels' centres [log10 Angstrom, vacuum].
    """

    names: tuple[str, ...]
    star_type: NDArray[np.int64]
    flux: Floats
    log10_start: float
    log10_step: float

    def covered(self) -> slice:
        """Return the bins of the common grid that all templates cover at shift 0."""
        edges = (
            np.array([-0.5, self.flux.shape[1] - 0.5]) * self.log10_step + self.log10_start
        ) - COMMON_GRID.log10_start
        first, last = edges / COMMON_GRID.log10_step
        return slice(int(np.ceil(first + 0.5)), int(np.floor(last - 0.5)) + 1)

    def binned(self, rows: NDArray[np.int64], bins: slice, shift: Floats) -> Floats:
        """Return what some bins see of shifted templates.

        Args:
            rows: (r,) templates.
            bins: of the common grid; with the shifts inside ``covered``.
            shift: (s,) towards the red [bins].

        Returns:
            (r, s, bin) float64.
        """
        edges = np.arange(bins.start, bins.stop + 1) - 0.5 - shift[:, None]
        place = (COMMON_GRID.log10_start + COMMON_GRID.log10_step * edges - self.log10_start) / self.log10_step + 0.5
        pixels = np.arange(self.flux.shape[1] + 1)
        width = COMMON_GRID.log10_step / self.log10_step
        below = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(self.flux[rows], axis=1)], axis=1)
        return np.stack([np.diff(np.interp(place, pixels, row), axis=1) / width for row in below])


@lru_cache(maxsize=1)
def templates() -> Templates:
    """Read the eleven templates of the scheme's types."""
    return _read("", STAR_TYPES)


@lru_cache(maxsize=1)
def outside() -> Templates:
    """Read the templates of stars outside the scheme; they have the pixels of ``templates``."""
    return _read("outside_", OUTSIDE_TYPES)


def _read(prefix: str, kinds: tuple[str, ...]) -> Templates:
    with np.load(FILE, allow_pickle=False) as stored:
        types = np.array([kinds.index(str(name)) for name in stored[prefix + "star_type"]])
        names = tuple(str(name) for name in stored[prefix + "names"])
        start, step = float(stored["log10_start"]), float(stored["log10_step"])
        return Templates(names, types, stored[prefix + "flux"].astype(np.float64), start, step)
