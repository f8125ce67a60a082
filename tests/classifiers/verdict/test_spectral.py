"""Verdicts on spectra: which reason wins, what is published and what is absent, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from classifiers.bundle.calibration import Calibration, Fused, ShortCoverage
from classifiers.quality import Quality
from classifiers.verdict.answers import strongest_piece
from classifiers.verdict.calibrate import tail_table
from classifiers.verdict.spectral import spectral_verdicts
from tests.classifiers.verdict.answered import (
    DWARF,
    N_PIXEL,
    PARTNER,
    SKY,
    TABLE,
    anomaly,
    classifier,
    one,
    prepared,
    spectra,
)


@pytest.mark.parametrize(
    ("reason", "outputs", "batch", "fields"),
    [
        (None, {}, {}, {}),
        ("NOVEL", {"energy": 5.0}, {}, {}),
        ("OTHER_KNOWN", {**DWARF, "energy": 5.0}, {}, {}),
        ("OUT_OF_DOMAIN", {**DWARF, "energy": 5.0}, {"snr": 0.5}, {}),
        ("NO_SIGNAL", {**SKY, "energy": 5.0}, {"snr": 0.1}, {}),
        ("OUT_OF_DOMAIN", SKY, {"snr": 0.1, "coverage": 0.2}, {}),
        ("OUT_OF_DOMAIN", {}, {"snr": 901.0}, {}),
        ("OUT_OF_DOMAIN", {}, {}, {"resolving_power": 500.0}),
        ("OUT_OF_DOMAIN", {}, {}, {"resolving_power": 20_000.0}),
        ("OUT_OF_DOMAIN", {}, {}, {"sampling": "NARROWBAND"}),
        ("OUT_OF_DOMAIN", {}, {"coverage": 0.0, "snr": np.nan}, {}),
        (None, {}, {}, {"resolving_power": None}),
        ("BAD_DATA", {**SKY, "energy": np.nan}, {"snr": 0.1}, {}),
        ("BAD_DATA", {"redshift": np.inf}, {"coverage": 0.2}, {}),
    ],
)
def test_the_first_reason_that_holds_is_given(reason: str | None, outputs: Any, batch: Any, fields: Any) -> None:
    verdicts = one(classifier(1, **outputs), prepared(1, **batch), **fields)
    assert verdicts.unknown_reason == [reason]
    assert verdicts.unknown.tolist() == [reason is not None]
    assert verdicts.unknown_rate == 0.02


@pytest.mark.parametrize(
    ("sky", "logit", "odds", "flagged"),
    [
        (True, 0.0, {}, False),
        (True, 0.0, {"SKY": 9.0}, True),
        (True, -4.0, {"SKY": 9.0}, False),
        (False, 0.0, {"SKY": 9.0}, False),
        (False, 0.0, {"M": 9.0}, True),
        (False, 9.0, {"M": 0.0001}, False),
    ],
)
def test_the_odds_of_a_recognised_type_decide_beside_its_probability(
    sky: bool, logit: float, odds: dict[str, float], flagged: bool
) -> None:
    """p_other is published as it is: 0.25 where its logit is that of the three classes."""
    calibration = Calibration(id="c", n=1000, alpha=0.02, novelty=TABLE, p_other_threshold=0.6, other_odds=odds)
    types = [0.1, 0.9] if sky else [0.9, 0.1]
    answer = classifier(1, calibration, class_logits=[0.0, 0.0, 0.0, logit], other_type_probability=types)
    verdicts = one(answer)
    assert verdicts.unknown.tolist() == [flagged]
    assert verdicts.unknown_reason == [("NO_SIGNAL" if sky else "OTHER_KNOWN") if flagged else None]
    assert verdicts.columns["p_other"][0] == pytest.approx(np.exp(logit) / (3.0 + np.exp(logit)), rel=1e-5)


def test_spectra_that_lack_wavelengths_have_tables_and_a_threshold_of_their_own() -> None:
    part = ShortCoverage(n=1000, novelty=tail_table(np.arange(1000) / 1000 + 5.0))
    calibration = Calibration(id="c", n=1000, novelty=TABLE, p_other_threshold=0.6, short_coverage=part)
    batch = prepared(2)
    batch.coverage[1] = 0.5
    cases = ({"energy": 5.0}, ["NOVEL", None]), ({"energy": 7.0}, ["NOVEL"] * 2), (DWARF, ["OTHER_KNOWN", None])
    for outputs, reasons in cases:
        answers = {"spectral_classifier": classifier(2, calibration, **outputs)}
        assert spectral_verdicts(spectra(2), batch, answers).unknown_reason == reasons
    vae = replace(anomaly(2, score=5.5), calibration=calibration)
    p = spectral_verdicts(spectra(2), batch, {"anomaly": vae}).columns["anomaly_p_value"]
    assert p.tolist() == pytest.approx([0.001, 0.5], abs=0.01)
    # a classifier calibrated without groups was fused with p-values without groups: both rows are as novel
    plain = classifier(2, Calibration(id="c", n=1, novelty=TABLE, fused=Fused(partner=PARTNER, table=TABLE)))
    answers = {"spectral_classifier": plain, "anomaly": vae}
    p = spectral_verdicts(spectra(2), batch, answers).columns["unknown_p_value"]
    assert p[0] == p[1]


def test_a_spectrum_that_is_negative_beyond_its_errors_is_bad_data_and_no_discovery() -> None:
    strange = classifier(1, energy=5.0)
    assert one(strange, prepared(1, snr=-2.5)).unknown_reason == ["BAD_DATA"]
    assert one(strange, prepared(1, snr=-1.5)).unknown_reason == ["OUT_OF_DOMAIN"]  # its S/N is below the bundle's
    assert one(strange, prepared(1, snr=np.nan)).unknown_reason == ["NOVEL"]


def test_a_constant_spectrum_is_bad_data() -> None:
    batch = prepared(3)
    batch.flux[0] = 1.0
    batch.flux[1, ::2] = 0
    batch.inverse_variance[1, ::2] = 0
    batch.flux[1, 1::2] = -1.0
    verdicts = spectral_verdicts(spectra(3), batch, {"spectral_classifier": classifier(3)})
    assert verdicts.unknown_reason == ["BAD_DATA", "BAD_DATA", None]


def test_nothing_of_a_faulty_row_is_published_and_the_other_rows_stand() -> None:
    answer = classifier(3)
    answer.outputs["class_logits"][1] = np.nan
    verdicts = spectral_verdicts(spectra(3), prepared(3), {"spectral_classifier": answer, "anomaly": anomaly(3)})
    assert np.isnan(verdicts.class_probabilities[1]).all()
    assert verdicts.top_class.tolist() == [1, -1, 1]
    assert verdicts.quality_flags.tolist() == [0, Quality.NON_FINITE_OUTPUT, 0]
    assert verdicts.zwarn.tolist() == [0, -1, 0]
    absent = {name for name, values in verdicts.columns.items() if np.isnan(values[1]) and not np.isnan(values[0])}
    assert {"p_other", "entropy", "redshift", "redshift_error", "mutual_information"} <= absent
    assert verdicts.columns["anomaly_score"][1] == 0.5
    assert verdicts.alternative_class[1].tolist() == [-1, -1]


def test_entropies_are_of_the_published_probabilities_and_add_up() -> None:
    answer = classifier(1, Calibration(id="c", n=9, temperature=2.0), mutual_information=9.0)
    verdicts = one(answer)
    p = verdicts.class_probabilities[0]
    assert verdicts.columns["entropy"][0] == pytest.approx(-(p * np.log(p)).sum())
    assert verdicts.columns["mutual_information"][0] == verdicts.columns["entropy"][0]
    assert verdicts.columns["aleatoric_entropy"][0] == 0.0
    third = one(classifier(1, Calibration(id="c", n=9, temperature=2.0), mutual_information=0.3)).columns
    assert third["mutual_information"][0] == pytest.approx(third["entropy"][0] / 3.0)  # the graph's is 0.9
    assert third["aleatoric_entropy"][0] == pytest.approx(third["entropy"][0] * 2.0 / 3.0)


def test_quality_bits_say_where_the_domain_is_left() -> None:
    verdicts = one(classifier(1), prepared(1, snr=2.0, coverage=0.5), resolving_power=500.0)
    assert verdicts.quality_flags[0] == Quality.LOW_SNR | Quality.SHORT_COVERAGE | Quality.LOW_RESOLUTION


def test_other_type_is_named_where_p_other_is_above_its_threshold() -> None:
    assert one(classifier(1, **DWARF)).other_type == ["M"]
    assert one(classifier(1)).other_type == [None]
    assert one(classifier(1, Calibration(id="c", n=1), **DWARF)).unknown_reason == [None]


def test_alternatives_outside_the_scheme_are_taken_out() -> None:
    verdicts = one(classifier(1, alternative_class=[3, 2], alternative_redshift=[9.0, 0.4]))
    assert verdicts.alternative_class.tolist() == [[2, -1]]
    assert verdicts.alternative_redshift[0, 0] == pytest.approx(0.4)


def test_the_anomaly_names_the_wavelength_that_contributes_most() -> None:
    verdicts = spectral_verdicts(spectra(1), prepared(1), {"anomaly": anomaly(1)})
    assert verdicts.columns["anomaly_wavelength_angstrom"][0] == pytest.approx(10 ** (3.6 + 7e-3))
    assert verdicts.class_names == ()
    assert verdicts.columns["unknown_p_value"][0] == verdicts.columns["anomaly_p_value"][0] == pytest.approx(501 / 1001)


def test_pixels_that_share_a_contribution_are_named_by_their_middle() -> None:
    contribution = np.zeros((4, N_PIXEL), np.float32)
    contribution[0, 3:12], contribution[0, 12:15] = 5.0, 4.0
    contribution[1, 16:] = 5.0
    contribution[2, 0] = 1.0
    strongest, largest = strongest_piece(contribution)
    assert strongest.tolist() == [7, 17, 0, 9]
    assert largest.tolist() == [5.0, 5.0, 1.0, 0.0]


def test_two_moderate_surprises_together_are_novel_in_the_fused_score() -> None:
    rng = np.random.default_rng(1)
    fused = Fused(partner=PARTNER, table=tail_table(-2 * np.log(rng.random((2000, 2))).sum(axis=1)))
    calibration = Calibration(id="c", n=4000, novelty=TABLE, fused=fused)
    answers = {"spectral_classifier": classifier(1, calibration, energy=0.985), "anomaly": anomaly(1, 0.985)}
    assert spectral_verdicts(spectra(1), prepared(1), answers).unknown_reason == ["NOVEL"]
    del answers["anomaly"]
    assert spectral_verdicts(spectra(1), prepared(1), answers).unknown_reason == [None]


def test_an_anomaly_engine_that_fails_leaves_the_p_value_to_the_classifier() -> None:
    answers = {"spectral_classifier": classifier(1), "anomaly": anomaly(1, np.nan)}
    verdicts = spectral_verdicts(spectra(1), prepared(1), answers)
    assert verdicts.columns["unknown_p_value"][0] == pytest.approx(501 / 1001)
    assert np.isnan(verdicts.columns["anomaly_score"][0])
    assert verdicts.unknown_reason == ["BAD_DATA"]


def test_line_fluxes_are_in_the_unit_of_the_input() -> None:
    lines = one(classifier(1, lines=("HALPHA",))).lines
    assert lines is not None
    assert (lines.flux[0, 0], lines.flux_error[0, 0], lines.velocity_width[0, 0]) == (6.0, 6.0, 3.0)


def test_no_engines_give_only_what_preparation_tells() -> None:
    verdicts = spectral_verdicts(spectra(2), prepared(2), {})
    assert set(verdicts.columns) == {"snr", "coverage"}
    assert not verdicts.unknown.any()
