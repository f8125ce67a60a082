"""Measure what templates are worth in telling stars of the scheme from others (``classifiers.spectral.other``).

    python -m classifiers.training.outside_stars

draws simulated stars, none of them a template, and prints for the network alone and for what is published: the
threshold of p_other, weighed by type, that holds ``OTHER_RATE`` among stars of the scheme, how many of each class it
flags, and how many of each other type it finds. Flags are counted of all, and of those whom the survey's fit leaves in
the scheme, drawn from the probabilities of that fit: every tenth simulated A0 star is nearer to SDSS's template of a B
star or a white dwarf, and the survey would call it so.

Below it are, for each type with templates, the mean negative log likelihood of the simulated name where templates are
fitted: of the network alone, of what is published, and of the best T and w (``stars.evidence.OUTSIDE``). That
of M dwarfs, no weight, is the best of 1,091 M and K5 stars. White dwarfs and B stars would want next to no weight by
the names of their libraries, and all of it by what the survey calls them, which is followed, as for star types.

The range in which templates are fitted (``LOOKED_AT``) was chosen on such a table: with 0.9, 0.95 or 0.98 at its upper
end half as many stars of the scheme are flagged, as surveys name them, and of each other type at most 0.02 fewer are
found, because the threshold falls; early M dwarfs and B stars lose most the farther it reaches.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.spectral.other import LOOKED_AT
from classifiers.stars.evidence import OUTSIDE, TEMPERATURE, outside_probability
from classifiers.stars.outside import outside_misfits
from classifiers.suite import MODELS
from classifiers.training.bundles import SPECTRAL_CLASSIFIER
from classifiers.training.calibration import OTHER_RATE, answers, published_other
from classifiers.training.samples import Samples, draw_samples
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.scheme import CLASSES, FIRST_STAR, KINDS, OTHER_INDEX, OTHER_TYPES, SKY_INDEX
from classifiers.training.simulation.simulator import Simulator
from classifiers.verdict.calibrate import OTHER_ODDS, p_other_threshold
from classifiers.verdict.probabilities import with_other
from classifiers.verdict.unknown import weighed_other

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DEFAULT_N, SEED = 32_768, 5_000_023
TEMPERATURES, WEIGHTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0), (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.85)
_LEAST = 1e-12
_STAR_TEMPLATES = 11
_OTHER_TEMPLATES = {"M": 10, "LT": 9, "WD": 5, "CARBON": 3, "OB": 3}
"""How many members of the simulator's groups come first and are templates, or, of white dwarfs, neighbours of them."""


def without_templates(basis: Basis) -> Basis:
    """Return a basis whose stars are of other libraries than SDSS's templates."""
    arrays = dict(basis.arrays)
    star_class, other_type = arrays["star_class"].copy(), arrays["other_type"].copy()
    star_class[:_STAR_TEMPLATES] = -1
    for name, count in _OTHER_TEMPLATES.items():
        other_type[np.flatnonzero(other_type == OTHER_TYPES.index(name))[:count]] = -1
    return Basis({**arrays, "star_class": star_class, "other_type": other_type}, basis.provenance)


def left_in_scheme(samples: Samples, rng: np.random.Generator) -> Flags:
    """Draw which stars a survey's fit leaves in the scheme, (n,).

    Args:
        samples: n simulated stars.
        rng: of the draw.
    """
    misfit = np.concatenate(
        [outside_misfits(*samples.rows(slice(at, at + 1024)).inputs()) for at in range(0, len(samples), 1024)]
    ).min(axis=1)
    inside = 1.0 / (1.0 + np.exp(-np.clip(misfit / (2.0 * TEMPERATURE), -700.0, 700.0)))
    return np.asarray(~(rng.random(len(samples)) > inside), np.bool_)


