"""Calibrates the narrow-band bundle for one runtime on held-out mocks; every one of them is a known object."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from classifiers.bundle.calibration import Calibration
from classifiers.engine import Arrays, Engine
from classifiers.training.narrowband.samples import Inputs, observed_inputs
from classifiers.training.narrowband.simulator import Mocks, NarrowbandSimulator
from classifiers.verdict.calibrate import fit_temperature, tail_table

SHARES: Mapping[str, float] = {"QSO": 0.46, "GALAXY": 0.27, "STAR": 0.27}


def held_out(simulator: NarrowbandSimulator, seed: int, n: int) -> tuple[Mocks, Inputs]:
    """Return n mocks that the training with this seed has not seen, and what a network reads of them."""
    mocks = simulator.draw(numbers(n), np.random.default_rng([seed, 3]))
    return mocks, observed_inputs(mocks, simulator.pivot_angstrom, np.random.default_rng([seed, 4]))


def numbers(n: int) -> dict[str, int]:
    """Return how many of n mocks are of each kind."""
    return {kind: max(1, round(share * n)) for kind, share in SHARES.items()}


def narrowband_calibration(identifier: str, engine: Engine, mocks: Mocks, outputs: Arrays) -> Calibration:
    """Return temperature, error factor and novelty table for an engine's runtime and dtype."""
    found = outputs["class_logits"].argmax(axis=1)
    right = np.flatnonzero(((mocks.kind == 0) & (found < 2)) | ((mocks.kind == 1) & (found == 2)))
    pull = np.abs(outputs["redshift"][right] - mocks.redshift[right]) / outputs["redshift_error"][right]
    return Calibration.model_validate(
        {
            "id": identifier,
            "runtime": engine.runtime,
            "dtype": engine.dtype,
            "n": len(mocks),
            "temperature": fit_temperature(outputs["class_logits"], mocks.class_index()),
            "redshift_error_factor": float(np.clip(np.quantile(pull, 0.6827), 1e-3, 1e3)) if right.size else 1.0,
            "p_other_threshold": None,
            "novelty": tail_table(outputs["score"]),
        }
    )
