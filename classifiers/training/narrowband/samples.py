"""Mock sources as the network reads them: observed anew at every call, normalised as in the stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classifiers.preprocess.normalise import normalise
from classifiers.training.narrowband.missing import of_a_survey
from classifiers.training.narrowband.noise import Observed, Present, observe
from classifiers.training.narrowband.simulator import Mocks
from classifiers.training.simulation.grid import Float32, Float64

_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class Inputs:
    """Flux and inverse variance (n, 56) float32 as ``prepare_bands`` makes them, S/N and coverage (n,)."""

    flux: Float32
    inverse_variance: Float32
    snr: Float64
    coverage: Float64


def observed_inputs(
    mocks: Mocks, pivot_angstrom: Float64, rng: np.random.Generator, present: Present | None = of_a_survey
) -> Inputs:
    """Observe mocks once, in the bands that ``present`` draws (None: in all), and normalise them."""
    parts = [
        as_inputs(observe(mocks.flux[start : start + _CHUNK], pivot_angstrom, rng, present))
        for start in range(0, len(mocks), _CHUNK)
    ]
    return Inputs(*(np.concatenate([getattr(part, name) for part in parts]) for name in Inputs.__dataclass_fields__))


def as_inputs(observed: Observed) -> Inputs:
    """Normalise observed sources."""
    weight = np.where(observed.good, observed.sigma**-2.0, 0.0).astype(np.float32)
    weighted = (weight * observed.flux).astype(np.float32)
    done = normalise(weight, weighted)
    return Inputs(done.flux, done.inverse_variance, done.snr, done.coverage)
