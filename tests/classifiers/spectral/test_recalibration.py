"""Recalibration for a survey: what it needs, what it writes, and that the rate holds on spectra it has not seen."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.bundle.errors import BundleError
from classifiers.items import Spectrum
from classifiers.loaded import load_engines
from classifiers.recalibration import TooFewLabels, write_recalibrated
from classifiers.spectral.recalibration import Recalibration, Scores
from classifiers.suite import MODELS, suites
from classifiers.training.evaluation.other_samples import simulated
from classifiers.training.simulation.scheme import CLASSES
from classifiers.verdict.calibrate import known_needed, spectral_calibration

BUNDLES = [MODELS / "spectral-classifier", MODELS / "spectral-anomaly"]
RATE = 0.05


def _scored(recalibration: Recalibration, n: int, seed: int) -> Scores:
    spectra, labels = simulated(n, seed)
    known = [row for row, label in enumerate(labels) if label.class_name is not None]
    index = np.array([CLASSES.index(str(labels[row].class_name)) for row in known])
    return recalibration.score([f"spectrum-{row}" for row in known], [spectra[row] for row in known], index)


def chosen(scores: Scores, rows: NDArray[np.int64]) -> Scores:
    """Return the scores of some spectra, in an order of their own."""
    columns = {}
    for field in fields(scores):
        value = getattr(scores, field.name)
        if isinstance(value, tuple):
            value = tuple(value[row] for row in rows.tolist())
        columns[field.name] = value[rows] if isinstance(value, np.ndarray) else value
    return Scores(**columns)


@pytest.fixture(scope="module")
def recalibration() -> Recalibration:
    return Recalibration(load_engines(BUNDLES))


@pytest.fixture(scope="module")
def scores(recalibration: Recalibration) -> Scores:
    return _scored(recalibration, 1024, 31)


@pytest.mark.slow
def test_a_recalibrated_bundle_declares_the_rate_for_the_survey_and_keeps_what_is_not_about_novelty(
    recalibration: Recalibration, scores: Scores, tmp_path: Path
) -> None:
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in BUNDLES[0].rglob("*") if path.is_file()}
    calibration = recalibration.calibrate(scores, RATE, 0.99, "my-survey")
    written = write_recalibrated(recalibration.bundle, calibration, tmp_path / "mine")
    assert before == {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in before}
    uses = {use.name: use for use in suites(load_engines([tmp_path / "mine", BUNDLES[1]]))["spectrum"].engines()}
    assert uses["spectral-classifier"].calibration_domain == "SURVEY"
    assert uses["spectral-classifier"].calibration_id == "my-survey"
    assert uses["spectral-anomaly"].calibration_domain == "SIMULATED"
    old, new = recalibration.calibration, written.calibration("onnxruntime", "fp32")
    assert (new.temperature, new.redshift_error_factor) == (old.temperature, old.redshift_error_factor)
    assert (new.alpha, new.n) == (RATE, len(scores.names))
    assert new.novel_rate / new.alpha == pytest.approx(old.novel_rate / old.alpha)
    assert written.sha256 != recalibration.bundle.sha256


@pytest.mark.slow
def test_the_declared_rate_holds_on_spectra_of_the_same_survey(
    recalibration: Recalibration, scores: Scores, tmp_path: Path
) -> None:
    calibration = recalibration.calibrate(scores, RATE, 0.99)
    write_recalibrated(recalibration.bundle, calibration, tmp_path / "mine")
    unseen = _scored(Recalibration(load_engines([tmp_path / "mine", BUNDLES[1]])), 1024, 32)
    assert unseen.flagged.mean() <= RATE
    assert scores.flagged.mean() <= RATE


@pytest.mark.slow
def test_what_counts_as_flagged_is_what_the_service_publishes(recalibration: Recalibration) -> None:
    spectra, _ = simulated(512, 34)
    names = [str(row) for row in range(len(spectra))]
    found = recalibration.score(names, spectra, np.zeros(len(spectra), np.int64))
    verdicts = suites(load_engines(BUNDLES))["spectrum"].classify(spectra)
    reasons = {"NOVEL", "OTHER_KNOWN", "NO_SIGNAL"}
    published = [reason in reasons for reason in verdicts.unknown_reason]
    assert found.outside == sum(reason is not None and reason not in reasons for reason in verdicts.unknown_reason)
    assert found.flagged.tolist() == [published[int(name)] for name in found.names]
    assert any(published)


@pytest.mark.slow
def test_the_order_of_the_labels_changes_nothing(recalibration: Recalibration, scores: Scores) -> None:
    order = np.random.default_rng(1).permutation(len(scores.names))
    shuffled = chosen(scores, order)
    one, other = (recalibration.calibrate(each, RATE, 0.99).model_dump_json() for each in (shuffled, scores))
    assert one == other


@pytest.mark.slow
def test_too_few_labels_are_refused_with_the_number_that_is_needed(
    recalibration: Recalibration, scores: Scores
) -> None:
    with pytest.raises(TooFewLabels, match="at least 1838 labelled known objects") as refused:
        recalibration.calibrate(scores, 0.01, 0.99)
    assert (refused.value.needed, refused.value.got) == (1838, len(scores.names))
    assert known_needed(0.01, 0.005, 0.99) == 1838
    assert known_needed(0.02, 0.01, 0.99) == 2 * 459


@pytest.mark.slow
def test_nothing_is_overwritten(recalibration: Recalibration, scores: Scores, tmp_path: Path) -> None:
    calibration = recalibration.calibrate(scores, RATE, 0.99)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match="empty or not there"):
        write_recalibrated(recalibration.bundle, calibration, tmp_path / "there")
    shutil.copytree(BUNDLES[0], tmp_path / "copy")
    with pytest.raises(BundleError, match="empty or not there"):
        write_recalibrated(recalibration.bundle, calibration, tmp_path / "copy")


@pytest.mark.slow
def test_spectra_that_the_flag_stops_before_novelty_have_no_part(recalibration: Recalibration) -> None:
    spectra, _ = simulated(256, 33)
    narrow = spectra[:8]
    for spectrum in narrow:
        spectrum.resolving_power = 300.0
    found = recalibration.score([f"s{row}" for row in range(16)], [*narrow, *spectra[8:16]], np.zeros(16, np.int64))
    assert found.outside == 8
    assert found.names == tuple(f"s{row}" for row in range(8, 16))


@pytest.mark.slow
def test_spectra_of_the_wrong_sign_have_no_part(recalibration: Recalibration) -> None:
    spectra, _ = simulated(64, 36)
    for spectrum in spectra[:4]:
        spectrum.flux = -np.abs(spectrum.flux) - 10.0 * np.float32(np.median(np.abs(spectrum.flux)))
    found = recalibration.score([str(row) for row in range(8)], spectra[:8], np.zeros(8, np.int64))
    verdicts = suites(load_engines(BUNDLES))["spectrum"].classify(spectra[:8])
    assert verdicts.unknown_reason[:4] == ["BAD_DATA"] * 4
    assert found.names == ("4", "5", "6", "7")


@pytest.mark.slow
def test_spectra_that_lack_wavelengths_are_judged_as_before_where_whole_ones_alone_are_labelled(
    recalibration: Recalibration, scores: Scores, tmp_path: Path
) -> None:
    """Their rate of false unknown stays below what is declared, and their records say that it is nominal."""
    assert not scores.short.any()
    calibration = recalibration.calibrate(scores, RATE, 0.99)
    assert calibration.kept_coverage == "SHORT"
    old, kept = recalibration.calibration.short_coverage, calibration.short_coverage
    assert old is not None
    assert kept is not None
    assert kept.model_dump_json() == old.model_dump_json()
    write_recalibrated(recalibration.bundle, calibration, tmp_path / "mine")
    whole, labels = simulated(512, 37)
    known = [without_the_red(whole[row]) for row, label in enumerate(labels) if label.class_name is not None]
    before, after = (
        suites(load_engines([folder, BUNDLES[1]]))["spectrum"].classify(known)
        for folder in (BUNDLES[0], tmp_path / "mine")
    )
    np.testing.assert_array_equal(before.columns["unknown_p_value"], after.columns["unknown_p_value"])
    false_unknown = [reason in ("NOVEL", "OTHER_KNOWN") for reason in after.unknown_reason]
    assert np.isfinite(after.columns["unknown_p_value"]).all()
    assert np.mean(false_unknown) <= RATE
    assert after.nominal is not None
    assert after.nominal.tolist() == [[True, False]] * len(known)
    ungrouped = calibration.model_copy(update={"short_coverage": None, "kept_coverage": None})
    write_recalibrated(recalibration.bundle, ungrouped, tmp_path / "ungrouped")
    flagged = suites(load_engines([tmp_path / "ungrouped", BUNDLES[1]]))["spectrum"].classify(known).unknown
    assert flagged.mean() > RATE, "the test tells nothing where whole spectra's tables serve short ones as well"


def without_the_red(spectrum: Spectrum) -> Spectrum:
    """Return a spectrum of which the upper half is masked."""
    quality = np.zeros(spectrum.flux.size, np.int32) if spectrum.quality is None else spectrum.quality.copy()
    quality[quality.size // 2 :] = 1
    return replace(spectrum, quality=quality)


@pytest.mark.slow
def test_each_coverage_is_calibrated_as_in_training_where_both_are_labelled(
    recalibration: Recalibration, scores: Scores
) -> None:
    short = np.random.default_rng(3).random(len(scores.names)) < 0.4
    mixed, alpha, other_rate = replace(scores, short=short), 2 * RATE, RATE
    calibration = recalibration.calibrate(mixed, alpha, 0.99)
    names = [hashlib.sha256(name.encode()).digest() for name in mixed.names]
    order = np.array(sorted(range(len(names)), key=names.__getitem__))
    anomaly = load_engines([BUNDLES[1]])[0].bundle
    expected = spectral_calibration(
        "x", class_logits=mixed.class_logits[order], labels=mixed.label[order], energy=mixed.energy[order],
        p_other=mixed.p_other[order], anomaly=anomaly, anomaly_scores=mixed.anomaly_score[order], short=short[order],
        alpha=alpha, other_rate=other_rate, temperature=1.0,
    )  # fmt: skip
    assert calibration.kept_coverage is None
    tables = {"n", "novelty", "fused", "p_other_threshold", "short_coverage"}
    assert calibration.model_dump_json(include=tables) == expected.model_dump_json(include=tables)


@pytest.mark.slow
def test_the_rate_is_promised_to_the_surveys_that_were_labelled(recalibration: Recalibration, scores: Scores) -> None:
    surveys = tuple("SDSS" if row % 2 else "BOSS" for row in range(len(scores.names)))
    assert recalibration.calibrate(replace(scores, surveys=surveys), RATE, 0.99).surveys == ("BOSS", "SDSS")


def test_a_set_of_bundles_without_a_classifier_is_refused() -> None:
    with pytest.raises(BundleError, match="spectral_classifier"):
        Recalibration(load_engines([BUNDLES[1]]))
