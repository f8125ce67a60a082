"""Measure how much the VAE's p-value should weigh beside the novelty head's, on simulations alone.

    python -m classifiers.training.novelty_weight

prints for each weight how many made-up outliers have a fused score that a share of ``RATE`` of known objects exceeds,
and how many known objects exceed it whose simulation is wrong in one respect (``WRONG``), as every simulation of a real
survey is. The last line is the weight to take: the smallest whose worst of these shares is the least of all weights' to
within two standard errors (``chosen``). Larger ones find fewer outliers and bear no more. Whole spectra of the training
mix of instruments; the same bundles give the same numbers. Nothing is written: the weight is
``verdict.calibrate.ANOMALY_WEIGHT``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.loaded import LoadedEngine, load_engines
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.suite import MODELS
from classifiers.training.bundles import ANOMALY, SPECTRAL_CLASSIFIER
from classifiers.training.evaluation.real_spectra import native_spectra
from classifiers.training.simulation.instruments import INSTRUMENTS, Instrument
from classifiers.training.simulation.simulator import DEFAULT_KINDS, Simulator
from classifiers.verdict.conformal import fisher, p_values
from classifiers.verdict.novelty import SCORES

Floats = NDArray[np.float64]

KNOWN_SEED, OUTLIER_SEED, WRONG_SEED = 9_900_017, 9_900_018, 9_900_055
"""No training, calibration or evaluation has them."""
RATE, WEIGHTS = 0.005, (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
KNOWN, EACH = 20_480, 6_144
_CHUNK = 2048
_KNOWN_KINDS = {name: share for name, share in DEFAULT_KINDS.items() if name in ("GALAXY", "QSO", "STAR")}

Change = Callable[[Instrument], Instrument]
WRONG: Final[Mapping[str, Change]] = {
    "noise larger by 20 %": lambda each: replace(each, noise_factor=_times(each.noise_factor, 1.2)),
    "noise smaller by 20 %": lambda each: replace(each, noise_factor=_times(each.noise_factor, 0.8)),
    "white noise": lambda each: replace(each, correlation=(1e-4,), red_correlation=()),
    "noise correlated by 0.5": lambda each: replace(each, correlation=(0.6, 0.3)),
    "sky residuals in all": lambda each: replace(each, sky_residual=1.0),
    "calibration twice as bad": lambda each: replace(
        each, calibration=2 * each.calibration, tilt=each.tilt + 0.08, arm_step=2 * each.arm_step + 0.02
    ),
    "air badly corrected": lambda each: replace(each, telluric=0.3),
    "cosmic rays left": lambda each: replace(each, cosmic_rays=4 * each.cosmic_rays + 1),
}


def _times(span: tuple[float, float], factor: float) -> tuple[float, float]:
    return span[0] * factor, span[1] * factor


def p_values_of(
    engines: Sequence[LoadedEngine],
    simulator: Simulator,
    n: int,
    seed: int,
    kinds: Mapping[str, float],
    change: Change = lambda each: each,
) -> tuple[Floats, Floats]:
    """Return the p-values of novelty of simulated whole spectra, by the classifier and by the VAE.

    Args:
        engines: both of them, calibrated.
        simulator: the forward simulator.
        n: how many to draw; fewer are whole.
        seed: of the sample.
        kinds: what to draw.
        change: of each instrument.
    """
    found: dict[str, list[Floats]] = {role: [] for role in SCORES}
    weights = np.array([each.weight for each in INSTRUMENTS])
    for start in range(0, n, _CHUNK):
        rng = np.random.default_rng((seed, start))
        count = min(_CHUNK, n - start)
        seen_by = rng.choice(len(INSTRUMENTS), count, p=weights / weights.sum())
        truth = simulator.draw_noiseless(count, rng, kinds, seen_by)
        for index, entry in enumerate(INSTRUMENTS):
            rows = np.flatnonzero(seen_by == index)
            if rows.size == 0:
                continue
            changed = change(entry)
            seen = simulator.expose(truth, rows, changed, rng)
            simulator.noise_model.add_noise(seen.flux, seen.sigma, changed, rng)
            prepared = prepare(native_spectra(seen.flux, seen.inverse_variance), COMMON_GRID)
            whole = prepared.coverage >= engines[0].bundle.manifest.domain.full_coverage
            inputs = {"flux": prepared.flux[whole], "inverse_variance": prepared.inverse_variance[whole]}
            for loaded in engines:
                role, table = loaded.bundle.manifest.role, loaded.calibration.novelty
                if table is None:
                    raise ValueError(f"{loaded.bundle.manifest.name}: expected a calibrated bundle, found no novelty")
                score = loaded.engine.run(inputs)[SCORES[role]]
                found[role].append(p_values(table, score.astype(np.float64)))
    energy, deviance = (np.concatenate(found[role]) for role in SCORES)
    return energy, deviance


def shares(known: tuple[Floats, Floats], others: tuple[Floats, Floats], weights: Sequence[float]) -> list[float]:
    """Return the share of others above the fused score that ``RATE`` of the known objects exceeds, by weight."""
    limits = [np.quantile(fisher(*known, weight), 1.0 - RATE) for weight in weights]
    return [float(np.mean(fisher(*others, each) > limit)) for each, limit in zip(weights, limits, strict=True)]


def table(known: int, each: int, weights: Sequence[float] = WEIGHTS) -> str:
    """Return the table as text.

    Args:
        known: known objects to draw.
        each: outliers to draw, and known objects of each wrong simulation.
        weights: of the VAE's p-value.
    """
    engines = load_engines([MODELS / SPECTRAL_CLASSIFIER, MODELS / ANOMALY])
    simulator = Simulator.load()
    null = p_values_of(engines, simulator, known, KNOWN_SEED, _KNOWN_KINDS)
    outliers = p_values_of(engines, simulator, each, OUTLIER_SEED, {"NOVEL": 1.0})
    rows = {"weight": list(weights), "outliers": shares(null, outliers, weights)}
    for name, change in WRONG.items():
        wrong = p_values_of(engines, simulator, each, WRONG_SEED, _KNOWN_KINDS, change)
        rows[name] = shares(null, wrong, weights)
    rows["mean of the wrong"] = np.mean([rows[name] for name in WRONG], axis=0).tolist()
    rows["worst of the wrong"] = np.max([rows[name] for name in WRONG], axis=0).tolist()
    lines = [f"{name:>26}" + "".join(f"{value:8.4f}" for value in values) for name, values in rows.items()]
    lines.append(f"{'chosen':>26}{chosen(weights, rows['worst of the wrong'], each):8.4f}")
    return "".join(f"{line}\n" for line in lines)


def chosen(weights: Sequence[float], worst: Sequence[float], n: int) -> float:
    """Return the smallest weight that bears wrong simulations as well as any.

    Args:
        weights: in ascending order.
        worst: largest share of known objects above the limit in any wrong simulation, by weight.
        n: known objects of each wrong simulation.
    """
    least = min(worst)
    allowed = least + 2.0 * np.sqrt(least * (1.0 - least) / n)
    return next(weight for weight, share in zip(weights, worst, strict=True) if share <= allowed)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Print what weights of the VAE's p-value find, and flag wrongly.")
    parser.add_argument("--known", type=int, default=KNOWN, help="known objects that set the limit")
    parser.add_argument("--each", type=int, default=EACH, help="outliers, and known objects of each wrong simulation")
    options = parser.parse_args()
    sys.stdout.write(table(options.known, options.each))


if __name__ == "__main__":
    main()