def table(bundle: Bundle, samples: Samples, rng: np.random.Generator) -> str:
    """Return the table as text.

    Args:
        bundle: a spectral classifier with a calibration for onnxruntime.
        samples: stars in and outside the scheme.
        rng: of what the survey would call them.
    """
    whole = samples.coverage() >= bundle.manifest.domain.full_coverage
    samples = samples.rows(np.flatnonzero(whole & (samples.other_type != SKY_INDEX)))
    temperature = bundle.calibration("onnxruntime", "fp32").temperature
    found = answers(bundle, samples)
    known = (samples.class_index >= FIRST_STAR) & (samples.class_index < OTHER_INDEX)
    survey = known & left_in_scheme(samples, rng)
    types = [name for name in OTHER_TYPES if name != OTHER_TYPES[SKY_INDEX]]
    stars = CLASSES[FIRST_STAR:]
    head = ("", "threshold", *(name.removeprefix("STAR_") for name in stars), *types)
    lines = ["".join(f"{name:>10}" for name in head)]
    for name, p_other in (
        ("network", with_other(found["class_logits"], temperature).other),
        ("published", published_other(bundle, temperature, samples, found)),
    ):
        weighed = weighed_other(p_other, found, bundle.manifest.other_types, OTHER_ODDS)
        limit = p_other_threshold(weighed[known], OTHER_RATE)
        threshold = np.inf if limit is None else limit
        flagged = weighed > threshold
        for label, group in ((name, known), ("survey's", survey)):
            values = [
                threshold,
                *(_share(flagged, group & (samples.class_index == CLASSES.index(star))) for star in stars),
            ]
            if group is known:
                outside = samples.kind == KINDS.index("OTHER")
                values += [_share(flagged, outside & (samples.other_type == OTHER_TYPES.index(kind))) for kind in types]
            lines.append(f"{label:>10}" + "".join(f"{value:10.4f}" for value in values))
    return "\n".join(lines) + "\n"


def likelihoods(bundle: Bundle, samples: Samples) -> str:
    """Return, as text, the likelihoods where templates are fitted, and the T and w that would be best.

    Args:
        bundle: as in ``table``.
        samples: as in ``table``.
    """
    found = answers(bundle, samples)
    network = with_other(found["class_logits"], bundle.calibration("onnxruntime", "fp32").temperature).other
    likeliest = found["other_type_probability"].argmax(axis=1)
    doubtful = (network > LOOKED_AT[0]) & (network < LOOKED_AT[1])
    lines = []
    for kind, (name, shipped) in enumerate(OUTSIDE.items()):
        rows = np.flatnonzero(doubtful & (likeliest == OTHER_TYPES.index(name)))
        misfit = outside_misfits(*samples.rows(rows).inputs())[:, kind]
        outside, own = samples.kind[rows] == KINDS.index("OTHER"), network[rows]
        losses = {
            constants: _loss(outside_probability(own, misfit, np.zeros(rows.size, np.int64), (constants,)), outside)
            for constants in ((1.0, 0.0), shipped, *itertools.product(TEMPERATURES, WEIGHTS))
        }
        best = min(losses, key=lambda constants: losses[constants])
        values = f"network {losses[1.0, 0.0]:.3f}, published {losses[shipped]:.3f}, best {losses[best]:.3f}"
        lines.append(f"{name} (n = {rows.size}): {values} with T = {best[0]:g}, w = {best[1]:g}")
    return "\n".join(lines) + "\n"


def _loss(probability: Floats, truth: Flags) -> float:
    right = np.where(truth, probability, 1.0 - probability)
    return float(-np.log(np.maximum(right, _LEAST)).mean()) if truth.size else float("nan")


def _share(flagged: Flags, rows: Flags) -> float:
    return float(flagged[rows].mean()) if rows.any() else float("nan")


def main() -> None:
    """Draw, and print the table."""
    parser = argparse.ArgumentParser(description="Measure what templates are worth against p_other.")
    parser.add_argument("--bundle", type=Path, default=MODELS / SPECTRAL_CLASSIFIER, help="spectral classifier")
    parser.add_argument("-n", type=int, default=DEFAULT_N, help="stars, two fifths of them outside the scheme")
    options = parser.parse_args()
    simulator = Simulator(without_templates(Basis.load()))
    samples = draw_samples(simulator, options.n, SEED, kinds={"STAR": 0.6, "OTHER": 0.4})
    bundle = load_bundle(options.bundle)
    sys.stdout.write(table(bundle, samples, np.random.default_rng(SEED)) + "\n" + likelihoods(bundle, samples))


if __name__ == "__main__":
    main()
