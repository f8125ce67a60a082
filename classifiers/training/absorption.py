"""Fit the weights of ``classifiers.quasars.absorption`` on simulated quasars, and say what they are worth on others.

    python -m classifiers.training.absorption

draws quasars of two seeds, classifies them with the bundles that ship, fits a logistic regression to the first and
prints its weights, and the area under the curve and the log loss on the second, beside those of the network alone. The
same bundles give the same numbers. Nothing is written: the weights are constants of that module.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.loaded import load_engines
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.plain import plain_means
from classifiers.preprocess.prepare import prepare
from classifiers.quasars.absorption import LEAST_REDSHIFT, absorption_evidence, features
from classifiers.spectral.suite import SpectralSuite
from classifiers.suite import default_bundles
from classifiers.training.evaluation.binned import area_under
from classifiers.training.evaluation.real_spectra import native_spectra
from classifiers.training.simulation.simulator import Simulator

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SEEDS = (3_000_017, 3_000_018)
"""Of the quasars that are fitted, and of those that are scored: no training, calibration or evaluation has them."""
DRAWN = 20_480
_CHUNK = 512
_STEPS, _SMALLEST_STEP, _RIDGE = 50, 1e-9, 1e-3
_FINDER, _CLASSIFIER = "qso-finder", "spectral-classifier"


class Quasars(NamedTuple):
    """Simulated quasars: what the network says, what is measured, and whether absorption was put in; (n,) each."""

    network: Floats
    evidence: Floats
    absorbed: Flags


def draw(simulator: Simulator, classifier: SpectralSuite, finder: SpectralSuite, n: int, seed: int) -> Quasars:
    """Draw quasars, and keep those in which broad absorption can be looked for.

    Args:
        simulator: draws them.
        classifier: gives redshifts.
        finder: by itself, so that its probability of broad absorption is the network's alone.
        n: how many are drawn.
        seed: of the draw.
    """
    parts: list[Quasars] = []
    for start in range(0, n, _CHUNK):
        batch = simulator.draw(
            min(_CHUNK, n - start), np.random.default_rng((seed, start // _CHUNK)), kinds={"QSO": 1.0}
        )
        far = batch.redshift > LEAST_REDSHIFT
        spectra = native_spectra(batch.flux[far], batch.inverse_variance[far])
        means = plain_means(spectra, COMMON_GRID, prepare(spectra, COMMON_GRID).scale)
        redshift = classifier.classify(spectra).columns["redshift"]
        network = finder.classify(spectra).columns["p_bal"]
        evidence = absorption_evidence(means.flux, means.inverse_variance, redshift)
        kept = np.isfinite(evidence) & np.isfinite(network)
        parts.append(Quasars(network[kept], evidence[kept], batch.broad_absorption[far][kept]))
    return Quasars(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def fit(terms: Floats, truth: Flags) -> Floats:
    """Return the weights of a logistic regression, a constant's first: Newton's method with a small ridge.

    Args:
        terms: (n, k).
        truth: (n,).
    """
    design = np.column_stack([np.ones(len(terms)), terms])
    weights = np.zeros(design.shape[1])
    ridge = _RIDGE * np.eye(weights.size)
    for _ in range(_STEPS):
        probability = 1.0 / (1.0 + np.exp(-design @ weights))
        curvature = (design * (probability * (1.0 - probability))[:, None]).T @ design + ridge
        step = np.linalg.solve(curvature, design.T @ (probability - truth) + _RIDGE * weights)
        weights -= step
        if np.abs(step).max() < _SMALLEST_STEP:
            break
    return weights


def log_loss(probability: Floats, truth: Flags) -> float:
    """Return the mean of -ln of what was said of the truth."""
    return float(-np.log(np.maximum(np.where(truth, probability, 1.0 - probability), 1e-12)).mean())


def main(n: int = DRAWN) -> None:
    """Print weights and worth.

    Args:
        n: quasars that are drawn of each seed.
    """
    simulator = Simulator.load()
    engines = {path.name: load_engines([path]) for path in default_bundles()}
    classifier, finder = SpectralSuite(engines[_CLASSIFIER]), SpectralSuite(engines[_FINDER])
    fitted, scored = (draw(simulator, classifier, finder, n, seed) for seed in SEEDS)
    weights = fit(features(fitted.network, fitted.evidence), fitted.absorbed)
    print(f"weights on {fitted.absorbed.size} quasars: {np.round(weights, 2).tolist()}")
    absorbed = scored.absorbed
    print(f"on {absorbed.size} others, {int(absorbed.sum())} of them absorbed:")
    design = features(scored.network, scored.evidence)
    together = 1.0 / (1.0 + np.exp(-(weights[0] + design @ weights[1:])))
    for name, probability in (("network", scored.network), ("both", together)):
        area = area_under(probability[~absorbed], probability[absorbed])
        print(f"{name}: area under the curve {area:.3f}, log loss {log_loss(probability, absorbed):.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print the weights of classifiers.quasars.absorption.")
    parser.add_argument("--drawn", type=int, default=DRAWN, help="quasars of each of the two seeds")
    main(parser.parse_args().drawn)
