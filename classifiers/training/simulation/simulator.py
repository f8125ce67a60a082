"""The forward simulator: truth, instrument, noise and the survey's own label, in one vectorised draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from classifiers.training.simulation.basis import SHIPPED, Basis
from classifiers.training.simulation.galaxies import Galaxies
from classifiers.training.simulation.grid import PIXELS, Float32, Float64, Integers, NDBool
from classifiers.training.simulation.instruments import BY_NAME, INSTRUMENTS, NAMES, Instrument
from classifiers.training.simulation.labelling import Labeller, Labels
from classifiers.training.simulation.noise import NoiseModel, object_noise
from classifiers.training.simulation.outliers import OUTLIERS, Outliers
from classifiers.training.simulation.quasars import Quasars
from classifiers.training.simulation.scheme import KINDS, OTHER_TYPES, SKY_INDEX
from classifiers.training.simulation.star_labels import StarTemplates
from classifiers.training.simulation.stars import Stars
from classifiers.training.simulation.truth import Exposure, NoiselessBatch

DEFAULT_KINDS: Mapping[str, float] = {"GALAXY": 0.26, "QSO": 0.25, "STAR": 0.30, "OTHER": 0.19}
TRAINING_KINDS: Mapping[str, float] = {**DEFAULT_KINDS, "NOVEL": 0.2}
# Half of the quasars of SDSS have no line that its rule calls broad: most of them are faint.
FAINT_QUASARS = 0.4
OTHER_WEIGHTS = (0.24, 0.07, 0.15, 0.12, 0.08, 0.15, 0.19)


@dataclass(frozen=True, slots=True)
class SimulatedBatch:
    """n simulated spectra on the native grid (4671 px, log10 = 3.55 + 1e-4 i, vacuum) with their truth.

    Attributes:
        flux: (n, 4671) float32, 1e-17 erg/s/cm2/Angstrom; 0 where masked.
        inverse_variance: (n, 4671) float32, inverse square of the flux unit; 0 where masked.
        class_index: (n,) int64 into ``scheme.CLASSES``, 13 = OTHER, -1 = made up.
        class_target: (n, 14) float32 soft labels (one-hot for galaxies), rows sum to 1, or to 0 where made up.
        other_type: (n,) int64 into ``scheme.OTHER_TYPES``, or into ``outliers.OUTLIERS`` where made up; else -1.
        kind: (n,) int64 into ``scheme.KINDS``.
        redshift: (n,) float64, a quasar's as surveys define it; v/c for stars, 0 for blank sky.
        snr: (n,) float64, median S/N per native pixel that was aimed at, 0 for blank sky.
        instrument: (n,) int64 into ``instruments.NAMES``.
        broad_absorption: (n,) bool, a quasar with broad absorption.
    """

    flux: Float32
    inverse_variance: Float32
    class_index: Integers
    class_target: Float32
    other_type: Integers
    kind: Integers
    redshift: Float64
    snr: Float64
    instrument: Integers
    broad_absorption: NDBool

    def __len__(self) -> int:
        """Return n."""
        return int(self.kind.size)


class Simulator:
    """Draws simulated spectra; deterministic for a given generator state and arguments."""

    def __init__(self, basis: Basis) -> None:
        self._galaxies = Galaxies(basis)
        self._quasars = Quasars(basis, self._galaxies)
        self._stars = Stars(basis)
        self._outliers = Outliers()
        self.noise_model = NoiseModel(basis)
        self.labeller = Labeller(StarTemplates(basis))

    @staticmethod
    def load(path: Path = SHIPPED) -> Simulator:
        """Return the simulator on a basis file, the shipped one by default."""
        return Simulator(Basis.load(path))

    def draw_noiseless(
        self,
        count: int,
        rng: np.random.Generator,
        kinds: Mapping[str, float] = DEFAULT_KINDS,
        seen_by: Integers | None = None,
    ) -> NoiselessBatch:
        """Draw objects before any noise, at the resolution of templates and with lines as wide as instruments see them.

        Args:
            count: how many.
            rng: source of randomness.
            kinds: relative frequency by kind (``scheme.KINDS``); absent kinds are not drawn.
            seen_by: (count,) index into ``instruments.INSTRUMENTS``; None stands for SDSS.

        Raises:
            ValueError: a kind is unknown or the frequencies do not sum to a positive number.
        """
        unknown = set(kinds) - set(KINDS)
        if unknown or sum(kinds.values()) <= 0:
            raise ValueError(f"kinds: expected positive frequencies of {', '.join(KINDS)}, got {dict(kinds)}")
        shares = np.array([kinds.get(name, 0.0) for name in KINDS])
        kind = np.sort(rng.choice(len(KINDS), count, p=shares / shares.sum()))
        flux = np.zeros((count, PIXELS), dtype=np.float32)
        redshift = np.zeros(count)
        other_type = np.full(count, -1, dtype=np.int64)
        absorbed = np.zeros(count, dtype=np.bool_)
        rows = [np.flatnonzero(kind == index) for index in range(len(KINDS))]
        truth = None
        if rows[0].size:
            flux[rows[0]], truth = self._galaxies.draw(rows[0].size, rng, _of(seen_by, rows[0]))
            redshift[rows[0]] = truth.redshift
        if rows[1].size:
            drawn = self._quasars.draw(rows[1].size, rng, _of(seen_by, rows[1]))
            flux[rows[1]], redshift[rows[1]], absorbed[rows[1]] = drawn
        if rows[2].size:
            flux[rows[2]], velocity = self._stars.draw(rows[2].size, rng)
            redshift[rows[2]] = velocity / 299_792.458
        if rows[3].size:
            types = rng.choice(len(OTHER_TYPES), rows[3].size, p=OTHER_WEIGHTS)
            other_type[rows[3]] = types
            flux[rows[3]], velocity = self._stars.draw_other(types, rng)
            redshift[rows[3]] = np.where(types == SKY_INDEX, 0.0, velocity / 299_792.458)
        if rows[4].size:
            other_type[rows[4]] = rng.choice(len(OUTLIERS), rows[4].size)
            flux[rows[4]] = self._make_up(other_type[rows[4]], rng.spawn(1)[0])
        return NoiselessBatch(flux, kind, redshift, other_type, absorbed, truth)

    def _make_up(self, outlier: Integers, rng: np.random.Generator) -> Float32:
        """Return outliers of the kinds asked for, made of pairs of known objects of two kinds."""
        known = self.draw_noiseless(max(6, 3 * outlier.size), rng, {"GALAXY": 1.0, "QSO": 1.0, "STAR": 1.0})
        groups = [np.flatnonzero(known.kind == index) for index in range(3)]
        groups = [group for group in groups if group.size]
        first = rng.integers(0, len(groups), outlier.size)
        second = (first + rng.integers(1, max(2, len(groups)), outlier.size)) % len(groups)
        picks = [[groups[group][rng.integers(groups[group].size)] for group in row] for row in (first, second)]
        return self._outliers.draw(outlier, known.flux[picks[0]], known.flux[picks[1]], rng)

    def draw(
        self,
        n: int,
        rng: np.random.Generator,
        instrument: str | None = None,
        kinds: Mapping[str, float] = DEFAULT_KINDS,
    ) -> SimulatedBatch:
        """Draw n spectra as a survey would deliver them, in random order.

        Args:
            n: how many.
            rng: source of randomness; the same state gives the same batch.
            instrument: name in ``instruments.NAMES``, or None for the training mix.
            kinds: relative frequency by kind.

        Raises:
            ValueError: unknown instrument or kind.
        """
        if instrument is not None and instrument not in BY_NAME:
            raise ValueError(f"instrument: expected one of {', '.join(NAMES)}, got {instrument!r}")
        weights = np.array([entry.weight for entry in INSTRUMENTS])
        chosen = (
            rng.choice(len(INSTRUMENTS), n, p=weights / weights.sum())
            if instrument is None
            else np.full(n, NAMES.index(instrument))
        )
        truth = self.draw_noiseless(n, rng, kinds, chosen)
        flux = truth.flux
        inverse_variance = np.zeros_like(flux)
        snr = np.zeros(n)
        labels = Labels.blank(truth)
        for index, entry in enumerate(INSTRUMENTS):
            rows = np.flatnonzero(chosen == index)
            if rows.size:
                seen = self.expose(truth, rows, entry, rng)
                self.noise_model.add_noise(seen.flux, seen.sigma, entry, rng)
                self.labeller.write(truth, rows, seen, labels, rng)
                flux[rows], inverse_variance[rows] = seen.flux * seen.good, seen.inverse_variance
                snr[rows] = seen.snr
        brightness = (10.0 ** rng.uniform(-0.5, 1.8, n)).astype(np.float32)[:, None]
        flux *= brightness
        inverse_variance /= brightness**2
        order = rng.permutation(n)
        return SimulatedBatch(
            flux[order],
            inverse_variance[order],
            labels.class_index[order],
            labels.target[order],
            labels.other_type[order],
            labels.kind[order],
            labels.redshift[order],
            snr[order],
            chosen[order],
            truth.broad_absorption[order],
        )

    def expose(
        self, truth: NoiselessBatch, rows: Integers, instrument: Instrument, rng: np.random.Generator
    ) -> Exposure:
        """Set the brightness and errors of some rows for one instrument.

        Args:
            truth: noiseless objects.
            rows: (m,) which of them.
            instrument: its noise, masks and calibration errors.
            rng: source of randomness.

        Returns:
            Flux with calibration errors but without noise, errors, good pixels, and S/N, of the rows.
        """
        low, high = np.log(instrument.snr_range)
        snr = np.exp(rng.uniform(low, high, rows.size))
        faint = (truth.kind[rows] == KINDS.index("QSO")) & (rng.random(rows.size) < FAINT_QUASARS)
        snr = np.where(faint, np.exp(rng.uniform(np.log(0.6), np.log(5.0), rows.size)), snr)
        return self.expose_at(truth.flux[rows], snr, instrument, rng)

    def expose_at(
        self,
        clean: Float32,
        snr: Float64,
        instrument: Instrument,
        rng: np.random.Generator,
        covered: NDBool | None = None,
    ) -> Exposure:
        """Set the errors of noiseless spectra for one instrument at a given depth.

        Args:
            clean: (m, 4671) float32 noiseless flux; overwritten.
            snr: (m,) median S/N per pixel over what is covered.
            instrument: its noise, masks and calibration errors.
            rng: source of randomness.
            covered: (m, 4671) where the flux is known, None for everywhere; the rest is masked.

        Returns:
            As ``expose``.
        """
        noise = self.noise_model.noise(instrument, len(clean), rng)
        if covered is not None:
            noise = replace(noise, good=noise.good & covered)
        level = _median_over_good(clean, noise.good)
        factor = np.where(level > 0, 1.0 / np.maximum(level, 1e-6), 1.0)
        clean *= factor.astype(np.float32)[:, None]
        sigma = object_noise(noise, clean, snr)
        inverse_variance = np.where(noise.good, 1.0 / sigma**2, np.float32(0.0))
        self.noise_model.calibrate(clean, snr, instrument, rng)
        return Exposure(clean, sigma, inverse_variance, noise.good, np.where(level > 0, snr, 0.0), factor)


def _of(seen_by: Integers | None, rows: Integers) -> Integers | None:
    return None if seen_by is None else seen_by[rows]


def _median_over_good(flux: Float32, good: NDBool) -> Float64:
    """Median of the flux over the good pixels of each row, (n,), 0 where nothing is good."""
    medians = [np.median(row[mask]) if mask.any() else 0.0 for row, mask in zip(flux, good, strict=True)]
    return np.asarray(np.maximum(medians, 0.0), dtype=np.float64)
