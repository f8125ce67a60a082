"""Baseline for star types: the classical template fit, as SDSS's own pipeline does it.

Each spectrum is fitted by each SDSS template times a polynomial, weighted by inverse variance, over a small grid of
velocities; the best chi-square gives the type (Bolton et al. 2012, AJ 144, 144, Sect. 3.2: star templates).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, PIXELS, Float32, Float64
from classifiers.training.simulation.scheme import FOLDED_STAR_TYPES, STAR_TYPES

_POLYNOMIAL_TERMS = 4
_LARGEST_SHIFT = 6
"""Pixels of 69 km/s: +-414 km/s."""
_EDGE = 12
_ROWS = 64


def star_types(spectra_folder: Path, flux: Float32, inverse_variance: Float32) -> list[str]:
    """Return the star type of each spectrum by template fit.

    Args:
        spectra_folder: holds ``sdss_speigen.npz``.
        flux: (n, 4671) float32 native grid.
        inverse_variance: (n, 4671) float32, 0 where masked.
    """
    names, templates, first = _templates(spectra_folder)
    chi2 = np.concatenate(
        [
            _chi2(flux[start : start + _ROWS], inverse_variance[start : start + _ROWS], templates, first)
            for start in range(0, len(flux), _ROWS)
        ]
    )
    best = chi2.min(axis=2)
    folded = np.full((len(flux), len(STAR_TYPES)), np.inf)
    for column, name in enumerate(names):
        target = STAR_TYPES.index(FOLDED_STAR_TYPES.get(name, name))
        folded[:, target] = np.minimum(folded[:, target], best[:, column])
    return [STAR_TYPES[index] for index in folded.argmin(axis=1)]


def _templates(spectra_folder: Path) -> tuple[list[str], Float64, int]:
    """Return names, templates (t, m) float64 without their empty edges, and the native pixel of the first."""
    with np.load(spectra_folder / "sdss_speigen.npz", allow_pickle=False) as stored:
        everything = [str(name) for name in stored["spEigenStar-53724__names"]]
        rows = [row for row, name in enumerate(everything) if name in (*STAR_TYPES, *FOLDED_STAR_TYPES)]
        flux = stored["spEigenStar-53724__flux"][rows].astype(np.float64)
        start = float(stored["spEigenStar-53724__loglam"][0])
    covered = np.flatnonzero((flux != 0).all(axis=0))
    window = slice(covered[0] + _EDGE, covered[-1] - _EDGE)
    templates = flux[:, window] / np.median(flux[:, window], axis=1, keepdims=True)
    return [everything[row] for row in rows], templates, round((start - LOG10_START) / LOG10_STEP) + window.start


def _chi2(flux: Float32, weight: Float32, templates: Float64, first: int) -> Float64:
    """Return chi-square less its constant: (n, template, shift) float64."""
    width = templates.shape[1] - 2 * _LARGEST_SHIFT
    seen = slice(first + _LARGEST_SHIFT, min(first + _LARGEST_SHIFT + width, PIXELS))
    width = seen.stop - seen.start
    w, f = weight[:, seen].astype(np.float64), flux[:, seen].astype(np.float64)
    level = np.maximum(np.median(np.abs(f), axis=1, keepdims=True), 1e-30)
    f, w = f / level, w * level**2
    powers = np.vander(np.linspace(-1.0, 1.0, width), 2 * _POLYNOMIAL_TERMS - 1, increasing=True)
    result = np.empty((len(flux), len(templates), 2 * _LARGEST_SHIFT + 1))
    for shift in range(2 * _LARGEST_SHIFT + 1):
        model = templates[:, 2 * _LARGEST_SHIFT - shift : 2 * _LARGEST_SHIFT - shift + width]
        square = np.einsum("tp,pk->tkp", model**2, powers).reshape(-1, width)
        linear = np.einsum("tp,pk->tkp", model, powers[:, :_POLYNOMIAL_TERMS]).reshape(-1, width)
        moments = (w @ square.T).reshape(len(flux), len(templates), -1)
        right = ((w * f) @ linear.T).reshape(len(flux), len(templates), _POLYNOMIAL_TERMS)
        order = np.arange(_POLYNOMIAL_TERMS)
        normal = moments[:, :, order[:, None] + order[None, :]]
        normal = normal + 1e-9 * np.einsum("ntkk->nt", normal)[:, :, None, None] * np.eye(_POLYNOMIAL_TERMS)
        solution = np.linalg.solve(normal, right[..., None])[..., 0]
        result[:, :, shift] = -(right * solution).sum(axis=2)
    return result
