"""Baseline for redshifts: SDSS's eigenspectra plus a polynomial, fitted at every redshift of a fine grid.

The chi-square of the linear fit at each shift needs sums over pixels of products of the spectrum, its weights and the
shifted eigenspectra: correlations, all made by fast Fourier transform (Glazebrook, Offer & Deeley 1998, ApJ 492, 98;
Bolton et al. 2012, AJ 144, 144, Sect. 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, PIXELS, Float32, Float64

_POLYNOMIAL_TERMS = 3
_SETS = {"GALAXY": ("spEigenGal-56436", 0.0, 1.1), "QSO": ("spEigenQSO-55732", 0.0333, 5.5)}
"""Eigenspectra and searched redshifts; 0.0333 is SDSS's own lower bound for quasars."""
_STRIDE = 4
"""Pixels of 69 km/s between the redshifts that are tried first; all pixels around the best of them follow."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The best redshift of each spectrum among one kind's: ``redshift`` and ``chi2`` (n,) float64."""

    redshift: Float64
    chi2: Float64


def best_redshifts(spectra_folder: Path, flux: Float32, inverse_variance: Float32) -> tuple[list[str], Float64]:
    """Return GALAXY or QSO and the redshift of each spectrum, whichever eigenspectra fit better.

    Args:
        spectra_folder: holds ``sdss_speigen.npz``.
        flux: (n, 4671) float32 native grid.
        inverse_variance: (n, 4671) float32, 0 where masked.
    """
    fits = {kind: _fit(spectra_folder, kind, flux, inverse_variance) for kind in _SETS}
    better = np.argmin(np.stack([fit.chi2 for fit in fits.values()]), axis=0)
    redshift = np.stack([fit.redshift for fit in fits.values()])[better, np.arange(len(flux))]
    return [list(_SETS)[index] for index in better], redshift


def _fit(spectra_folder: Path, kind: str, flux: Float32, weight: Float32) -> Fit:
    name, lowest, highest = _SETS[kind]
    with np.load(spectra_folder / "sdss_speigen.npz", allow_pickle=False) as stored:
        vectors = stored[f"{name}__flux"].astype(np.float64)
        start = float(stored[f"{name}__loglam"][0])
    vectors /= np.sqrt((vectors**2).mean(axis=1, keepdims=True))
    # pixel i at redshift z sees vector pixel offset + i - log10(1 + z) / step
    offset = round((LOG10_START - start) / LOG10_STEP)
    first = int(np.ceil(np.log10(1.0 + lowest) / LOG10_STEP))
    first = max(first, offset + PIXELS - vectors.shape[1])
    last = min(int(np.log10(1.0 + highest) / LOG10_STEP), offset)
    products = _Products.of(vectors, offset - last, offset - first)
    redshift, chi2 = np.empty(len(flux)), np.empty(len(flux))
    for row in range(len(flux)):
        lag, chi2[row] = products.best_lag(flux[row].astype(np.float64), weight[row].astype(np.float64))
        redshift[row] = 10.0 ** ((offset - lag) * LOG10_STEP) - 1.0
    return Fit(redshift, chi2)


@dataclass(frozen=True, slots=True)
class _Products:
    """Transforms of the eigenspectra and their products, and the lags first .. last that are wanted."""

    linear: np.ndarray[tuple[int, int], np.dtype[np.complex128]]
    square: np.ndarray[tuple[int, int], np.dtype[np.complex128]]
    pairs: tuple[tuple[int, int], ...]
    length: int
    first: int
    last: int

    @staticmethod
    def of(vectors: Float64, first: int, last: int) -> _Products:
        count = len(vectors)
        pairs = tuple((i, j) for i in range(count) for j in range(i, count))
        length = _fast_length(vectors.shape[1])
        square = np.stack([vectors[i] * vectors[j] for i, j in pairs])
        return _Products(np.fft.rfft(vectors, length), np.fft.rfft(square, length), pairs, length, first, last)

    def best_lag(self, flux: Float64, weight: Float64) -> tuple[float, float]:
        """Return the lag of the smallest chi-square, by a parabola through its neighbours, and that chi-square."""
        normal, right, constant = self._equations(flux, weight)
        coarse = np.arange(0, len(right), _STRIDE)
        rough = int(coarse[np.argmin(_chi2(normal[coarse], right[coarse], constant))])
        near = np.arange(max(0, rough - _STRIDE), min(len(right), rough + _STRIDE + 1))
        curve = _chi2(normal[near], right[near], constant)
        best = int(np.argmin(curve))
        fraction = 0.0
        if 0 < best < curve.size - 1:
            left, middle, after = curve[best - 1 : best + 2]
            bend = left - 2.0 * middle + after
            fraction = 0.5 * (left - after) / bend if bend > 0 else 0.0
        return self.first + float(near[best]) + fraction, float(curve[best])

    def _equations(self, flux: Float64, weight: Float64) -> tuple[Float64, Float64, float]:
        """Return the normal equations at each lag, (lag, k, k) and (lag, k), and chi-square without a model."""
        count = len(self.linear)
        terms = count + _POLYNOMIAL_TERMS
        powers = np.vander(np.linspace(-1.0, 1.0, flux.size), _POLYNOMIAL_TERMS, increasing=True).T
        level = max(float(np.median(np.abs(flux[weight > 0]))), 1e-30) if (weight > 0).any() else 1.0
        flux, weight = flux / level, weight * level**2
        lags = self.last - self.first + 1
        normal = np.empty((lags, terms, terms))
        right = np.empty((lags, terms))
        for (i, j), values in zip(self.pairs, self._correlated(weight, self.square), strict=True):
            normal[:, i, j] = normal[:, j, i] = values
        right[:, :count] = self._correlated(weight * flux, self.linear).T
        for k, power in enumerate(powers):
            cross = self._correlated(weight * power, self.linear).T
            normal[:, :count, count + k] = normal[:, count + k, :count] = cross
            right[:, count + k] = float((weight * flux * power).sum())
        normal[:, count:, count:] = (weight * powers) @ powers.T
        return normal, right, float((weight * flux**2).sum())

    def _correlated(self, values: Float64, transforms: np.ndarray[tuple[int, int], np.dtype[np.complex128]]) -> Float64:
        """Return sum_i values_i vector_(lag + i) for each vector and wanted lag: (vector, lag) float64."""
        transform = np.conj(np.fft.rfft(values, self.length))
        full = np.fft.irfft(transforms * transform, self.length, axis=1)
        return np.asarray(full[:, self.first : self.last + 1], np.float64)


def _chi2(normal: Float64, right: Float64, constant: float) -> Float64:
    """Return the chi-square of the best linear combination at each lag, (lag,) float64."""
    scale = np.sqrt(np.einsum("lkk->lk", normal)) + 1e-30
    scaled = normal / (scale[:, :, None] * scale[:, None, :]) + 1e-8 * np.eye(right.shape[1])
    solution = np.linalg.solve(scaled, (right / scale)[..., None])[..., 0]
    return np.asarray(constant - (right / scale * solution).sum(axis=1), np.float64)


def _fast_length(n: int) -> int:
    """Return the smallest 2^a 3^b, b <= 3, at or above n."""
    products = [1 << two for two in range(20)]
    products = [product * factor for product in products for factor in (1, 3, 9, 27)]
    return min(product for product in products if product >= n)
