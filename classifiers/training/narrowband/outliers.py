"""Simulated sources that no class describes, to see how many of them the novelty score finds. Never trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from classifiers.bundle.calibration import Calibration
from classifiers.engine import Engine
from classifiers.training.intervals import clopper_pearson
from classifiers.training.narrowband.bands import TRAYS
from classifiers.training.narrowband.noise import observe
from classifiers.training.narrowband.samples import as_inputs
from classifiers.training.narrowband.simulator import Mocks, NarrowbandSimulator
from classifiers.training.simulation.grid import Float64
from classifiers.verdict.novelty import judged

_N, _FAINTEST = 2000, 22.0


def detected(
    simulator: NarrowbandSimulator,
    engine: Engine,
    calibration: Calibration,
    mocks: Mocks,
    rng: np.random.Generator,
) -> Mapping[str, Any]:
    """Return the fraction of each kind of outlier, made from mocks at r < 22, that is called NOVEL, with interval."""
    if calibration.novelty is None:
        return {}
    bright = np.flatnonzero(mocks.r < _FAINTEST)
    found: dict[str, Any] = {}
    for name, make in OUTLIERS.items():
        chosen = mocks.rows(rng.choice(bright, min(_N, bright.size), replace=False))
        inputs = as_inputs(observe(make(chosen, simulator, rng), simulator.pivot_angstrom, rng, None))
        answer = engine.run({"flux": inputs.flux, "inverse_variance": inputs.inverse_variance})
        novel = judged(calibration.novelty, answer["score"].astype(np.float64), calibration).novel
        low, high = clopper_pearson(int(novel.sum()), novel.size)
        found[name] = {
            "n": int(novel.size),
            "rate": round(float(novel.mean()), 4),
            "interval_95": [round(low, 4), round(high, 4)],
        }
    return found


def _tray_off(mocks: Mocks, simulator: NarrowbandSimulator, rng: np.random.Generator) -> Float64:
    """One tray half a magnitude off: a night that was not photometric."""
    del simulator
    bands = mocks.flux.shape[1]
    tray = rng.integers(0, TRAYS, len(mocks))[:, None] == np.arange(bands) * TRAYS // bands
    return np.asarray(np.where(tray, mocks.flux * 10.0**-0.2, mocks.flux))


def _bands_off(mocks: Mocks, simulator: NarrowbandSimulator, rng: np.random.Generator) -> Float64:
    """Three bands a factor of two too bright: cosmic rays, ghosts, a neighbour."""
    del simulator
    flux = mocks.flux.copy()
    bands = np.argsort(rng.random(flux.shape), axis=1)[:, :3]
    np.put_along_axis(flux, bands, 2.0 * np.take_along_axis(flux, bands, axis=1), axis=1)
    return flux


def _quasar_and_star(mocks: Mocks, simulator: NarrowbandSimulator, rng: np.random.Generator) -> Float64:
    """A quasar and a star of equal r in one aperture."""
    pair = [simulator.draw({kind: len(mocks)}, rng) for kind in ("QSO", "STAR")]
    return np.asarray(sum(0.5 * part.flux * 10.0 ** (0.4 * (part.r - mocks.r))[:, None] for part in pair))


def _line_emitter(mocks: Mocks, simulator: NarrowbandSimulator, rng: np.random.Generator) -> Float64:
    """A source with one strange line, 300 Angstrom of equivalent width, in a band at random."""
    flux = mocks.flux.copy()
    band = rng.integers(5, flux.shape[1] - 5, (len(mocks), 1))
    np.put_along_axis(flux, band, np.take_along_axis(flux, band, axis=1) * (1.0 + 300.0 / 145.0), axis=1)
    del simulator
    return flux


OUTLIERS: Mapping[str, Callable[[Mocks, NarrowbandSimulator, np.random.Generator], Float64]] = {
    "one tray 0.5 mag too faint": _tray_off,
    "three bands twice too bright": _bands_off,
    "quasar and star in one aperture": _quasar_and_star,
    "one line of 300 Angstrom": _line_emitter,
}
