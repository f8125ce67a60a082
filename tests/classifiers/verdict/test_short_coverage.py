"""Spectra that lack wavelengths are judged among their like, so that whole spectra get the declared rate."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration, Fused, Partner, ShortCoverage
from classifiers.bundle.folder import load_bundle
from classifiers.quality import Quality
from classifiers.suite import MODELS
from classifiers.verdict.answers import Answer, AnsweredRows
from classifiers.verdict.calibrate import score_calibration, spectral_calibration, tail_table
from classifiers.verdict.conformal import p_values, smallest_sample
from classifiers.verdict.novelty import judged_by_coverage, novelty
from classifiers.verdict.probabilities import with_other
from classifiers.verdict.unknown import DomainCheck

ALPHA, OTHER = 0.02, 0.01
Flags = NDArray[np.bool_]


def known(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32], Flags]:
    """Return logits, energies and which objects lack wavelengths: these have higher energies and more of OTHER."""
    rng = np.random.default_rng(seed)
    short = rng.random(n) < 0.3
    energy = rng.standard_normal(n) + 4.0 * short
    logits = rng.standard_normal((n, 4))
    logits[:, 3] += 3.0 * short - 3.0
    return logits.astype(np.float32), energy.astype(np.float32), short


def calibrated(n: int, grouped: bool) -> Calibration:
    logits, energy, short = known(n, 1)
    labels = np.random.default_rng(2).integers(0, 3, n)
    return spectral_calibration(
        "c", class_logits=logits, labels=labels, energy=energy, short=short if grouped else None,
        alpha=ALPHA, other_rate=OTHER, temperature=1.0,
    )  # fmt: skip


def rates(calibration: Calibration, of: bool) -> tuple[float, float]:
    """Return the rates of NOVEL and OTHER_KNOWN among fresh objects that do or do not lack wavelengths."""
    logits, energy, short = known(200_000, 3)
    part = calibration.short_coverage
    assert calibration.novelty is not None
    own = None if part is None else part.novelty
    found = judged_by_coverage(calibration.novelty, own, energy.astype(np.float64), short, calibration)
    limits = calibration if part is None or not of else part
    assert limits.p_other_threshold is not None
    other = with_other(logits, 1.0).other > limits.p_other_threshold
    return float(found.novel[short == of].mean()), float(other[short == of].mean())


@pytest.mark.parametrize("of", [False, True])
def test_the_rates_hold_and_are_used_in_each_group(of: bool) -> None:
    for rate in rates(calibrated(60_000, grouped=True), of):
        assert 0.006 < rate < 0.0105


def test_without_groups_whole_spectra_are_hardly_ever_flagged() -> None:
    calibration = calibrated(60_000, grouped=False)
    assert calibration.short_coverage is None
    assert max(rates(calibration, of=False)) < 0.001


def test_a_group_too_small_for_the_rate_is_never_flagged() -> None:
    calibration = calibrated(2600, grouped=True)
    part = calibration.short_coverage
    assert part is not None
    assert part.n // 2 < smallest_sample(ALPHA - OTHER)
    _, energy, short = known(20_000, 3)
    assert calibration.novelty is not None
    found = judged_by_coverage(calibration.novelty, part.novelty, energy.astype(np.float64), short, calibration)
    assert not found.novel[short].any()
    assert found.novel[~short].any()


def test_short_spectra_without_a_fused_table_are_judged_by_the_energy_alone() -> None:
    """Whole ones are judged by the fused score, which among short ones has no rate that is known."""
    rng = np.random.default_rng(4)
    tables = [tail_table(rng.standard_normal(2000)) for _ in range(3)]
    partner = Partner(name="vae", version="1", bundle_sha256="a" * 64)
    lead = Calibration(
        id="c", n=2000, novelty=tables[0], fused=Fused(partner=partner, table=tail_table(rng.gamma(2.0, 2.0, 2000))),
        short_coverage=ShortCoverage(n=2000, novelty=tables[1]),
    )  # fmt: skip
    vae = Calibration(id="v", n=2000, novelty=tables[2], short_coverage=ShortCoverage(n=2000, novelty=tables[2]))
    manifest = load_bundle(MODELS / "spectral-anomaly").manifest
    energy, score = np.array([0.5, 0.5, 9.0], np.float32), np.array([9.0, 9.0, 0.0], np.float32)
    answers = {
        "spectral_classifier": Answer(manifest, lead, {"energy": energy}),
        "anomaly": Answer(manifest, vae, {"score": score}),
    }
    nothing, short = np.zeros(3, np.bool_), np.array([False, True, True])
    domain = DomainCheck(nothing, nothing, nothing, short * int(Quality.SHORT_COVERAGE))
    found = novelty(answers, dict.fromkeys(answers, AnsweredRows(domain, nothing, nothing)), 3)
    np.testing.assert_array_equal(found.p_value[short], p_values(tables[1], energy[short].astype(np.float64)))
    assert found.p_value[0] < 0.02 < found.p_value[1]
    assert found.novel.tolist() == [True, False, True]


def test_scores_of_an_anomaly_engine_get_a_table_for_each_group() -> None:
    scores = np.arange(100.0)
    calibration = score_calibration("a", scores, scores >= 80)
    assert isinstance(calibration.short_coverage, ShortCoverage)
    assert (calibration.n, calibration.short_coverage.n) == (80, 20)
    assert calibration.short_coverage.novelty.scores[0] == 80.0
    assert score_calibration("a", scores, np.zeros(100, np.bool_)).short_coverage is None
