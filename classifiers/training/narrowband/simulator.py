"""Mock sources of the narrow-band survey: kind, magnitude, redshift and noiseless fluxes in one vectorised draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from classifiers.networks.declared import REDSHIFT_THRESHOLD
from classifiers.training.narrowband import counts
from classifiers.training.narrowband.bands import NAMES, PIXELS, SHIPPED, UNIT_CGS, Photometry
from classifiers.training.narrowband.galaxies import Galaxies
from classifiers.training.narrowband.quasars import Quasars
from classifiers.training.narrowband.stars import MIX, Stars
from classifiers.training.simulation.basis import SHIPPED as SPECTRAL_BASIS
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.grid import Float32, Float64, Integers, NDBool

KINDS = ("QSO", "GALAXY", "STAR")
CLASS_SCHEME = "JPAS-4"
CLASSES = ("QSO_LOW_Z", "QSO_HIGH_Z", "GALAXY", "STAR")
TRAINING_FAINT = 24.0
MINIMUM_REDSHIFT, MAXIMUM_REDSHIFT = 0.05, 5.5


@dataclass(frozen=True, slots=True)
class Mocks:
    """n noiseless sources.

    Attributes:
        flux: (n, 56) float64, <F_lambda> [1e-17 erg/s/cm2/Angstrom].
        kind: (n,) int64 into ``KINDS``.
        redshift: (n,) float64, 0 for stars.
        r: (n,) float64 magnitude [AB].
        extended: (n,) bool, a galaxy that a catalogue would call extended.
    """

    flux: Float64
    kind: Integers
    redshift: Float64
    r: Float64
    extended: NDBool

    def __len__(self) -> int:
        """Return n."""
        return int(self.kind.size)

    def rows(self, which: Integers | NDBool | slice) -> Mocks:
        """Return some of the sources."""
        return Mocks(*(getattr(self, field.name)[which] for field in fields(self)))

    def class_index(self) -> Integers:
        """Return (n,) int64 into ``CLASSES``."""
        quasar = np.where(self.redshift >= REDSHIFT_THRESHOLD, 1, 0)
        return np.asarray(np.where(self.kind == KINDS.index("QSO"), quasar, self.kind + 1), dtype=np.int64)


class NarrowbandSimulator:
    """Draws mock sources; deterministic for a given generator state and arguments."""

    def __init__(self, spectral: Basis, narrowband: Basis) -> None:
        self.photometry = Photometry.of(narrowband)
        self.pivot_angstrom: Float64 = self.photometry.pivot_angstrom[: len(NAMES)]
        self._galaxies = Galaxies(spectral)
        self._quasars = Quasars(spectral, self._galaxies)
        self._stars = Stars(narrowband)

    @staticmethod
    def load(spectral: Path = SPECTRAL_BASIS, narrowband: Path = SHIPPED) -> NarrowbandSimulator:
        """Return the simulator on basis files, the shipped ones by default."""
        return NarrowbandSimulator(Basis.load(spectral), Basis.load(narrowband))

    def draw(self, numbers: Mapping[str, int], rng: np.random.Generator, *, flat: float = 0.0) -> Mocks:
        """Draw sources as the sky has them, in random order.

        Args:
            numbers: how many of each kind (``KINDS``); absent kinds are not drawn.
            rng: source of randomness.
            flat: this share of them is drawn evenly in r to 24, in ln(1 + z) and over galaxy families, and more evenly
                over stellar families, to train on: what is rare on the sky is no less strange to a network.

        Raises:
            ValueError: a kind is unknown.
        """
        unknown = set(numbers) - set(KINDS)
        if unknown:
            raise ValueError(f"numbers: expected kinds of {', '.join(KINDS)}, got {', '.join(sorted(unknown))}")
        parts = [self._kind(kind, numbers.get(kind, 0), rng, flat) for kind in KINDS]
        joined = Mocks(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Mocks)))
        return joined.rows(rng.permutation(len(joined)))

    def _kind(self, kind: str, count: int, rng: np.random.Generator, flat: float) -> Mocks:
        even = rng.random(count) < flat
        r = np.where(even, rng.uniform(17.0, TRAINING_FAINT, count), counts.draw_magnitudes(kind, count, rng))
        redshift = np.zeros(count)
        extended = np.zeros(count, np.bool_)
        if kind == "QSO":
            least = np.maximum(counts.least_quasar_redshift(r), MINIMUM_REDSHIFT)
            evenly = _even(least, MAXIMUM_REDSHIFT, rng)
            redshift = np.where(even, evenly, np.clip(counts.draw_quasar_redshifts(r, rng), least, MAXIMUM_REDSHIFT))
            spectra = self._quasars.draw(redshift, r, rng)
        elif kind == "GALAXY":
            evenly = _even(redshift, counts.MAXIMUM_GALAXY_REDSHIFT, rng)
            redshift = np.where(even, evenly, counts.draw_galaxy_redshifts(r, rng))
            extended = ~counts.draw_point_like(r, rng)
            spectra = self._galaxies.draw(redshift, rng, even)
        else:
            spectra = np.empty((count, PIXELS), np.float32)
            spectra[~even] = self._stars.draw(int(np.sum(~even)), rng)
            spectra[even] = self._stars.draw(int(np.sum(even)), rng, {name: share**0.5 for name, share in MIX.items()})
        flux = self._scaled(spectra, r)
        return Mocks(flux, np.full(count, KINDS.index(kind), np.int64), redshift, r, extended)

    def _scaled(self, spectra: Float32, r: Float64) -> Float64:
        """Return the fluxes in the bands of spectra brought to their r magnitudes."""
        mean = self.photometry.mean_flux(spectra)
        magnitude = self.photometry.ab_magnitude(np.maximum(mean[:, -1:], 1e-30) * UNIT_CGS)[:, -1]
        return np.asarray(mean[:, :-1] * 10.0 ** (0.4 * (magnitude - r))[:, None])


def _even(least: Float64, largest: float, rng: np.random.Generator) -> Float64:
    """Draw redshifts evenly in ln(1 + z), from (n,) least ones."""
    return np.asarray(np.expm1(rng.uniform(np.log1p(least), np.log1p(largest))))
