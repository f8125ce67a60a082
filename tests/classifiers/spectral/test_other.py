"""P(OTHER) as it is published: templates speak where the network is in doubt, and calibration hears the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.bundle.folder import load_bundle
from classifiers.bundle.manifest import Manifest
from classifiers.items import Spectrum
from classifiers.loaded import load_engines
from classifiers.spectral.other import LOOKED_AT, published_probabilities
from classifiers.spectral.recalibration import Recalibration
from classifiers.stars.templates import Templates, outside, templates
from classifiers.suite import MODELS, open_suites
from classifiers.training.evaluation.other_samples import simulated
from classifiers.verdict.probabilities import with_other

CLASSIFIER = MODELS / "spectral-classifier"
MANIFEST = load_bundle(CLASSIFIER).manifest
Float32 = NDArray[np.float32]


def star(known: Templates, name: str, snr: float = 15.0) -> tuple[Float32, Float32]:
    """Return one template as the engine reads it, with noise."""
    bins, row = known.covered(), np.array([known.names.index(name)])
    flux, weight = np.zeros((2, 1, 1557), np.float32)
    values = known.binned(row, bins, np.zeros(1))[0, 0]
    flux[0, bins] = values + np.random.default_rng(1).standard_normal(values.size) / snr
    weight[0, bins] = snr**2
    return flux, weight


def outputs(other: list[float], kind: str, top: str = "STAR_A0") -> dict[str, Any]:
    """Return what a classifier answers that gives one class most of what OTHER leaves."""
    shares = np.full((len(other), len(MANIFEST.class_names) + 1), 1e-6)
    shares[:, MANIFEST.class_names.index(top)] = 1.0 - np.array(other)
    shares[:, -1] = other
    kinds = np.tile(np.eye(len(MANIFEST.other_types))[MANIFEST.other_types.index(kind)], (len(other), 1))
    return {"class_logits": np.log(shares).astype(np.float32), "other_type_probability": kinds.astype(np.float32)}


def published(given: dict[str, Any], seen: tuple[Float32, Float32], manifest: Manifest = MANIFEST) -> float:
    return float(published_probabilities(manifest, 1.0, given, *seen).other[0])


@pytest.mark.parametrize(
    ("inside", "kind", "other"), [("A0", "WD", "WD"), ("A0", "OB", "B6"), ("K3", "CARBON", "Carbon")]
)
def test_a_star_of_the_scheme_is_no_other_and_another_stays_one(inside: str, kind: str, other: str) -> None:
    given = outputs([0.9], kind, f"STAR_{inside}")
    assert published(given, star(templates(), inside)) < 0.4
    assert published(given, star(outside(), other)) == pytest.approx(0.9, abs=1e-4)


@pytest.mark.parametrize(
    "given",
    [
        outputs([LOOKED_AT[0] - 0.01], "WD"),
        outputs([LOOKED_AT[1] + 0.01], "WD"),
        outputs([0.9], "CV"),
        outputs([0.9], "SKY"),
        outputs([0.9], "WD", "QSO_nan"),
    ],
)
def test_the_network_stands_where_it_is_sure_where_no_template_is_and_where_no_star_is_the_rival(
    given: dict[str, Any],
) -> None:
    network = with_other(given["class_logits"], 1.0)
    found = published_probabilities(MANIFEST, 1.0, given, *star(templates(), "A0"))
    np.testing.assert_array_equal(found.other, network.other)
    np.testing.assert_array_equal(found.classes, network.classes)


def test_a_classifier_of_other_stars_is_left_alone() -> None:
    given, seen = outputs([0.9], "WD"), star(templates(), "A0")
    for change in ({"star_classes": ("STAR_A0",)}, {"grid": None}, {"lines": ("H alpha",)}):
        fields = {
            name: getattr(MANIFEST, name) for name in ("star_classes", "class_names", "grid", "lines", "other_types")
        }
        assert published(given, seen, SimpleNamespace(**fields | change)) == pytest.approx(0.9, abs=1e-4)  # type: ignore[arg-type]
    del given["other_type_probability"]
    assert published(given, seen) == pytest.approx(0.9, abs=1e-4)


def test_each_spectrum_is_judged_by_itself() -> None:
    parts = [star(templates(), "A0", 3.0), star(outside(), "WD", 3.0), star(templates(), "F5", 3.0)]
    flux, weight = (np.concatenate([part[place] for part in parts * 7]) for place in (0, 1))
    given = outputs([0.5, 0.9, 0.3] * 7, "WD")
    together = published_probabilities(MANIFEST, 1.0, given, flux, weight).other
    for row in range(21):
        one = {name: values[row : row + 1] for name, values in given.items()}
        assert published(one, (flux[row : row + 1], weight[row : row + 1])) == together[row]


@pytest.fixture(scope="module")
def spectra() -> list[Spectrum]:
    return simulated(512, 36)[0]


@pytest.mark.slow
def test_service_and_recalibration_use_one_probability_that_templates_have_changed(spectra: list[Spectrum]) -> None:
    verdicts = open_suites([CLASSIFIER])["spectrum"].classify(spectra)
    recalibration = Recalibration(load_engines([CLASSIFIER]))
    names = [str(row) for row in range(len(spectra))]
    scores = recalibration.score(names, spectra, np.zeros(len(spectra), np.int64))
    rows = [int(name) for name in scores.names]
    published = verdicts.columns["p_other"][rows]
    network = with_other(scores.class_logits, recalibration.calibration.temperature).other
    lowered = published < network
    assert 0 < lowered.sum() < 0.1 * lowered.size
    np.testing.assert_array_equal(published[~lowered], network[~lowered])
    weighed = scores.p_other > published
    assert 0.05 < weighed.mean() < 0.5
    np.testing.assert_array_equal(scores.p_other[~weighed], published[~weighed])
    limit = recalibration.calibration.p_other_threshold
    whole = verdicts.columns["coverage"][rows] >= recalibration.manifest.domain.full_coverage
    assert limit is not None
    told = np.array([verdicts.other_type[row] is not None for row in rows])
    np.testing.assert_array_equal(told[whole], scores.p_other[whole] > limit)


@pytest.mark.slow
def test_the_threshold_is_made_of_what_is_published(spectra: list[Spectrum]) -> None:
    recalibration = Recalibration(load_engines([CLASSIFIER]))
    scores = recalibration.score([str(row) for row in range(512)], spectra, np.zeros(512, np.int64))
    made = recalibration.calibrate(scores, 0.2, 0.9)
    assert made.p_other_threshold in scores.p_other.tolist()
