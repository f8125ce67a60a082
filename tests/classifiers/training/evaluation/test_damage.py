"""Damaged real spectra: nothing that is not finite is ever published, and what cannot be told from noise is unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifiers.classifier import Classifier
from classifiers.items import GridAxis, Spectrum
from classifiers.suite import MODELS, open_suites
from classifiers.training.evaluation import damage
from classifiers.training.evaluation.answers import Answers
from classifiers.training.evaluation.real_spectra import real_spectra
from classifiers.training.evaluation.robustness import published_not_finite

DAMAGES = {**damage.MEANINGLESS, **damage.RECOGNISABLE}


@pytest.fixture(scope="module")
def spectra(data_dir: Path) -> list[Spectrum]:
    return real_spectra(data_dir / "spectra")[0]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return open_suites([MODELS / name for name in ("spectral-classifier", "spectral-anomaly", "qso-finder")])[
        "spectrum"
    ]


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_happens_to_a_spectrum_nothing_that_is_not_finite_is_published(
    spectra: list[Spectrum], classifier: Classifier, data: st.DataObject
) -> None:
    """Any chain of up to three kinds of damage, on any of the real spectra."""
    rows = data.draw(st.lists(st.integers(0, len(spectra) - 1), min_size=2, max_size=6))
    names = data.draw(st.lists(st.sampled_from(sorted(DAMAGES)), min_size=1, max_size=3))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    items = [spectra[row] for row in rows]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for name in names:
            items = [
                item if name in ("wavelength in nm", "air called vacuum") and not isinstance(item.axis, GridAxis)
                else DAMAGES[name](item, rng)
                for item in items
            ]  # fmt: skip
    verdicts = classifier.classify(items)
    answers = Answers.of([verdicts])
    assert not published_not_finite(answers).any(), names
    if verdicts.lines is not None:
        for name in ("flux", "flux_error", "equivalent_width", "velocity_width"):
            assert not np.isinf(getattr(verdicts.lines, name)).any(), (name, names)
    said = answers.top >= 0
    np.testing.assert_allclose(answers.probabilities[said].sum(axis=1), 1.0, rtol=1e-9)
    assert answers.unknown[~said].all()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(damage.MEANINGLESS))
def test_an_object_of_which_nothing_is_left_is_unknown(name: str, data_dir: Path, classifier: Classifier) -> None:
    rng = np.random.default_rng(1)
    spectra, labels = real_spectra(data_dir / "spectra")
    known = [spectra[row] for row, label in enumerate(labels) if label.class_name is not None][::4]
    answers = Answers.of([classifier.classify([damage.MEANINGLESS[name](item, rng) for item in known])])
    assert answers.unknown.all()


@pytest.mark.slow
def test_a_wrong_unit_changes_no_class(spectra: list[Spectrum], classifier: Classifier) -> None:
    rng = np.random.default_rng(1)
    plain = classifier.classify(spectra[:60]).top_class
    for name in ("unit wrong by 1e17 (too large)", "unit wrong by 1e17 (too small)"):
        found = classifier.classify([damage.RECOGNISABLE[name](item, rng) for item in spectra[:60]])
        np.testing.assert_array_equal(found.top_class, plain)


def test_damage_leaves_the_spectrum_it_was_given_as_it_was(spectra: list[Spectrum]) -> None:
    before = spectra[3].flux.copy(), spectra[3].uncertainty.copy()
    skies = damage.OtherSky(np.ones((3, spectra[3].flux.size), np.float32))
    for break_ in (*DAMAGES.values(), skies, damage.Blend(spectra[:5])):
        with np.errstate(over="ignore"):
            broken = break_(spectra[3], np.random.default_rng(2))
        assert broken is not spectra[3]
    np.testing.assert_array_equal(spectra[3].flux, before[0])
    np.testing.assert_array_equal(spectra[3].uncertainty, before[1])


def test_a_blend_has_both_lights_and_a_larger_error(spectra: list[Spectrum]) -> None:
    blend = damage.Blend(spectra[:1])
    mixed = blend(spectra[0], np.random.default_rng(0))
    good = mixed.uncertainty > 0
    np.testing.assert_allclose(mixed.flux[good], 2 * spectra[0].flux[good], rtol=1e-6)
    np.testing.assert_allclose(mixed.uncertainty[good], spectra[0].uncertainty[good] / 2, rtol=1e-6)
    assert blend.chosen == [0]
