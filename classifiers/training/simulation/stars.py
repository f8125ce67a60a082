"""Stars: A to K spectra of the seven classes, and the stellar types outside the scheme."""

from __future__ import annotations

import numpy as np

from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.emission import relative_extinction
from classifiers.training.simulation.grid import (
    LOG10_START,
    LOG10_STEP,
    SPEED_OF_LIGHT_KM_S,
    Float32,
    Float64,
    Integers,
    native_wavelength,
    rows_at,
)
from classifiers.training.simulation.low_rank import STAR_LOG10_START
from classifiers.training.simulation.scheme import OTHER_TYPES, SKY_INDEX, STAR_TYPES

MAXIMUM_VELOCITY_KM_S = 1500.0
# Shares by class of the stars that are drawn, with which the labels of the noisy spectra come out about alike: K1 and
# K3 are hardly told apart, and much that resembles G2 best is called something else.
_SHARES = np.array([0.15, 0.13, 0.22, 0.05, 0.10, 0.28, 0.07])
# Share of stars from libraries of observed ones; models, most of the members, are often poorer in metals than the
# stars that surveys see, with fewer lines.
_OBSERVED = 0.7
# E(B-V): scatter, and the least that is added to members of F to K, which are of observed stars and as red as that
# without it: with -0.12, 180 of LAMOST's F to K stars were bluer than simulated ones of their types still, by
# E(B-V) = 0.03 (G2) to 0.14 (F5); its A stars, which are farther away, are redder than templates; M dwarfs are near.
_REDDENING, _UNREDDENED = 0.10, -0.16
_A0, _M = STAR_TYPES.index("A0"), OTHER_TYPES.index("M")
# M dwarfs by ln of the flux at 8400 to 9000 Angstrom over that at 5800 to 6400: 0.1 at M0, 1 at M3, 2 to 4 at M7.
_M_COLOUR_ANGSTROM = ((8400.0, 9000.0), (5800.0, 6400.0))
# Of 39 that surveys took the middle half has 0.2 to 0.7.
_EARLY, _EARLY_COLOUR = 30.0, 0.3


