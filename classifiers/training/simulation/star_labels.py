"""The star type that a survey's own fit gives a spectrum: which of SDSS's templates fits best, and which nearly do.

SDSS fits one template at a time with a cubic added to it, weighted by the reported errors, and publishes the name of
the template of the least chi-square (``spreduce1d`` and ``zfind`` of its pipeline; Bolton et al. 2012, AJ 144, 144).
LAMOST began with the same templates, but its flux scale is relative (Luo et al. 2015, RAA 15, 1095): it adjusts the
template's continuum to that of the spectrum, so that lines decide, which is a template times a polynomial here. It
types M stars apart, with the Hammer (Covey et al. 2007, AJ 134, 2398), and has ten A types before the first B: there
templates outside the scheme do not compete. Names that are no class are folded into one (``FOLDED_STAR_TYPES``).

The fit is made on the spectrum as it was observed, with its noise and what its calibration got wrong, hence the label
is the survey's at that S/N. Probabilities are exp(-chi2 / 2) of the best template of each class; what this fit cannot
follow of the survey's counts as an error of ``DETAIL`` of the flux of a bin. Templates that the star without noise is
far from do not compete: noise alone can make a faint K star a T dwarf, a label that the survey warns of (``ZWARNING``)
and nobody should learn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, Float32, Float64, Integers
from classifiers.training.simulation.low_rank import STAR_LOG10_START
from classifiers.training.simulation.scheme import (
    ADDED,
    FIRST_STAR,
    FOLDED_STAR_TYPES,
    MULTIPLIED,
    OTHER_INDEX,
    OTHER_TYPES,
    STAR_TYPES,
)

WINDOW_LOG10 = (3.583, 3.962)
"""What all templates cover with some margin, log10 vacuum Angstrom."""
DETAIL = 0.03
"""1 % on scales of some ten bins: masks, resolution and continua that differ in details from the survey's."""
NEAR_CHI2 = 400.0
"""A template competes if it fits the noiseless star worse than the best one by no more at S/N ``NEAR_SNR``: 2 % of the
flux or so, the distance of classes that are neighbours (K5 and K7 differ by as much)."""
NEAR_SNR = 30.0
_BIN = 3  # pixels; templates and spectra resolve more than two
_ADDED_TERMS, _MULTIPLIED_TERMS = 4, 5
_RIDGE = 1e-9
_PECULIAR = {"A0p": "A0"}
_NAMED = {"WD": "WD", "WDmagnetic": "WD", "CarbonWD": "WD", "Carbon": "CARBON", "Carbon_lines": "CARBON"}
_BY_LETTER = {"O": "OB", "B": "OB", "M": "M", "L": "LT", "T": "LT"}


class StarLabels(NamedTuple):
    """Labels of n stars.

    Attributes:
        target: (n, 14) float64, probabilities of the star classes and of OTHER; rows sum to 1.
        class_index: (n,) int64, class of the best template, ``OTHER_INDEX`` for a type outside the scheme.
        other_type: (n,) int64, most probable type outside the scheme.
    """

    target: Float64
    class_index: Integers
    other_type: Integers


