"""Damaged real spectra: nothing that is not finite is ever published, and what cannot be told from noise is unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifiers.classifier import Classifier
from classifiers.items import Spectrum
from classifiers.suite import MODELS, open_suites
from classifiers.training.evaluation import damage
from classifiers.training.evaluation.answers import GROUPS, Answers, classified
from classifiers.training.evaluation.real_spectra import real_spectra
from classifiers.training.evaluation.robustness import CONFIDENT, published_not_finite

DAMAGES = {**damage.MEANINGLESS, **damage.RECOGNISABLE}
FAULTS = ("BAD_DATA", "OUT_OF_DOMAIN", "NO_SIGNAL")
NOTHING_LEFT = sorted(damage.MEANINGLESS.keys() - {"negative"})
MOST_CONFIDENT_ERRORS = 0.03
OF_THE_AXIS = ("wavelength in nm", "air called vacuum")
"""Damage that takes a regular axis and leaves another: there is none after it."""


@pytest.fixture(scope="module")
def spectra(data_dir: Path) -> list[Spectrum]:
    return real_spectra(data_dir / "spectra")[0]


@pytest.fixture(scope="module")
def known(data_dir: Path) -> list[Spectrum]:
    return [item for item, label in zip(*real_spectra(data_dir / "spectra"), strict=True) if label.group in GROUPS]


@pytest.fixture(scope="module")
def more(data_dir: Path, known: list[Spectrum]) -> dict[str, damage.Damage]:
    """Damage by the light of something else."""
    with np.load(data_dir / "spectra" / "real_sky_wdisp.npz", allow_pickle=False) as stored:
        skies = np.nan_to_num(stored["sky"].astype(np.float32))
    return {"sky of another fibre": damage.OtherSky(skies), "blend": damage.Blend(known)}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return open_suites([MODELS / name for name in ("spectral-classifier", "spectral-anomaly", "qso-finder")])[
        "spectrum"
    ]


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_happens_to_a_spectrum_nothing_that_is_not_finite_is_published(
    spectra: list[Spectrum], more: dict[str, damage.Damage], classifier: Classifier, data: st.DataObject
) -> None:
    """Any chain of up to three kinds of damage, on any real spectra; where the last leaves nothing, that is told."""
    damages = {**DAMAGES, **more}
    rows = data.draw(st.lists(st.integers(0, len(spectra) - 1), min_size=2, max_size=6))
    drawn = data.draw(st.lists(st.sampled_from(sorted(damages)), min_size=1, max_size=3))
    axis = [place for place, name in enumerate(drawn) if name in OF_THE_AXIS]
    names = [name for place, name in enumerate(drawn) if place not in axis[1:]]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    items = [spectra[row] for row in rows]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for name in names:
            items = [damages[name](item, rng) for item in items]
    verdicts = classifier.classify(items)
    answers = Answers.of([verdicts])
    assert not published_not_finite(answers).any(), names
    if verdicts.lines is not None:
        for name in ("flux", "flux_error", "equivalent_width", "velocity_width"):
            assert not np.isinf(getattr(verdicts.lines, name)).any(), (name, names)
    said = answers.top >= 0
    np.testing.assert_allclose(answers.probabilities[said].sum(axis=1), 1.0, rtol=1e-9)
    assert answers.unknown[~said].all()
    if names[-1] in NOTHING_LEFT:
        assert answers.unknown.all(), names


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTHING_LEFT)
def test_an_object_of_which_nothing_is_left_is_a_fault_and_no_discovery(
    name: str, known: list[Spectrum], classifier: Classifier
) -> None:
    rng = np.random.default_rng(1)
    answers = classified(classifier, [damage.MEANINGLESS[name](item, rng) for item in known])
    assert answers.unknown.all()
    assert set(answers.reason) <= set(FAULTS)


@pytest.mark.slow
def test_a_negative_spectrum_is_bad_data_unless_it_is_as_faint_as_a_blank_fibre(
    known: list[Spectrum], classifier: Classifier
) -> None:
    rng = np.random.default_rng(1)
    answers = classified(classifier, [damage.negative(item, rng) for item in known])
    bright = answers.column("snr") < -2.0
    assert np.count_nonzero(~bright) < 0.03 * len(known)
    assert (answers.reason[bright] == "BAD_DATA").all()


@pytest.mark.slow
def test_no_real_spectrum_is_taken_for_a_negative_one(spectra: list[Spectrum], classifier: Classifier) -> None:
    answers = classified(classifier, spectra)
    assert answers.column("snr").min() > -2.0
    assert not (answers.reason == "BAD_DATA").any()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [*sorted(damage.MEANINGLESS), *sorted(damage.RECOGNISABLE), "sky of another fibre", "blend"]
)
def test_confident_errors_stay_rare_whatever_the_damage(
    name: str, known: list[Spectrum], more: dict[str, damage.Damage], data_dir: Path, classifier: Classifier
) -> None:
    """P above 0.9 of another of GALAXY, QSO and STAR (of a blend: of neither), and not flagged."""
    truth = np.array([label.group for label in real_spectra(data_dir / "spectra")[1] if label.group in GROUPS])
    break_ = {**DAMAGES, **more}[name]
    rng = np.random.default_rng(3)
    if isinstance(break_, damage.Blend):
        break_.chosen.clear()
    with np.errstate(over="ignore"):
        answers = classified(classifier, [break_(item, rng) for item in known])
    wrong = answers.groups != truth
    if isinstance(break_, damage.Blend):
        wrong &= answers.groups != truth[break_.chosen]
    sure = np.nan_to_num(answers.group_probabilities.max(axis=1)) > CONFIDENT
    assert np.mean(wrong & sure & ~answers.unknown) <= MOST_CONFIDENT_ERRORS


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
