"""The star type that a survey's fit gives a spectrum: which of SDSS's templates fits best, and which nearly do.

A template times a quartic is fitted, weighted by the reported errors: flux scales of fibres are relative (LAMOST: Luo
et al. 2015, RAA 15, 1095) and dust reddens, so lines decide. SDSS adds a cubic to a template instead (``spreduce1d``
and ``zfind`` of its pipeline; Bolton et al. 2012, AJ 144, 144). Such details of the fit matter, because stars differ
from every template by 3 to 5 % of the flux, and from one template to the next one by less: what fits of other details
would say is part of the label. Probabilities are exp(-chi2 / 2) of the best template of each class, all errors scaled
as if ``DETAIL`` of the flux of a bin were added to the noise. Names that are no class are folded into one
(``FOLDED_STAR_TYPES``); templates of M dwarfs compete, too.

The fit is made on the spectrum as it was observed, with its noise and what its calibration got wrong, hence the label
is the survey's at that S/N. Templates that the star without noise is far from do not compete: noise alone can make a
faint G star an M dwarf, a label that the survey warns of (``ZWARNING``) and nobody should learn.
"""

from __future__ import annotations

import numpy as np

from classifiers.stars.measure import DETAIL
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, Float32, Float64
from classifiers.training.simulation.low_rank import STAR_LOG10_START
from classifiers.training.simulation.scheme import (
    FIRST_STAR,
    FOLDED_STAR_TYPES,
    OTHER_INDEX,
    STAR_TYPES,
)

WINDOW_LOG10 = (3.583, 3.962)
"""What all templates cover with some margin, log10 vacuum Angstrom."""
FAR = 0.04
"""A template competes if it fits the noiseless star worse than the best one by no more than this share of the flux
(root mean square), the distance of classes that are neighbours but one."""
_BIN = 3  # pixels; templates and spectra resolve more than two
_TERMS = 5
_RIDGE = 1e-9


class StarTemplates:
    """SDSS's templates of the scheme and of M dwarfs, and the fit."""

    def __init__(self, basis: Basis) -> None:
        first, last = (round((edge - STAR_LOG10_START) / LOG10_STEP) for edge in WINDOW_LOG10)
        self._bins = (last - first) // _BIN
        self._first = first + round((STAR_LOG10_START - LOG10_START) / LOG10_STEP)
        pixels = basis["template_flux"][:, first : first + self._bins * _BIN].astype(np.float64)
        flux = pixels.reshape(-1, self._bins, _BIN).mean(axis=2)
        self._class = basis["template_class"].astype(np.int64)
        x = np.linspace(-1.0, 1.0, self._bins)
        moments = np.asarray(np.polynomial.chebyshev.chebvander(x, 2 * _TERMS - 2), np.float64)
        self._moments = _columns(flux**2, moments)
        self._times = _columns(flux, moments[:, :_TERMS])

    def label(self, flux: Float32, inverse_variance: Float32, noiseless: Float32, redshift: Float64) -> Float64:
        """Label n stars.

        Args:
            flux: (n, 4671) float32 on the native grid, with noise.
            inverse_variance: (n, 4671) float32; 0 where masked.
            noiseless: (n, 4671) float32, what the stars are, of median about 1.
            redshift: (n,) at which templates are put, to the nearest pixel.

        Returns:
            (n, 14) float64, probabilities of the star classes and of OTHER, here an M dwarf; rows sum to 1.
        """
        values, weight = self._binned(flux, inverse_variance, redshift)
        star, _ = self._binned(noiseless, (inverse_variance > 0).astype(np.float32), redshift)
        seen = np.maximum((weight > 0).sum(axis=1, keepdims=True), 1)
        power = (weight * star**2).sum(axis=1, keepdims=True) / seen
        chi2 = self.misfit(values, weight / (1.0 + power * DETAIL**2))
        clean = self.misfit(star, weight / np.maximum(power, 1e-30))
        chi2 = np.where(clean - clean.min(axis=1, keepdims=True) <= seen * FAR**2, chi2, np.inf)
        best = np.stack([chi2[:, self._class == kind].min(axis=1) for kind in range(len(STAR_TYPES) + 1)], axis=1)
        target = np.zeros((len(chi2), OTHER_INDEX + 1))
        target[:, FIRST_STAR:] = np.exp(-0.5 * (best - best.min(axis=1, keepdims=True)))
        return np.asarray(target / target.sum(axis=1, keepdims=True))

    def misfit(self, values: Float64, weight: Float64) -> Float64:
        """Return chi-square of each template less what all have in common.

        Args:
            values: (n, bin) float64, flux on the templates' bins.
            weight: (n, bin) float64, inverse variance; 0 where masked.

        Returns:
            (n, template) float64.
        """
        n = len(weight)
        j, k = np.indices((_TERMS, _TERMS))
        moments = (weight @ self._moments).reshape(n, -1, 2 * _TERMS - 1)
        normal = 0.5 * (moments[..., j + k] + moments[..., abs(j - k)])  # T_j T_k = (T_(j+k) + T_|j-k|) / 2
        normal += (_RIDGE * normal[..., :1, :1] + 1e-30) * np.eye(_TERMS)
        right = ((weight * values) @ self._times).reshape(n, -1, _TERMS)
        solved = np.linalg.solve(normal, right[..., None])[..., 0]
        return np.asarray(-(right * solved).sum(axis=2))

    def _binned(self, flux: Float32, inverse_variance: Float32, redshift: Float64) -> tuple[Float64, Float64]:
        """Return weighted means and their weights over bins that begin where the templates do at the redshift."""
        shift = np.rint(np.log10(1.0 + redshift) / LOG10_STEP).astype(np.int64)
        places = (self._first + shift)[:, None] + np.arange(self._bins * _BIN)
        weight = np.take_along_axis(inverse_variance, places, axis=1).astype(np.float64)
        weighted = weight * np.take_along_axis(flux, places, axis=1)
        shape = len(flux), self._bins, _BIN
        total = weight.reshape(shape).sum(axis=2)
        summed = weighted.reshape(shape).sum(axis=2)
        return np.divide(summed, total, out=np.zeros_like(total), where=total > 0), total


def _columns(templates: Float64, polynomials: Float64) -> Float64:
    """Return products (bin, template x polynomial) of templates (t, bin) and polynomials (bin, k)."""
    return np.ascontiguousarray((templates.T[:, :, None] * polynomials[:, None, :]).reshape(len(polynomials), -1))


def template_class(name: str) -> int | None:
    """Return what the name of a template stands for: index of the star type, 7 for an M dwarf, None for others."""
    plain = FOLDED_STAR_TYPES.get(name, name)
    if plain in STAR_TYPES:
        return STAR_TYPES.index(plain)
    return len(STAR_TYPES) if name.startswith("M") else None
