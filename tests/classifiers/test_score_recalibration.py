"""Recalibration of bundles with one score: pseudo-spectra, by coverage, and stamps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classifiers.bundle.calibration import Calibration
from classifiers.bundle.errors import BundleError
from classifiers.items import Spectrum, Stamps
from classifiers.loaded import load_engines
from classifiers.recalibration import TooFewLabels, write_recalibrated
from classifiers.score_recalibration import NoveltyScores, ScoreRecalibration
from classifiers.suite import open_suites
from classifiers.verdict.calibrate import score_calibration, tail_table
from tests.classifiers.narrowband.test_suite import BANDS, spectrum

WriteTiny = Callable[..., Path]
RATE = 0.05
NEEDED = 90
DOMAIN = {"min_coverage": 0.5, "full_coverage": 0.75, "samplings": ("NARROWBAND",)}


def pseudo_spectra(whole: int, short: int, seed: int, survey: str = "J-PAS") -> list[Spectrum]:
    """Return spectra in all bands, then some that lack two of six."""
    widths = [BANDS] * whole + [BANDS - 2] * short
    return [spectrum(seed * 10_000 + row, n, survey=survey) for row, n in enumerate(widths)]


def scored(recalibration: ScoreRecalibration, items: list[Spectrum]) -> NoveltyScores:
    return recalibration.score([f"l1-{row}" for row in range(len(items))], items, np.zeros(len(items), np.int64))


@pytest.fixture
def recalibration(write_tiny: WriteTiny) -> ScoreRecalibration:
    """Return that of a bundle calibrated on scores that are nothing like those of any spectrum."""
    old = score_calibration(
        "old", np.arange(1000.0) - 2000.0, temperature=0.75, redshift_error_factor=0.5, confidence=0.99
    )
    return ScoreRecalibration(load_engines([write_tiny("narrowband", old, domain=DOMAIN)]), "narrowband")


def test_the_rate_holds_in_each_coverage_and_what_is_not_about_novelty_stays(
    recalibration: ScoreRecalibration, tmp_path: Path
) -> None:
    found = scored(recalibration, pseudo_spectra(1000, 600, 1))
    assert found.flagged.all()
    calibration = recalibration.calibrate(found, RATE, 0.99, "mine")
    assert (calibration.id, calibration.domain, calibration.surveys) == ("mine", "SURVEY", ("J-PAS",))
    assert (calibration.alpha, calibration.novel_rate, calibration.other_rate) == (RATE, RATE, 0.0)
    assert (calibration.temperature, calibration.redshift_error_factor) == (0.75, 0.5)
    assert (calibration.n, calibration.short_coverage and calibration.short_coverage.n) == (1000, 600)
    assert calibration.kept_coverage is None
    write_recalibrated(recalibration.bundle, calibration, tmp_path / "mine")
    lane = open_suites([tmp_path / "mine"])["narrowband"]
    for whole, short in ((2000, 0), (0, 2000)):
        assert 0 < lane.classify(pseudo_spectra(whole, short, 2)).unknown.mean() <= RATE


@pytest.mark.parametrize(("whole", "short", "kept"), [(NEEDED, NEEDED - 1, "SHORT"), (NEEDED - 1, NEEDED, "WHOLE")])
def test_a_coverage_of_which_too_few_are_labelled_keeps_its_tables(
    recalibration: ScoreRecalibration, whole: int, short: int, kept: str
) -> None:
    """A bundle that did not tell them apart judged both by one table."""
    old, found = recalibration.calibration, scored(recalibration, pseudo_spectra(whole, short, 3))
    calibration = recalibration.calibrate(found, RATE, 0.99)
    part = calibration.short_coverage
    assert part is not None
    assert calibration.kept_coverage == kept
    old_tables, new = (part, calibration) if kept == "SHORT" else (calibration, part)
    assert (old_tables.novelty, old_tables.n) == (old.novelty, old.n)
    assert new.novelty == tail_table(found.score[found.short == (kept == "WHOLE")])


def test_too_few_labels_are_refused_with_the_number_that_is_needed(recalibration: ScoreRecalibration) -> None:
    found = scored(recalibration, pseudo_spectra(NEEDED - 1, NEEDED - 1, 4))
    with pytest.raises(TooFewLabels, match=r"at least 90 .* received 89 and 89 that lack wavelengths") as refused:
        recalibration.calibrate(found, RATE, 0.99)
    assert (refused.value.needed, refused.value.got, refused.value.short) == (NEEDED, NEEDED - 1, NEEDED - 1)
    with pytest.raises(TooFewLabels, match="at least 459 labelled"):
        recalibration.calibrate(found, 0.01, 0.99)


def test_what_the_flag_stops_before_novelty_has_no_part(recalibration: ScoreRecalibration) -> None:
    """Constant, beyond the domain, or NaN; each is counted."""
    items = pseudo_spectra(20, 4, 5)
    items[0].flux[:] = 2.0
    items[1].uncertainty[2:] = 0.0
    items[2].flux[:] = np.nan
    found = scored(recalibration, items)
    assert (found.outside, found.names) == (3, tuple(f"l1-{row}" for row in range(3, 24)))
    assert found.short.tolist() == [False] * 17 + [True] * 4


def test_batches_join_to_the_same_calibration(recalibration: ScoreRecalibration) -> None:
    items = pseudo_spectra(200, 100, 6)
    whole = scored(recalibration, items)
    names, label = [f"l1-{row}" for row in range(300)], np.zeros(300, np.int64)
    parts = [
        recalibration.score(names[start:stop], items[start:stop], label[start:stop])
        for start, stop in ((150, 300), (0, 150))
    ]
    one, other = (recalibration.calibrate(each, RATE, 0.99) for each in (whole, NoveltyScores.joined(parts)))
    assert one == other


def test_stamps_are_recalibrated_without_coverages(write_tiny: WriteTiny, tmp_path: Path) -> None:
    """An alert without a difference image has no part."""
    fields = {"class_scheme": "S", "domain": {"min_coverage": 0.05, "full_coverage": 0.0}}
    folder = write_tiny("image_anomaly", Calibration(id="old", n=100, novelty=tail_table(np.arange(100.0))), **fields)
    rng = np.random.default_rng(1)
    cutouts = rng.normal(100.0, 10.0, (NEEDED + 1, 3, 63, 63)).astype(np.float32)
    items = [Stamps(*stamps, survey="ZTF", flags=0) for stamps in cutouts]
    items.append(Stamps(cutouts[0, 0], cutouts[0, 1], None, survey="ZTF", flags=0))
    recalibration = ScoreRecalibration(load_engines([folder]), "image_anomaly")
    names, label = [str(row) for row in range(len(items))], np.zeros(len(items), np.int64)
    found = recalibration.score(names, items, label)
    assert (len(found.names), found.outside) == (NEEDED + 1, 1)
    calibration = recalibration.calibrate(found, RATE, 0.99)
    assert (calibration.n, calibration.surveys, calibration.short_coverage) == (NEEDED + 1, ("ZTF",), None)
    assert calibration.kept_coverage is None
    write_recalibrated(recalibration.bundle, calibration, tmp_path / "mine")
    assert load_engines([tmp_path / "mine"])[0].use().calibration_domain == "SURVEY"


def test_a_set_of_bundles_without_the_role_is_refused(write_tiny: WriteTiny) -> None:
    with pytest.raises(BundleError, match="a bundle of role image_anomaly"):
        ScoreRecalibration(load_engines([write_tiny("narrowband")]), "image_anomaly")