class Stars:
    """Draws noiseless stars, in and outside the scheme."""

    def __init__(self, basis: Basis) -> None:
        self._vectors = basis["star_vectors"]
        self._coefficients = basis["star_coefficients"]
        star_class = basis["star_class"].astype(np.int64)
        observed = basis["star_observed"] > 0
        self._members = [
            np.flatnonzero((star_class == index) & (observed == seen))
            for seen in (False, True)
            for index in range(len(STAR_TYPES))
        ]
        self._other_vectors = basis["other_vectors"]
        self._other_coefficients = basis["other_coefficients"]
        other_type = basis["other_type"].astype(np.int64)
        self._other_members = [np.flatnonzero(other_type == index) for index in range(len(OTHER_TYPES))]
        self._other_members[_M] = self._mostly_early(self._other_members[_M])
        self._cv_vectors = basis["cv_vectors"]
        self._extinction = (relative_extinction(native_wavelength()) - 3.1).astype(np.float32)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Float32, Float64]:
        """Draw stars of the seven classes, about equally often: their labels depend on the noise (``star_labels``).

        Args:
            count: how many.
            rng: source of randomness.

        Returns:
            flux (count, 4671) float32 of median about 1, radial velocity (count,) km/s.
        """
        wanted = rng.choice(len(STAR_TYPES), count, p=_SHARES)
        group = wanted + len(STAR_TYPES) * (rng.random(count) < _OBSERVED)
        first, second = self._pair(self._members, group, rng)
        share = rng.uniform(0.0, 0.5, count)[:, None].astype(np.float32)
        coefficients = (1.0 - share) * self._coefficients[first] + share * self._coefficients[second]
        return self._observe(coefficients @ self._vectors, np.where(wanted == _A0, 0.0, _UNREDDENED), rng)

    def _mostly_early(self, dwarfs: Integers) -> Integers:
        """Return M dwarfs, the earlier the more often: surveys of limited depth see most of those."""
        spectra = self._other_coefficients[dwarfs] @ self._other_vectors
        wavelength = 10.0 ** (STAR_LOG10_START + LOG10_STEP * np.arange(spectra.shape[1]))
        far, near = (
            np.median(spectra[:, slice(*np.searchsorted(wavelength, band))], axis=1) for band in _M_COLOUR_ANGSTROM
        )
        colour = np.log(np.maximum(far, 1e-3) / np.maximum(near, 1e-3))
        often = 1 + np.round(_EARLY * np.exp(-np.maximum(colour, 0.0) / _EARLY_COLOUR)).astype(np.int64)
        return np.repeat(dwarfs, often)

    def draw_other(self, other_type: Integers, rng: np.random.Generator) -> tuple[Float32, Float64]:
        """Draw stars outside the scheme; blank sky is zero flux.

        Args:
            other_type: (n,) index into ``OTHER_TYPES``.
            rng: source of randomness.

        Returns:
            flux (n, 4671) float32 and radial velocity (n,) km/s.
        """
        count = other_type.size
        rest = np.zeros((count, self._vectors.shape[1]), dtype=np.float32)
        stellar = np.flatnonzero([self._other_members[index].size > 0 for index in other_type])
        if stellar.size:
            first, second = self._pair(self._other_members, other_type[stellar], rng)
            share = rng.uniform(0.0, 0.5, stellar.size)[:, None].astype(np.float32)
            mixed = (1.0 - share) * self._other_coefficients[first] + share * self._other_coefficients[second]
            rest[stellar] = mixed @ self._other_vectors
        cataclysmic = np.flatnonzero(other_type == OTHER_TYPES.index("CV"))
        if cataclysmic.size:
            weights = rng.normal((1.0, 0.5, 0.2), (0.1, 0.5, 0.4), (cataclysmic.size, 3)).astype(np.float32)
            rest[cataclysmic] = np.maximum(weights @ self._cv_vectors, 0.0)
        near = np.isin(other_type, (_M, OTHER_TYPES.index("LT")))
        flux, velocity = self._observe(rest, np.where(near, 0.5 * _UNREDDENED, 0.0), rng)
        flux[other_type == SKY_INDEX] = 0.0
        return flux, velocity

    @staticmethod
    def _pair(members: list[Integers], wanted: Integers, rng: np.random.Generator) -> tuple[Integers, Integers]:
        """Choose two members of each wanted group."""
        sizes = np.array([group.size for group in members])[wanted]
        picks = (rng.random((2, wanted.size)) * sizes).astype(np.int64)
        first, second = (
            np.array([members[group][pick] for group, pick in zip(wanted, row, strict=True)], dtype=np.int64)
            for row in picks
        )
        return first, second

    def _observe(self, rest: Float32, least: Float64, rng: np.random.Generator) -> tuple[Float32, Float64]:
        """Shift by the radial velocity and redden, by E(B-V) of ``least`` (n,) or more: templates are reddened."""
        count = rest.shape[0]
        spread = np.where(rng.random(count) < 0.1, 250.0, 80.0)
        velocity = np.clip(rng.normal(0.0, spread), -MAXIMUM_VELOCITY_KM_S, MAXIMUM_VELOCITY_KM_S)
        offset = (LOG10_START - np.log10(1.0 + velocity / SPEED_OF_LIGHT_KM_S) - STAR_LOG10_START) / LOG10_STEP
        flux = rows_at(rest, offset)
        ebv = (least[:, None] + rng.exponential(_REDDENING, (count, 1))).astype(np.float32)
        flux *= np.exp(-0.921 * ebv * self._extinction)
        level = np.median(np.abs(flux), axis=1, keepdims=True)
        flux /= np.maximum(level, 1e-6)
        return flux, velocity
