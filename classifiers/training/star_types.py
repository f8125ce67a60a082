"""Fit the constants of ``classifiers.stars`` on simulated stars: zero points of templates, and who decides on types.

    python -m classifiers.training.star_types

prints the zero points, and what network and templates are worth alone and together on stars that the constants were not
fitted to: the mean negative log likelihood of the simulated type, how often the most probable one is right, and how
often it is next to right.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.folder import load_bundle
from classifiers.stars.evidence import NETWORK_POWER, TEMPERATURE, type_shares
from classifiers.stars.fit import fit
from classifiers.stars.measure import BIN_KM_S, C_KM_S, measure_stars, minima
from classifiers.stars.templates import templates
from classifiers.suite import MODELS
from classifiers.training.bundles import SPECTRAL_CLASSIFIER
from classifiers.training.calibration import answers
from classifiers.training.samples import Samples, draw_samples
from classifiers.training.simulation.scheme import FIRST_STAR, OTHER_INDEX
from classifiers.training.simulation.simulator import Simulator
from classifiers.verdict.probabilities import with_other

Floats = NDArray[np.float64]
DEFAULT_N = 8192
FIT_SEED, HELD_OUT_SEED = 3_000_017, 3_000_029
POWERS = np.linspace(0.0, 2.5, 26)
TEMPERATURES = np.concatenate([np.geomspace(0.1, 100.0, 31), [np.inf]])
_MOST_OTHER, _LEAST_SNR = 0.5, 15.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What network and templates say of n simulated stars that the network takes for stars.

    Attributes:
        network, misfit: (n, 7) float64, as ``type_shares`` reads them.
        truth: (n,) int64, simulated type.
    """

    network: Floats
    misfit: Floats
    truth: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Worth:
    """Mean negative log likelihood of the true type, and shares of right and of at most one type off."""

    nll: float
    right: float
    near: float

    @staticmethod
    def of(shares: Floats, truth: NDArray[np.int64]) -> Worth:
        """Score probabilities (n, 7) of types."""
        likelihood = np.maximum(shares[np.arange(truth.size), truth], 1e-12)
        off = np.abs(shares.argmax(axis=1) - truth)
        return Worth(float(-np.log(likelihood).mean()), float((off == 0).mean()), float((off <= 1).mean()))


def zero_points(samples: Samples) -> dict[str, float]:
    """Return what each template says less the true velocity, by its name [km/s].

    Args:
        samples: simulated stars; those count whose best template is of the template's type.
    """
    found = fit(*samples.inputs())
    place, curvature, least = minima(found.chi2)
    star_type = templates().star_type
    best = star_type[least.argmin(axis=1)]
    true = np.log1p(samples.redshift) * C_KM_S / BIN_KM_S
    off = (place + (found.shift - true)[:, None]) * BIN_KM_S
    zero = {}
    for column, name in enumerate(templates().names):
        rows = (best == star_type[column]) & (samples.snr > _LEAST_SNR) & (curvature[:, column] > 0)
        zero[name] = float(np.median(off[rows, column]))
    return zero


def evidence(bundle_folder: Path, samples: Samples) -> Evidence:
    """Ask the network and the templates.

    Args:
        bundle_folder: of a spectral classifier with a calibration for onnxruntime.
        samples: simulated stars; those that the network takes for something else are left out.
    """
    bundle = load_bundle(bundle_folder)
    temperature = bundle.calibration("onnxruntime", "fp32").temperature
    found = with_other(answers(bundle, samples)["class_logits"], temperature)
    network = found.classes[:, FIRST_STAR:OTHER_INDEX]
    misfit = measure_stars(*samples.inputs()).misfit
    kept = (network.sum(axis=1) > _MOST_OTHER) & (found.other <= _MOST_OTHER) & np.isfinite(misfit[:, 0])
    kept &= samples.class_index < OTHER_INDEX
    return Evidence(network[kept], misfit[kept], samples.class_index[kept] - FIRST_STAR)


def fitted(known: Evidence) -> tuple[float, float]:
    """Return power and temperature of the smallest negative log likelihood."""
    tried = [
        (Worth.of(type_shares(known.network, known.misfit, power, temperature), known.truth).nll, power, temperature)
        for power in POWERS.tolist()
        for temperature in TEMPERATURES.tolist()
    ]
    _, power, temperature = min(tried)
    return power, temperature


def main() -> None:
    """Fit, and print what it is worth."""
    parser = argparse.ArgumentParser(description="Fit the constants of classifiers/stars/evidence.py.")
    parser.add_argument("--bundle", type=Path, default=MODELS / SPECTRAL_CLASSIFIER, help="spectral classifier")
    parser.add_argument("-n", type=int, default=DEFAULT_N, help="stars to fit to, and again as many to score")
    options = parser.parse_args()
    simulator = Simulator.load()
    first, second = (
        draw_samples(simulator, options.n, seed, kinds={"STAR": 1.0}) for seed in (FIT_SEED, HELD_OUT_SEED)
    )
    zero = ", ".join(f"{name} {value:.1f}" for name, value in zero_points(first).items())
    sys.stdout.write(f"zero points [km/s]: {zero}\n")
    known, held_out = evidence(options.bundle, first), evidence(options.bundle, second)
    alone = Evidence(np.ones_like(known.network), known.misfit, known.truth)
    power, temperature = fitted(known)
    _, templates_temperature = fitted(alone)
    uniform = np.ones_like(held_out.network)
    rows = {
        "network alone": type_shares(held_out.network, held_out.misfit, 1.0, np.inf),
        f"templates alone, temperature {templates_temperature:.1f}": type_shares(
            uniform, held_out.misfit, 1.0, templates_temperature
        ),
        f"both, shipped: power {NETWORK_POWER}, temperature {TEMPERATURE}": type_shares(
            held_out.network, held_out.misfit
        ),
        f"both, fitted: power {power:.1f}, temperature {temperature:.1f}": type_shares(
            held_out.network, held_out.misfit, power, temperature
        ),
    }
    for name, shares in rows.items():
        worth = Worth.of(shares, held_out.truth)
        sys.stdout.write(f"{name}: NLL {worth.nll:.3f}, right {worth.right:.3f}, within one {worth.near:.3f}\n")


if __name__ == "__main__":
    main()
