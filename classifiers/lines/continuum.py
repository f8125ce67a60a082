"""Stellar continua of galaxies: a mean and a few principal components of simulated ones, with Gaussian priors.

Balmer absorption of the stars lies below the emission, so a galaxy's lines are measured above a model of its stars, as
SDSS measures them above its velocity-dispersion templates. The components come from stellar populations (E-MILES) with
dust and without lines (``classifiers.training.line_continuum``). They are fitted to the pixels around the lines, with
the lines masked; a cubic factor takes what flux calibration gets wrong. The priors decide where the spectrum does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.lines.sweep import sweep
from classifiers.lines.table import COLUMNS, COMPLEXES, LINES, NARROW, rest_bin

FILE = Path(__file__).parent / "continuum.npz"
PHASES = 4
"""The components are tabulated at this many fractions of a bin."""
FIRST_COLUMN = next(part.start for part in COMPLEXES if any(line.group == NARROW for line in part.lines))
"""Galaxies are fitted from this column of ``COLUMNS`` on: [O II] to [S II]."""
_MASKED_BINS = 5.0
_OTHER_LINES_ANGSTROM = (3835.40, 3869.86, 3890.17, 3968.59, 3971.20, 4687.02, 4713.0)
_CUBIC_PRIOR = 0.3
_LEVEL_PRIOR = 1e3
_SMALLEST_SNR2 = 1e-6


@dataclass(frozen=True, slots=True)
class Components:
    """Mean and components on ``COLUMNS[FIRST_COLUMN:]``.

    Attributes:
        vectors: (4, k, column) float32 by phase: mean, mean times powers 1 to 3 of a coordinate, components.
        precision: (k,) inverse prior variances where the mean's coefficient is 1.
        used: (column,) bool, away from emission lines.
    """

    vectors: NDArray[np.float32]
    precision: NDArray[np.float64]
    used: NDArray[np.bool_]


@lru_cache(maxsize=1)
def components() -> Components:
    """Read the components that ship."""
    with np.load(FILE, allow_pickle=False) as stored:
        mean, vectors, spread = stored["mean"], stored["vectors"], stored["spread"]
    columns = COLUMNS[FIRST_COLUMN:]
    x = np.interp(columns, [columns.min(), columns.max()], [-1.0, 1.0]).astype(np.float32)
    stacked = np.concatenate([mean[:, None] * x ** np.arange(4)[:, None], vectors], axis=1)
    precision = np.concatenate([[_LEVEL_PRIOR**-2], np.full(3, _CUBIC_PRIOR**-2), spread.astype(np.float64) ** -2.0])
    lines = [wavelength for line in LINES for wavelength, _ in line.parts] + list(_OTHER_LINES_ANGSTROM)
    used = np.abs(columns[:, None] - np.array([rest_bin(each) for each in lines])).min(axis=1) > _MASKED_BINS
    return Components(np.ascontiguousarray(stacked, np.float32), precision, used)


def phase_index(phase: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the tabulated phase next to each of (n,) in -1/2 .. 1/2 bin."""
    return np.clip(np.floor((phase + 0.5) * PHASES), 0, PHASES - 1).astype(np.int64)


def phase_centres() -> NDArray[np.float64]:
    """Return the tabulated phases [bins]: (4,)."""
    return (np.arange(PHASES) + 0.5) / PHASES - 0.5


def galaxy_continuum(
    flux: NDArray[np.float32], weight: NDArray[np.float32], phase: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the model of the stars of n galaxies on ``COLUMNS``: (n, column) float32, 0 before ``FIRST_COLUMN``.

    Args:
        flux: (n, column) float32; 0 where masked.
        weight: (n, column) float32 inverse variance; 0 where masked.
        phase: (n,) [bins].
    """
    known = components()
    vectors = known.vectors[phase_index(phase)]
    k = vectors.shape[1]
    columns = np.concatenate([vectors, flux[:, None, FIRST_COLUMN:]], axis=1)
    weighted = columns * (weight[:, FIRST_COLUMN:] * known.used)[:, None, :]
    products = np.matmul(weighted, columns.swapaxes(1, 2)).transpose(1, 2, 0).astype(np.float64)
    level2 = (products[0, -1] / np.maximum(products[0, 0], 1e-30)) ** 2
    place = np.arange(k)
    prior = known.precision[:, None] / np.maximum(level2, _SMALLEST_SNR2 / np.maximum(products[0, 0], 1e-30))
    products[place, place] += prior
    solution = sweep(products, range(k))[:k, -1].T.astype(np.float32)
    model = np.zeros_like(flux)
    model[:, FIRST_COLUMN:] = np.matmul(solution[:, None, :], vectors)[:, 0]
    return model
