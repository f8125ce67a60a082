"""Fit the weights of ``classifiers.quasars.absorption`` on simulated quasars, and say what they are worth on others.

    python -m classifiers.training.absorption

draws quasars of two seeds, puts the narrow absorption systems into them that real ones have and simulated ones lack,
classifies them with the bundles that ship, fits a logistic regression to the first and prints its weights, and the area
under the curve and the log loss on the second, beside those of the network alone. The same bundles give the same
numbers. Nothing is written: the weights are constants of that module.
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
from classifiers.quasars.absorption import LEAST_REDSHIFT, REACH_KM_S, absorption_evidence, features
from classifiers.quasars.redshift import C_KM_S
from classifiers.spectral.suite import SpectralSuite
from classifiers.suite import default_bundles
from classifiers.training.evaluation.binned import area_under
from classifiers.training.evaluation.real_spectra import native_spectra
from classifiers.training.simulation.grid import native_wavelength
from classifiers.training.simulation.simulator import Simulator

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SEEDS = (3_000_017, 3_000_018)
"""Of the quasars that are fitted, and of those that are scored: no training, calibration or evaluation has them."""
DRAWN = 20_480
DOUBLET_ANGSTROM = (1548.20, 1550.77)
INTERVENING = 0.7
"""Mean number of systems of at least that width within 25,000 km/s: some 2 for each unit of redshift at z = 2."""
ASSOCIATED, ASSOCIATED_KM_S = 0.25, (-500.0, 5000.0)
LEAST_WIDTH_ANGSTROM, MEAN_WIDTH_ANGSTROM = 0.3, 0.37
"""Of the stronger line, at rest."""
SIGMA_KM_S, DEEPEST = (70.0, 170.0), 0.95
"""As observed at the resolution of the surveys."""
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
        flux = batch.flux[far] * narrow_systems(batch.redshift[far], np.random.default_rng((seed, start // _CHUNK, 1)))
        spectra = native_spectra(flux.astype(np.float32), batch.inverse_variance[far])
        means = plain_means(spectra, COMMON_GRID, prepare(spectra, COMMON_GRID).scale)
        redshift = classifier.classify(spectra).columns["redshift"]
        network = finder.classify(spectra).columns["p_bal"]
        evidence = absorption_evidence(means.flux, means.inverse_variance, redshift)
        kept = np.isfinite(evidence) & np.isfinite(network)
        parts.append(Quasars(network[kept], evidence[kept], batch.broad_absorption[far][kept]))
    return Quasars(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def narrow_systems(redshift: Floats, rng: np.random.Generator) -> Floats:
    """Return what narrow C IV doublets leave of the light of quasars: (n, 4671).

    Intervening ones, and for a quarter of quasars one of their own within 5,000 km/s (Vestergaard 2003, ApJ 599, 116);
    equivalent widths are exponential (Cooksey et al. 2013, ApJ 763, 37).

    Args:
        redshift: (n,) of the quasars.
        rng: chooses places, widths and depths.
    """
    wavelength = native_wavelength()
    left = np.ones((redshift.size, wavelength.size))
    for row, quasar in enumerate(redshift):
        velocities = rng.uniform(0.0, REACH_KM_S, rng.poisson(INTERVENING))
        if rng.random() < ASSOCIATED:
            velocities = np.append(velocities, rng.uniform(*ASSOCIATED_KM_S))
        for velocity in velocities.tolist():
            width = LEAST_WIDTH_ANGSTROM + rng.exponential(MEAN_WIDTH_ANGSTROM)
            sigma, ratio = rng.uniform(*SIGMA_KM_S), rng.uniform(1.0, 2.0)
            system = (1.0 + quasar) * np.exp(-velocity / C_KM_S)
            for line, share in zip(DOUBLET_ANGSTROM, (1.0, 1.0 / ratio), strict=True):
                depth = min(width * share * C_KM_S / (line * sigma * np.sqrt(2.0 * np.pi)), DEEPEST)
                offset = C_KM_S * np.log(wavelength / (line * system)) / sigma
                left[row] *= 1.0 - depth * np.exp(-0.5 * offset**2)
    return left


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
