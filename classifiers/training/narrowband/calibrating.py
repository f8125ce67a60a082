"""Calibrates the narrow-band bundle for one runtime on held-out mocks; every one of them is a known object."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from classifiers.bundle.calibration import Calibration, ShortCoverage
from classifiers.engine import Arrays, Engine
from classifiers.training.narrowband.declared import FULL_COVERAGE, LEAST_COVERAGE, LEAST_SNR
from classifiers.training.narrowband.missing import of_any
from classifiers.training.narrowband.samples import Inputs, observed_inputs
from classifiers.training.narrowband.simulator import Mocks, NarrowbandSimulator
from classifiers.verdict.calibrate import fit_temperature, tail_table

SHARES: Mapping[str, float] = {"QSO": 0.46, "GALAXY": 0.27, "STAR": 0.27}


def held_out(simulator: NarrowbandSimulator, seed: int, n: int) -> tuple[Mocks, Inputs]:
    """Return n mocks that the training with this seed has not seen, and what a network reads of them in any bands."""
    mocks = simulator.draw(numbers(n), np.random.default_rng([seed, 3]))
    return mocks, observed_inputs(mocks, simulator.pivot_angstrom, np.random.default_rng([seed, 4]), of_any)


def numbers(n: int) -> dict[str, int]:
    """Return how many of n mocks are of each kind."""
    return {kind: max(1, round(share * n)) for kind, share in SHARES.items()}


def narrowband_calibration(
    identifier: str, engine: Engine, mocks: Mocks, inputs: Inputs, outputs: Arrays
) -> Calibration:
    """Return temperature, error factor and novelty tables for an engine's runtime and dtype.

    Sources that lack bands have a table of their own; what is outside the bundle's domain has no part in either.

    Args:
        identifier: of the calibration, as L2 records name it.
        engine: that answered.
        mocks: n known sources.
        inputs: what the engine read of them.
        outputs: what it answered.
    """
    inside = (inputs.coverage >= LEAST_COVERAGE) & (inputs.snr >= LEAST_SNR)
    short = inputs.coverage < FULL_COVERAGE
    lacking = outputs["score"][inside & short]
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
            "novelty": tail_table(outputs["score"][inside & ~short]),
            "short_coverage": ShortCoverage(n=lacking.size, novelty=tail_table(lacking)) if lacking.size else None,
        }
    )
