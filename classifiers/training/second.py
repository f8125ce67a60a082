"""Find the thresholds of ``classifiers.quasars.second`` on simulated objects, and what they find of pairs.

    python -m classifiers.training.second

draws single objects of all kinds, classifies them with the classifier that ships, and prints the scores that a share of
``FALSE_RATE`` of those that look like galaxies and like quasars exceeds; then how many other single objects exceed them
and how many blended pairs of galaxies and quasars do, with the right redshift. The same bundle gives the same numbers.
Nothing is written: the thresholds are constants of that module.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Verdicts
from classifiers.items import Spectrum
from classifiers.loaded import load_engines
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.plain import plain_means
from classifiers.preprocess.prepare import prepare
from classifiers.quasars.second import FALSE_RATE, LEAST_SNR, redshift_at, second_scores
from classifiers.spectral.suite import SpectralSuite
from classifiers.suite import default_bundles
from classifiers.training.evaluation.damage import blended
from classifiers.training.evaluation.real_spectra import native_spectra
from classifiers.training.simulation.simulator import DEFAULT_KINDS, Simulator

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FITTED_SEED, SCORED_SEED, PAIRS_SEED = 3_000_031, 3_000_032, 3_000_033
"""No training, calibration or evaluation has them."""
DRAWN, PAIRS = 163_840, 4_096
_CHUNK = 512
_CLASSIFIER = "spectral-classifier"
_APART, _RIGHT = 0.05, 0.01  # of 1 + z: of the two of a pair, and of a redshift that is right


class Looked(NamedTuple):
    """Spectra that are looked at: rows, redshifts and scores (m, 2) of second objects, and which are quasars (m,)."""

    rows: NDArray[np.int64]
    redshift: Floats
    score: Floats
    quasar: Flags


def looked_at(classifier: SpectralSuite, spectra: Sequence[Spectrum]) -> Looked:
    """Score those that look like galaxies or quasars and are bright enough."""
    found = classifier.classify(spectra)
    rows, quasar = _eligible(found)
    chosen = [spectra[row] for row in rows.tolist()]
    if not chosen:
        return Looked(rows, np.empty((0, 2)), np.empty((0, 2)), quasar)
    means = plain_means(chosen, COMMON_GRID, prepare(chosen, COMMON_GRID).scale)
    place, score = second_scores(means.flux, means.inverse_variance, found.columns["redshift"][rows], quasar)
    return Looked(rows, redshift_at(place), score, quasar)


def _eligible(found: Verdicts) -> tuple[NDArray[np.int64], Flags]:
    families = np.array([*(name.split("_")[0] for name in found.class_names), ""])[found.top_class]
    known = np.isin(families, ("GALAXY", "QSO")) & (found.columns["p_other"] <= 0.5)
    rows = np.flatnonzero(known & (found.columns["snr"] >= LEAST_SNR) & np.isfinite(found.columns["redshift"]))
    return rows, families[rows] == "QSO"


def singles(simulator: Simulator, classifier: SpectralSuite, n: int, seed: int) -> tuple[Floats, Flags]:
    """Return scores (m, 2) of single objects of all kinds, and which look like quasars, (m,)."""
    parts = [looked_at(classifier, spectra) for spectra, _ in _drawn(simulator, n, seed, DEFAULT_KINDS)]
    return np.concatenate([part.score for part in parts]), np.concatenate([part.quasar for part in parts])


def thresholds(score: Floats, quasar: Flags) -> Floats:
    """Return the scores that a share of ``FALSE_RATE`` exceeds: (first a galaxy or a quasar, second likewise)."""
    return np.array([np.quantile(score[quasar == first], 1.0 - FALSE_RATE, axis=0) for first in (False, True)])


def pairs(simulator: Simulator, classifier: SpectralSuite, n: int, seed: int, limits: Floats) -> tuple[int, int, int]:
    """Return how many blended pairs there are, in how many a second object is found, and how often it is one."""
    made, found, right = 0, 0, 0
    for spectra, redshift in _drawn(simulator, n, seed, {"GALAXY": 1.0, "QSO": 1.0}):
        other = np.roll(np.arange(len(spectra)), -1)
        own = np.flatnonzero(np.abs(redshift[other] - redshift) > _APART * (1.0 + redshift))
        blends = [blended(spectra[row], spectra[int(other[row])]) for row in own.tolist()]
        looked = looked_at(classifier, blends)
        over = looked.score / limits[looked.quasar.astype(np.int64)]
        kind = over.argmax(axis=1)
        here = np.arange(kind.size)
        fired = over[here, kind] > 1.0
        said, rows = looked.redshift[here, kind], own[looked.rows]
        near = np.minimum.reduce(
            [np.abs(said - truth) / (1.0 + truth) for truth in (redshift[rows], redshift[other[rows]])]
        )
        made, found, right = made + own.size, found + int(fired.sum()), right + int((fired & (near < _RIGHT)).sum())
    return made, found, right


def _drawn(
    simulator: Simulator, n: int, seed: int, kinds: Mapping[str, float]
) -> Iterator[tuple[list[Spectrum], Floats]]:
    for start in range(0, n, _CHUNK):
        batch = simulator.draw(min(_CHUNK, n - start), np.random.default_rng((seed, start // _CHUNK)), kinds=kinds)
        yield native_spectra(batch.flux, batch.inverse_variance), batch.redshift


def main(drawn: int = DRAWN, blends: int = PAIRS) -> None:
    """Print thresholds and worth.

    Args:
        drawn: single objects of each of two seeds.
        blends: objects that pairs are made of.
    """
    simulator = Simulator.load()
    paths = [path for path in default_bundles() if path.name == _CLASSIFIER]
    classifier = SpectralSuite(load_engines(paths))
    score, quasar = singles(simulator, classifier, drawn, FITTED_SEED)
    limits = thresholds(score, quasar)
    print(f"thresholds on {len(score)} looked at of {drawn}: {np.round(limits, 1).tolist()}")
    score, quasar = singles(simulator, classifier, drawn, SCORED_SEED)
    over = (score > limits[quasar.astype(np.int64)]).any(axis=1)
    print(f"on {drawn} other single objects: {int(over.sum())} second ones")
    made, found, right = pairs(simulator, classifier, blends, PAIRS_SEED, limits)
    print(f"on {made} pairs: {found} second ones, {right} of them right")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print the thresholds of classifiers.quasars.second.")
    parser.add_argument("--drawn", type=int, default=DRAWN, help="single objects of each of two seeds")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="objects that pairs are made of")
    arguments = parser.parse_args()
    main(arguments.drawn, arguments.pairs)
