"""Scoring: counts worked by hand on a few labels, and the table's forms."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from classifiers.classifier import Verdicts
from classifiers.quality import Quality
from classifiers.training.evaluation.answers import Answers
from classifiers.training.evaluation.document import Number, Report
from classifiers.training.evaluation.headline import score
from classifiers.training.evaluation.real_spectra import RealLabel, real_spectra, star_class_by_type, unique_objects
from classifiers.training.simulation.scheme import CLASSES


def _label(row: int, group: str, name: str | None, redshift: float = 0.1, object_id: str = "") -> RealLabel:
    other = group if group in ("SKY",) else None
    return RealLabel(
        row, "SDSS", group, name, exact_type=True, other_type=other, redshift=redshift,
        object_id=object_id or f"object-{row}", snr=10.0,
    )  # fmt: skip


def _verdicts(names: list[str], redshifts: list[float], unknown: list[bool]) -> Verdicts:
    n = len(names)
    top = np.array([CLASSES.index(name) for name in names])
    probabilities = np.full((n, len(CLASSES)), 0.2 / (len(CLASSES) - 1))
    probabilities[np.arange(n), top] = 0.8
    columns = {"redshift": np.array(redshifts), "snr": np.full(n, 9.0), "p_qso": np.zeros(n)}
    columns["anomaly_p_value"] = np.linspace(0.0, 0.06, n) if n > 1 else np.full(n, np.nan)
    reasons = ["NOVEL" if flag else None for flag in unknown]
    none = np.zeros((n, 0))
    return Verdicts(
        "GaSNet-II", CLASSES, probabilities, top, columns, np.zeros(n, np.int64), [None] * n, np.array(unknown),
        reasons, 0.01, np.zeros(n, np.int64), none.astype(np.int64), none, none,
    )  # fmt: skip


def test_recalls_star_neighbours_redshifts_and_false_unknowns_are_counted() -> None:
    labels = [
        _label(0, "GALAXY", "GALAXY_AGN", 0.1),
        _label(1, "GALAXY", None, 0.2),
        _label(2, "STAR", "STAR_F5", 0.0),
        _label(3, "STAR", "STAR_K1", 0.0),
        _label(4, "QSO", "QSO_nan", 2.0, "twice"),
        _label(5, "QSO", "QSO_nan", 2.0, "twice"),
        _label(6, "SKY", None),
    ]
    names = ["GALAXY_AGN", "GALAXY_nan", "STAR_F9", "STAR_A0", "QSO_nan", "STAR_A0", "GALAXY_nan"]
    answers = Answers.of(
        [_verdicts(names, [0.1, 0.5, 0, 0, 2.001, 0, 0], [False, False, True, False, False, False, True])]
    )
    report = score(labels, answers, {"engine": "0"})
    counted = {entry.name: (entry.successes, entry.n) for entry in report.proportions}
    assert counted["GALAXY recall"] == (2, 2)
    assert counted["QSO recall"] == (1, 2)
    assert counted["STAR recall"] == (2, 2)
    assert counted["13 classes"] == (2, 5)
    assert counted["13 classes, each object once"] == (2, 4)
    assert counted["galaxy subclasses"] == (1, 1)
    assert counted["QSO recall, each object once"] == (1, 1)
    assert counted["class QSO_nan, each object once"] == (1, 1)
    assert counted["false unknown, known objects, each object once"] == (1, 5)
    assert "STAR recall, each object once" not in counted
    assert counted["star type, exact"] == (0, 2)
    assert counted["star type, within one"] == (1, 2)
    assert counted["GALAXY redshift within 0.01 (1+z)"] == (1, 2)
    assert counted["QSO redshift within 0.0033 (1+z)"] == (1, 1)
    assert counted["false unknown, known objects"] == (1, 6)
    assert counted["unknown: blank sky"] == (1, 1)
    assert report.confusion["STAR_F5"] == {"STAR_F9": 1}
    assert counted["VAE p <= 0.05, known objects"] == (6, 6)
    assert counted["VAE p <= 0.01, known objects"] == (2, 6)
    assert counted["second redshift, all spectra"] == (0, 7)


def test_the_bit_of_a_second_redshift_is_counted_among_all_and_a_missing_p_value_among_none() -> None:
    verdicts = _verdicts(["QSO_nan"], [2.0], [False])
    verdicts.quality_flags[:] = int(Quality.SECOND_REDSHIFT | Quality.GAPS)
    report = score([_label(0, "QSO", "QSO_nan")], Answers.of([verdicts]), {})
    second = report.proportion("second redshift, all spectra")
    assert (second.successes, second.n) == (1, 1)
    assert report.proportion("VAE p <= 0.05, known objects").n == 0


def test_pulls_count_epochs_and_objects() -> None:
    """Four epochs of one quasar are all one error off, two other quasars none and two errors."""
    labels = [_label(row, "QSO", "QSO_nan", 1.0, "twice") for row in range(4)]
    labels += [_label(4, "QSO", "QSO_nan", 1.0), _label(5, "QSO", "QSO_nan", 1.0)]
    verdicts = _verdicts(["QSO_nan"] * 6, [1.01] * 4 + [1.0, 1.02], [False] * 6)
    verdicts.columns["redshift_error"] = np.full(6, 0.01)
    numbers = {each.name: each for each in score(labels, Answers.of([verdicts]), {}).numbers}
    assert (numbers["QSO redshift pull width"].value, numbers["QSO redshift pull width"].n) == (0.0, 6)
    once = numbers["QSO redshift pull width, each object once"]
    assert (once.value, once.n) == (pytest.approx(1.4826), 3)


def test_the_report_says_the_same_as_json_and_as_markdown() -> None:
    report = score([_label(0, "QSO", "QSO_nan")], Answers.of([_verdicts(["QSO_nan"], [0.1], [False])]), {"e": "1"})
    document = json.loads(report.to_json())
    entry = next(item for item in document["proportions"] if item["name"] == "QSO recall")
    assert (entry["successes"], entry["n"], entry["value"]) == (1, 1, 1.0)
    assert "| QSO recall | 1/1 = 1.000 | 1 | 0.025 .. 1.000 |" in report.to_markdown()
    assert report.proportion("QSO recall").n == 1


def test_groups_are_as_sure_as_the_group_of_largest_probability_is_right() -> None:
    """The top class is one of galaxies, but quasars together are more probable, and it is one."""
    verdicts = _verdicts(["GALAXY_AGN"], [0.1], [False])
    verdicts.class_probabilities[:] = 0.0
    for name, probability in (("GALAXY_AGN", 0.4), ("QSO_nan", 0.3), ("QSO_BROADLINE", 0.3)):
        verdicts.class_probabilities[0, CLASSES.index(name)] = probability
    report = score([_label(0, "QSO", "QSO_nan")], Answers.of([verdicts]), {})
    error = next(each for each in report.numbers if each.name == "ECE of GALAXY, QSO, STAR")
    assert error.value == pytest.approx(0.4)


def test_verdicts_in_another_scheme_are_refused() -> None:
    with pytest.raises(ValueError, match="no verdicts"):
        Answers.of([])


def test_real_labels_count_epochs_of_one_quasar_once_and_sky_fibres_as_sky(data_dir: Path) -> None:
    spectra, labels = real_spectra(data_dir / "spectra")
    assert len(spectra) == len(labels) == 558
    assert sum(label.group == "SKY" for label in labels) == 76
    assert len(unique_objects(labels)) < 500
    assert max(Counter(label.object_id for label in labels).values()) == 78  # epochs of one quasar, of SDSS and BOSS
    assert {label.class_name for label in labels} <= {None, *CLASSES}


def test_mk_types_map_to_templates_in_order_of_temperature(data_dir: Path) -> None:
    mapped = star_class_by_type(data_dir / "spectra")
    assert (mapped["A5"], mapped["F6"], mapped["G8"], mapped["K5"]) == ("A0", "F5", "G2", "K5")


def test_the_table_shows_the_interval_of_a_number_that_has_one() -> None:
    numbers = [Number("error", 0.0621, 427, (0.0436, 0.112)), Number("scatter", 1.35e-4, 173)]
    table = Report("title", {}, [], numbers, {}).to_markdown()
    assert "| error | 0.0621 | 427 | 0.0436 .. 0.112 |" in table
    assert "| scatter | 0.000135 | 173 |  |" in table
