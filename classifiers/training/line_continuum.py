"""Make the stellar components that emission lines of galaxies are measured above (``classifiers.lines.continuum``).

    python -m classifiers.training.line_continuum

writes ``classifiers/lines/continuum.npz`` anew: galaxies of the simulator without lines, on the rest-frame bins that
the line fit reads, as mean and principal components. The same seed gives the same file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from classifiers.lines.continuum import FILE, FIRST_COLUMN, phase_centres
from classifiers.lines.table import COLUMNS, STEP
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.training.simulation.basis import SHIPPED, Basis
from classifiers.training.simulation.galaxies import Galaxies

DEFAULT_COUNT = 12_000
_CHUNK, _SEED, _COMPONENTS = 500, 7, 6
_NATIVE = np.array([-1e-4, 0.0, 1e-4])


def build(path: Path = FILE, basis: Path = SHIPPED, count: int = DEFAULT_COUNT) -> None:
    """Write the components.

    Args:
        path: file to write.
        basis: the simulator's basis file.
        count: galaxies to draw, a multiple of 500.
    """
    galaxies = Galaxies(Basis.load(basis))
    rng = np.random.default_rng(_SEED)
    # A spectrum whose log10(1 + z) is k + phase bins shows at its rest-frame bin j what is emitted at j - phase.
    bins = COLUMNS[FIRST_COLUMN:] - phase_centres()[:, None]
    wanted = COMMON_GRID.log10_start + STEP * bins[..., None] + _NATIVE
    drawn = []
    for _ in range(count // _CHUNK):
        log10_wavelength, flux = galaxies.continua(_CHUNK, rng)
        at = [np.interp(wanted, log10_wavelength, row).mean(axis=-1) for row in flux]
        drawn.append(np.stack(at))
    spectra = np.concatenate(drawn)
    spectra /= spectra.mean(axis=(1, 2), keepdims=True)
    mean = spectra.mean(axis=0)
    flat = (spectra - mean).reshape(len(spectra), -1)
    _, values, vectors = np.linalg.svd(flat, full_matrices=False)
    chosen = vectors[:_COMPONENTS].reshape(_COMPONENTS, *mean.shape).transpose(1, 0, 2)
    spread = values[:_COMPONENTS] / np.sqrt(len(spectra))
    np.savez_compressed(
        path, mean=mean.astype(np.float32), vectors=chosen.astype(np.float32), spread=spread.astype(np.float32)
    )


if __name__ == "__main__":
    build()
