"""Factors on the redshift errors that networks state, from held-out simulations."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.training.samples import Samples
from classifiers.training.simulation.scheme import CLASSES, KINDS

_SNR_EDGES = (0.5, 1.5, 2.5, 4.0, 6.0, 10.0, 16.0, 28.0, 50.0, 200.0)
_LEAST = 100
"""Galaxies between two edges, fewer of which say too little of a quantile."""


def error_factor(redshift: NDArray[np.float32], error: NDArray[np.float32], truth: NDArray[np.float64]) -> float:
    """Return the factor on errors that makes 68.27 % of the pulls smaller than 1; 1 where there are none."""
    if truth.size == 0:
        return 1.0
    pull = np.abs(redshift - truth) / np.maximum(error.astype(np.float64), 1e-9)
    return float(np.clip(np.quantile(pull, 0.6827), 1e-3, 1e3))


def classifier_error_factor(samples: Samples, found: Mapping[str, NDArray[Any]]) -> float:
    """Return the factor of all galaxies and quasars whose kind was found."""
    rows = right_extragalactic(samples, found)
    return error_factor(found["redshift"][rows], found["redshift_error"][rows], samples.redshift[rows])


def galaxy_error_factors(samples: Samples, found: Mapping[str, NDArray[Any]]) -> tuple[tuple[float, float], ...]:
    """Return (median S/N, factor on errors) of galaxies without lines, whose redshifts are the network's."""
    rows = right_extragalactic(samples, found)
    rows = rows[samples.class_index[rows] == CLASSES.index("GALAXY_nan")]
    chosen = samples.rows(rows)
    significance = np.where(chosen.significance > 0, chosen.flux.astype(np.float32) * chosen.significance, np.nan)
    snr = np.nanmedian(significance, axis=1).astype(np.float64)
    factors = []
    for low, high in pairwise(_SNR_EDGES):
        there = np.flatnonzero((snr >= low) & (snr < high))
        if there.size >= _LEAST:
            at = rows[there]
            factor = error_factor(found["redshift"][at], found["redshift_error"][at], samples.redshift[at])
            factors.append((round(float(np.exp(np.log(snr[there]).mean())), 3), round(factor, 4)))
    return tuple(factors)


def right_extragalactic(samples: Samples, found: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Return rows of galaxies and quasars whose kind was found."""
    kinds = np.array([KINDS.index(name.split("_")[0]) for name in CLASSES])
    top = kinds[found["class_logits"][:, : len(CLASSES)].argmax(axis=1)]
    return np.flatnonzero((samples.kind == top) & (samples.kind <= KINDS.index("QSO")))
