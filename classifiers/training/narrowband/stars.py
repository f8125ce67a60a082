"""Noiseless stars on the narrow-band grid: eigenvectors by family, white-dwarf models, cataclysmic variables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from classifiers.training.narrowband.bands import PIXELS, grid_wavelength
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.emission import relative_extinction
from classifiers.training.simulation.grid import Float32

MIX: Mapping[str, float] = {
    "B": 0.01, "A": 0.02, "F": 0.15, "G": 0.18, "K": 0.19, "KM": 0.08, "M": 0.34, "WD": 0.024, "CV": 0.006,
}  # fmt: skip
"""Shares of the families towards high galactic latitude, late types most (an assumption; A and B are horizontal-branch
stars and blue stragglers; KM are between the reddest of K and the bluest of M, where templates are few). Radial
velocities shift a band by less than a hundredth of its width and are left out."""
_MEAN_REDDENING = 0.04
_EXTREME = 0.12
_BLUE, _RED = slice(260, 460), slice(690, 830)
"""Pixels of 4265 to 5370 and 7000 to 8220 Angstrom, that colours are taken of."""


class Stars:
    """Draws noiseless stars."""

    def __init__(self, basis: Basis) -> None:
        self._families = {
            name: (basis[f"star_{name}_coefficients"], basis[f"star_{name}_vectors"])
            for name in MIX
            if name not in ("CV", "KM")
        }
        self._between = self._extreme("K", 1.0), self._extreme("M", -1.0)
        self._models = basis["star_WD_models"]
        self._cataclysmic = basis["star_CV_vectors"]
        self._dimming = (-0.4 * np.log(10.0) * (relative_extinction(grid_wavelength()) - 3.1)).astype(np.float32)

    def draw(self, count: int, rng: np.random.Generator, mix: Mapping[str, float] = MIX) -> Float32:
        """Draw stars: (count, 1085) float32 F_lambda, any scale.

        Args:
            count: how many.
            rng: source of randomness.
            mix: relative frequency by family.
        """
        shares = np.array(list(mix.values()))
        family = rng.choice(len(shares), count, p=shares / shares.sum())
        flux = np.empty((count, PIXELS), np.float32)
        for index, name in enumerate(mix):
            rows = np.flatnonzero(family == index)
            if rows.size:
                flux[rows] = self._family(name, rows.size, rng)
        ebv = rng.exponential(_MEAN_REDDENING, (count, 1)).astype(np.float32)
        flux *= np.exp(ebv * self._dimming)
        return np.maximum(flux, 0.0, out=flux)

    def _extreme(self, name: str, sign: float) -> Float32:
        """Return the reddest (sign 1) or bluest (-1) of a family, each of median 1: (m, 1085) float32."""
        coefficients, vectors = self._families[name]
        flux = np.asarray(coefficients @ vectors, np.float32)
        blue, red = (flux[:, part].mean(axis=1) for part in (_BLUE, _RED))
        colour = sign * np.log(np.maximum(red, 1e-9) / np.maximum(blue, 1e-9))
        return np.asarray(flux[np.argsort(-colour, kind="stable")[: round(_EXTREME * len(flux))]])

    def _family(self, name: str, count: int, rng: np.random.Generator) -> Float32:
        if name == "CV":
            weights = rng.normal((1.0, 0.5, 0.2), (0.1, 0.5, 0.4), (count, 3)).astype(np.float32)
            return weights @ self._cataclysmic
        if name == "KM":
            late, early = (each[rng.integers(0, len(each), count)] for each in self._between)
            part = rng.uniform(0.0, 1.0, (count, 1)).astype(np.float32)
            return (1.0 - part) * late + part * early
        coefficients, vectors = self._families[name]
        one, two = rng.integers(0, len(coefficients), (2, count))
        share = rng.uniform(0.0, 0.4, (count, 1)).astype(np.float32)
        flux = ((1.0 - share) * coefficients[one] + share * coefficients[two]) @ vectors
        if name == "WD":
            rows = np.flatnonzero(rng.random(count) < 0.4)
            flux[rows] = self._models[rng.integers(0, len(self._models), rows.size)]
        return np.asarray(flux, dtype=np.float32)
