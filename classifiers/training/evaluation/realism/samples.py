"""Real spectra of one survey and, for each, simulated ones of the same label and about the same S/N.

Without that, a difference would only say that the simulator's mix of classes and brightnesses is another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Spectrum
from classifiers.loaded import LoadedEngine
from classifiers.training.evaluation.real_spectra import RealLabel, native_spectra, unique_objects
from classifiers.training.evaluation.realism.features import Features, measure
from classifiers.training.simulation.scheme import CLASSES, KINDS, OTHER_INDEX, OTHER_TYPES
from classifiers.training.simulation.simulator import SimulatedBatch, Simulator

INSTRUMENT_OF: Final = {"SDSS": "SDSS", "BOSS": "BOSS", "LAMOST-DR1": "LAMOST", "LAMOST": "LAMOST_BRIGHT"}
"""Simulated instrument by the survey's name in the labels; LAMOST is split by release."""
SEED: Final = 3_000_017
"""Of these samples: neither of any training, nor of a calibration, nor of the held-out simulations."""
A_REAL_ONE: Final = 3
"""Simulated spectra for each real one."""
LEAST_REAL: Final = 40
"""Fewer spectra of a survey say nothing about its instrument."""
_DRAWN_A_REAL_ONE: Final = 16


@dataclass(frozen=True, slots=True)
class Side:
    """The real or the simulated half of a pair of samples: n spectra.

    Attributes:
        spectra: as the stream would give them.
        features: what could tell them.
        group: (n,) GALAXY, QSO, STAR, OTHER or SKY.
        redshift: (n,) float64, of the labels; NaN where unknown.
    """

    spectra: Sequence[Spectrum]
    features: Features
    group: NDArray[np.str_]
    redshift: NDArray[np.float64]

    def rows(self, chosen: NDArray[np.int64]) -> Side:
        """Return some of the spectra."""
        members = [self.spectra[row] for row in chosen.tolist()]
        return Side(members, self.features.rows(chosen), self.group[chosen], self.redshift[chosen])


@dataclass(frozen=True, slots=True)
class Pair:
    """Real spectra of one survey, one a labelled object, and simulated ones of the same mix."""

    survey: str
    real: Side
    simulated: Side


def pairs(
    spectra: Sequence[Spectrum], labels: Sequence[RealLabel], anomaly: LoadedEngine | None = None, seed: int = SEED
) -> Iterator[Pair]:
    """Yield the samples of each survey of which there are enough; the same arguments give the same samples.

    Args:
        spectra: the real ones.
        labels: theirs.
        anomaly: engine of role ``anomaly``; without it residuals of the VAE are no features.
        seed: of the simulated ones.
    """
    simulator = Simulator.load()
    labelled = [row for row in unique_objects(labels) if labels[row].group]
    for number, (survey, instrument) in enumerate(INSTRUMENT_OF.items()):
        rows = [row for row in labelled if labels[row].survey == survey]
        if len(rows) < LEAST_REAL:
            continue
        own = [labels[row] for row in rows]
        members = [spectra[row] for row in rows]
        redshift = np.array([label.redshift for label in own])
        real = Side(members, measure(members, anomaly), np.array([label.group for label in own]), redshift)
        rng = np.random.default_rng((seed, number))
        batch = simulator.draw(_DRAWN_A_REAL_ONE * len(rows), rng, instrument, _mixture(real.group))
        drawn = native_spectra(batch.flux, batch.inverse_variance)
        names, groups = _names(batch)
        pool = Side(drawn, measure(drawn, anomaly), groups, batch.redshift)
        wanted = [label.other_type or label.class_name or label.group for label in own]
        yield Pair(survey, real, pool.rows(_alike(real, wanted, pool, names)))


def _mixture(groups: NDArray[np.str_]) -> dict[str, float]:
    """Return the share of each kind to draw; blank sky is drawn as OTHER."""
    kinds = np.where(groups == "SKY", "OTHER", groups)
    return {kind: float(np.mean(kinds == kind)) for kind in KINDS if np.any(kinds == kind)}


def _names(batch: SimulatedBatch) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Return the label and the group of each simulated spectrum."""
    names = [
        OTHER_TYPES[other] if index == OTHER_INDEX else CLASSES[index]
        for other, index in zip(batch.other_type.tolist(), batch.class_index.tolist(), strict=True)
    ]
    groups = ["SKY" if name == "SKY" else KINDS[kind] for name, kind in zip(names, batch.kind.tolist(), strict=True)]
    return np.array(names), np.array(groups)


def _alike(real: Side, wanted: Sequence[str], pool: Side, names: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return rows of the pool: for each real spectrum those of its label (else its group) nearest in S/N, each once."""
    free = np.ones(len(names), dtype=np.bool_)
    brightness = np.arcsinh(np.nan_to_num(pool.features.snr))
    chosen: list[int] = []
    for name, group, snr in zip(wanted, real.group, np.arcsinh(np.nan_to_num(real.features.snr)), strict=True):
        members = np.flatnonzero(free & (names == name))
        if members.size < A_REAL_ONE:
            members = np.flatnonzero(free & (pool.group == group))
        nearest = members[np.argsort(np.abs(brightness[members] - snr), kind="stable")[:A_REAL_ONE]]
        free[nearest] = False
        chosen += nearest.tolist()
    return np.array(chosen, dtype=np.int64)
