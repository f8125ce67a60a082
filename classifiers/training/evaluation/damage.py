"""Damage that happens to real spectra: values, wavelengths, units, light of something else.

Each function takes the item and a generator and returns a damaged copy. ``MEANINGLESS`` damage leaves nothing to be
recognised: any confident class is an error. After any other the object is still there: a wrong class is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from classifiers.items import GridAxis, InlineAxis, Spectrum, quality_of
from classifiers.preprocess.air_vacuum import refractive_index
from classifiers.training.simulation.grid import Float32, Float64

Damage: TypeAlias = Callable[[Spectrum, np.random.Generator], Spectrum]
_UNIT_ERROR = np.float32(1e17)


def constant(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Every pixel has one value."""
    del rng
    return replace(item, flux=np.full_like(item.flux, max(_level(item), 1e-3)))


def constant_but_for_one(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Every pixel has one value, but one has twice as much."""
    flux = constant(item, rng).flux
    flux[rng.integers(flux.size)] *= 2.0
    return replace(item, flux=flux)


def black_body(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Planck's law at 3,000 to 10,000 K instead of the flux, without any noise."""
    wavelength = item.axis.wavelength_angstrom if isinstance(item.axis, InlineAxis) else _wavelength(_grid(item))
    shape = wavelength**-5.0 / np.expm1(1.438777e8 / (wavelength * rng.uniform(3000.0, 10_000.0)))
    return replace(item, flux=(max(_level(item), 1e-3) * shape / np.median(shape)).astype(np.float32))


def all_zero(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Every pixel is 0."""
    del rng
    return replace(item, flux=np.zeros_like(item.flux))


def pure_noise(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Nothing but noise of the reported size."""
    with np.errstate(divide="ignore"):
        sigma = np.where(item.uncertainty > 0, item.uncertainty ** np.float32(-0.5), np.float32(0))
    return replace(item, flux=(sigma * rng.standard_normal(sigma.size)).astype(np.float32))


def negative(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """The sign of the flux is wrong."""
    del rng
    return replace(item, flux=-item.flux)


def half_nan(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Half of the pixels, at random, are NaN and not masked."""
    gone = rng.random(item.flux.size) < 0.5
    return replace(item, flux=np.where(gone, np.float32(np.nan), item.flux))


def all_nan(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Every pixel is NaN."""
    del rng
    return replace(item, flux=np.full_like(item.flux, np.nan), uncertainty=np.full_like(item.flux, np.nan))


def single_pixel(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """All pixels but one are masked."""
    good = np.flatnonzero(item.uncertainty > 0)
    weight = np.zeros_like(item.uncertainty)
    if good.size:
        chosen = rng.choice(good)
        weight[chosen] = item.uncertainty[chosen]
    return replace(item, uncertainty=weight, quality=quality_of(weight > 0))


def without_blue_half(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """The shorter wavelengths are masked."""
    del rng
    return _kept(item, slice(item.flux.size // 2, None))


def without_red_half(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """The longer wavelengths are masked."""
    del rng
    return _kept(item, slice(None, item.flux.size // 2))


def unit_too_large(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Flux is 1e17 times larger than its unit says, errors with it."""
    del rng
    return replace(item, flux=item.flux * _UNIT_ERROR, uncertainty=item.uncertainty / _UNIT_ERROR / _UNIT_ERROR)


def unit_too_small(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Flux is 1e17 times smaller than its unit says, errors with it."""
    del rng
    with np.errstate(over="ignore"):
        weight = item.uncertainty * _UNIT_ERROR * _UNIT_ERROR
    return replace(item, flux=item.flux / _UNIT_ERROR, uncertainty=weight)


def nanometres(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Wavelengths are in nm and called Angstrom."""
    del rng
    return replace(item, axis=_inline(_grid(item), 0.1))


def air_called_vacuum(item: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Wavelengths are in air and called vacuum: 80 km/s too blue."""
    del rng
    axis = _grid(item)
    return replace(item, axis=_in_air(axis))


class OtherSky:
    """The sky of another fibre was subtracted: the difference of two fibres' skies remains, as bright as the object."""

    def __init__(self, skies: Float32) -> None:
        """Take (s, n) float32 skies on the items' own grid, 0 where not observed."""
        self._skies = skies

    def __call__(self, item: Spectrum, rng: np.random.Generator) -> Spectrum:
        """Add the difference of two skies, scaled so that the subtracted one has the object's median flux."""
        added, subtracted = self._skies[rng.choice(len(self._skies), 2, replace=False)]
        seen = (added > 0) & (subtracted > 0)
        scale = _level(item) / max(float(np.median(subtracted[seen])), 1e-6)
        residual = np.where(seen, added - subtracted, np.float32(0))
        return replace(item, flux=(item.flux + scale * residual).astype(np.float32))


class Blend:
    """Two spectra in one fibre, of equal median flux."""

    def __init__(self, others: list[Spectrum]) -> None:
        """Take spectra on the items' own grid."""
        self._others = others
        self.chosen: list[int] = []

    def __call__(self, item: Spectrum, rng: np.random.Generator) -> Spectrum:
        """Add another spectrum; its position in the list is appended to ``chosen``."""
        choice = int(rng.integers(len(self._others)))
        self.chosen.append(choice)
        return blended(item, self._others[choice])


def blended(item: Spectrum, other: Spectrum) -> Spectrum:
    """Return the light of two spectra on one grid together, of equal median flux; masked where either is."""
    scale = np.float32(_level(item) / max(_level(other), 1e-6))
    both = (item.uncertainty > 0) & (other.uncertainty > 0)
    weight = np.zeros_like(item.uncertainty)
    own, added = item.uncertainty[both], other.uncertainty[both]
    weight[both] = 1.0 / (1.0 / own + scale**2 / added)
    return replace(item, flux=item.flux + scale * other.flux, uncertainty=weight, quality=quality_of(weight > 0))


MEANINGLESS: Mapping[str, Damage] = {
    "constant": constant,
    "constant but for one pixel": constant_but_for_one,
    "black body without noise": black_body,
    "all zero": all_zero,
    "pure noise": pure_noise,
    "all NaN": all_nan,
    "single pixel": single_pixel,
    "negative": negative,
    "wavelength in nm": nanometres,
}
RECOGNISABLE: Mapping[str, Damage] = {
    "half of the pixels NaN": half_nan,
    "without its blue half": without_blue_half,
    "without its red half": without_red_half,
    "unit wrong by 1e17 (too large)": unit_too_large,
    "unit wrong by 1e17 (too small)": unit_too_small,
    "air called vacuum": air_called_vacuum,
}


def _kept(item: Spectrum, part: slice) -> Spectrum:
    weight = np.zeros_like(item.uncertainty)
    weight[part] = item.uncertainty[part]
    return replace(item, uncertainty=weight, quality=quality_of(weight > 0))


def _level(item: Spectrum) -> float:
    good = item.uncertainty > 0
    return abs(float(np.median(item.flux[good]))) if good.any() else 0.0


def _grid(item: Spectrum) -> GridAxis:
    if not isinstance(item.axis, GridAxis) or item.axis.kind != "LOG10":
        raise ValueError(f"expected a spectrum on a LOG10 grid, got {item.axis}")
    return item.axis


@lru_cache(maxsize=4)
def _wavelength(axis: GridAxis) -> Float64:
    return np.asarray(10.0 ** (axis.start + axis.step * np.arange(axis.n)), np.float64)


@lru_cache(maxsize=4)
def _inline(axis: GridAxis, factor: float) -> InlineAxis:
    wavelength = _wavelength(axis) * factor
    return InlineAxis(wavelength, hashlib.sha256(wavelength.tobytes()).digest())


@lru_cache(maxsize=4)
def _in_air(axis: GridAxis) -> InlineAxis:
    vacuum = _wavelength(axis)
    wavelength = vacuum / refractive_index(vacuum)
    return InlineAxis(wavelength, hashlib.sha256(wavelength.tobytes()).digest())