class StarTemplates:
    """SDSS's star templates, and the fits of both kinds."""

    def __init__(self, basis: Basis) -> None:
        first, last = (round((edge - STAR_LOG10_START) / LOG10_STEP) for edge in WINDOW_LOG10)
        self._bins = (last - first) // _BIN
        self._first = first + round((STAR_LOG10_START - LOG10_START) / LOG10_STEP)
        pixels = basis["template_flux"][:, first : first + self._bins * _BIN].astype(np.float64)
        flux = pixels.reshape(-1, self._bins, _BIN).mean(axis=2).T
        self._class = basis["template_class"].astype(np.int64)
        x = np.linspace(-1.0, 1.0, self._bins)
        moments = np.asarray(np.polynomial.chebyshev.chebvander(x, 2 * _MULTIPLIED_TERMS - 2), np.float64)
        self._polynomials = moments[:, :_ADDED_TERMS]
        self._flux, self._square = flux, flux**2
        self._moments = self._columns(self._square, moments)
        self._times = self._columns(flux, moments[:, :_MULTIPLIED_TERMS])

    @staticmethod
    def _columns(templates: Float64, polynomials: Float64) -> Float64:
        """Return products (bin, template x polynomial)."""
        return np.ascontiguousarray((templates[:, :, None] * polynomials[:, None, :]).reshape(len(templates), -1))

    def label(
        self, flux: Float32, inverse_variance: Float32, noiseless: Float32, redshift: Float64, continuum: str
    ) -> StarLabels:
        """Label n stars.

        Args:
            flux: (n, 4671) float32 on the native grid, with noise.
            inverse_variance: (n, 4671) float32; 0 where masked.
            noiseless: (n, 4671) float32, what the stars are, of median about 1.
            redshift: (n,) at which templates are put, to the nearest pixel.
            continuum: ``ADDED`` or ``MULTIPLIED``.
        """
        chi2 = self.misfit(flux, inverse_variance, redshift, continuum)
        bright = np.where(inverse_variance > 0, np.float32(NEAR_SNR**2), np.float32(0.0))
        far = self.misfit(noiseless, bright, redshift, continuum)
        if continuum == MULTIPLIED:
            far[:, self._class >= len(STAR_TYPES)] = np.inf
        chi2 = np.where(far - far.min(axis=1, keepdims=True) <= NEAR_CHI2, chi2, np.inf)
        types = len(STAR_TYPES)
        least = np.full((len(chi2), types + len(OTHER_TYPES)), np.inf)
        for column, kind in enumerate(self._class.tolist()):
            least[:, kind] = np.minimum(least[:, kind], chi2[:, column])
        evidence = np.exp(-0.5 * (least - least.min(axis=1, keepdims=True)))
        target = np.zeros((len(chi2), OTHER_INDEX + 1))
        target[:, FIRST_STAR:OTHER_INDEX] = evidence[:, :types]
        target[:, OTHER_INDEX] = evidence[:, types:].max(axis=1)
        target /= target.sum(axis=1, keepdims=True)
        return StarLabels(target, target.argmax(axis=1), evidence[:, types:].argmax(axis=1))

    def misfit(self, flux: Float32, inverse_variance: Float32, redshift: Float64, continuum: str) -> Float64:
        """Return chi-square of each template less what all have in common, (n, template); arguments as ``label``'s."""
        values, weight = self._binned(flux, inverse_variance, redshift)
        weight /= 1.0 + weight * (DETAIL * np.maximum(values, 0.0)) ** 2
        weighted = weight * values
        if continuum == ADDED:
            return self._added(weight, weighted)
        return self._multiplied(weight, weighted)

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

    def _added(self, weight: Float64, weighted: Float64) -> Float64:
        """Return minus what each template explains beyond a cubic; nothing where it would have to be negative."""
        n, count, terms = len(weight), self._flux.shape[1], _ADDED_TERMS
        powers = self._polynomials
        normal = (weight @ self._columns(powers, powers)).reshape(n, terms, terms)
        normal += _RIDGE * normal[:, :1, :1] * np.eye(terms) + 1e-30 * np.eye(terms)
        crossed = (weight @ self._times).reshape(n, count, _MULTIPLIED_TERMS)[:, :, :terms]
        right = np.concatenate([(weighted @ powers)[:, None], crossed], axis=1).transpose(0, 2, 1)
        solved = np.linalg.solve(normal, right)
        beyond = weighted @ self._flux - (crossed * solved[:, None, :, 0]).sum(axis=2)
        norm = weight @ self._square - (crossed.transpose(0, 2, 1) * solved[:, :, 1:]).sum(axis=1)
        return np.asarray(-(np.maximum(beyond, 0.0) ** 2) / np.maximum(norm, 1e-30))

    def _multiplied(self, weight: Float64, weighted: Float64) -> Float64:
        """Return minus what each template times a quartic explains."""
        n, terms = len(weight), _MULTIPLIED_TERMS
        j, k = np.indices((terms, terms))
        moments = (weight @ self._moments).reshape(n, -1, 2 * terms - 1)
        normal = 0.5 * (moments[..., j + k] + moments[..., abs(j - k)])
        normal += (_RIDGE * normal[..., :1, :1] + 1e-30) * np.eye(terms)
        right = (weighted @ self._times).reshape(n, -1, terms)
        solved = np.linalg.solve(normal, right[..., None])[..., 0]
        return np.asarray(-(right * solved).sum(axis=2))


def template_class(name: str) -> int:
    """Return what the name of a template stands for: index of the star type, or 7 + index of the type outside them."""
    plain = (FOLDED_STAR_TYPES | _PECULIAR).get(name, name)
    if plain in STAR_TYPES:
        return STAR_TYPES.index(plain)
    return len(STAR_TYPES) + OTHER_TYPES.index(_NAMED.get(name) or _BY_LETTER[name[0]])
