"""Low-rank description of spectra that cover different parts of one grid."""

from __future__ import annotations

import numpy as np

from classifiers.training.simulation.grid import Float32, Float64

# Log grid of stellar templates: 100 px (6,900 km/s) wider than the native grid on each side less one.
STAR_LOG10_START = 3.545
STAR_PIXELS = 4771


def on_star_grid(flux: Float64, log10_start: float, log10_step: float = 1e-4) -> Float64:
    """Interpolate spectra to the stellar grid, NaN outside their coverage, scaled to median 1.

    Args:
        flux: (n, m) spectra on a log grid; zeros at the edges count as not covered.
        log10_start: log10(wavelength) of the first pixel.
        log10_step: step of the grid.

    Returns:
        (n, STAR_PIXELS) float64.
    """
    target = STAR_LOG10_START + 1e-4 * np.arange(STAR_PIXELS)
    rows = np.full((flux.shape[0], STAR_PIXELS), np.nan)
    for row, spectrum in enumerate(flux):
        covered = np.flatnonzero(spectrum != 0)
        inner = slice(covered[0] + 3, covered[-1] - 2)
        axis = (log10_start + log10_step * np.arange(spectrum.size))[inner]
        rows[row] = np.interp(target, axis, spectrum[inner], left=np.nan, right=np.nan)
        rows[row] /= np.nanmedian(rows[row])
    return rows


def low_rank(spectra: Float64, rank: int, iterations: int = 12) -> tuple[Float32, Float32]:
    """Factorise spectra with missing pixels, filling the gaps from the factorisation until it settles.

    Args:
        spectra: (n, m) float64, NaN where not covered.
        rank: number of vectors kept.
        iterations: rounds of filling.

    Returns:
        coefficients (n, rank) and vectors (rank, m), float32, vectors of unit mean square.
    """
    missing = ~np.isfinite(spectra)
    filled = spectra.copy()
    for row, gaps in zip(filled, missing, strict=True):
        inside = np.flatnonzero(~gaps)
        edge_values = np.median(row[inside[:50]]), np.median(row[inside[-50:]])
        row[: inside[0]], row[inside[-1] :] = edge_values
        row[np.isnan(row)] = 1.0
    left, values, right = np.linalg.svd(filled, full_matrices=False)
    for _ in range(iterations):
        first = min(8, rank)
        estimate = (left[:, :first] * values[:first]) @ right[:first]
        filled[missing] = np.clip(estimate[missing], 0.0, 20.0)
        left, values, right = np.linalg.svd(filled, full_matrices=False)
    scale = np.sqrt(spectra.shape[1])
    coefficients = left[:, :rank] * values[:rank] / scale
    return coefficients.astype(np.float32), (right[:rank] * scale).astype(np.float32)
