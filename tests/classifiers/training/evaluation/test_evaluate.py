"""The whole evaluation on the real spectra: every section has its items, and every number a size behind it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from classifiers.loaded import load_engines
from classifiers.suite import MODELS, suites
from classifiers.training.evaluation.document import Example, Matrix, Plot, Proportion, Report, Table
from classifiers.training.evaluation.evaluate import anomaly_engine, evaluate, evaluate_fully

SPECTRAL = ("spectral-classifier", "spectral-anomaly", "qso-finder")


@pytest.fixture(scope="module")
def report(data_dir: Path) -> Report:
    engines = load_engines([MODELS / name for name in SPECTRAL])
    return evaluate_fully(suites(engines)["spectrum"], data_dir / "spectra", anomaly_engine(engines), simulations=256)


def section(report: Report, title: str) -> dict[str, Any]:
    """Return the items of a section by their titles."""
    (found,) = [each for each in report.sections if each.title == title]
    return {item.title: item for item in found.items}


def cells(table: Table, row: str) -> list[Any]:
    """Return the cells of a row by its first one."""
    (found,) = [each for each in table.rows if each[0] == row]
    return list(found)


@pytest.mark.slow
def test_the_report_has_what_a_scientist_looks_for(report: Report) -> None:
    titles = [each.title for each in report.sections]
    assert titles == [
        "Classes", "Redshifts", "Unknown", "Priors of sub-surveys", "DESI coadds", "Bad input", "Simulated beside real",
        "The worst errors",
    ]  # fmt: skip
    assert {"13 classes, real", "13 classes, simulated", "Reliability, real"} <= section(report, "Classes").keys()
    assert "Supernovae in the light of real galaxies" in section(report, "Unknown")
    assert all(isinstance(item, Example) for item in section(report, "The worst errors").values())
    damaged = section(report, "Bad input")["Real known spectra, damaged"]
    assert len(damaged.rows) == 16
    for row in damaged.rows:
        assert row[-1].successes == 0, row


@pytest.mark.slow
def test_sections_agree_with_the_headline(report: Report) -> None:
    matrix = section(report, "Classes")["13 classes, real"]
    right = sum(matrix.counts[index][index] for index in range(13))
    assert (right, sum(map(sum, matrix.counts))) == (
        report.proportion("13 classes").successes,
        report.proportion("13 classes").n,
    )
    false = cells(section(report, "Unknown")["False unknown, by reason"], "real")
    assert false[1].successes == report.proportion("false unknown, known objects").successes
    accuracy = cells(section(report, "Redshifts")["Accuracy"], "QSO (real)")
    assert accuracy[2].successes == report.proportion("QSO redshift within 0.0033 (1+z)").successes


@pytest.mark.slow
def test_the_baselines_stand_in_the_same_table(report: Report) -> None:
    assert report.proportion("baseline: template fit: star type, exact").value > 0.6
    assert report.proportion("baseline: eigenspectra: QSO redshift within 0.01 (1+z)").value > 0.9
    assert report.proportion("baseline: most common class (QSO_BROADLINE): 13 classes").n == 427


@pytest.mark.slow
def test_json_holds_the_same_numbers_each_with_its_size_and_interval(report: Report) -> None:
    document = json.loads(report.to_json())
    assert [each["title"] for each in document["sections"]] == [each.title for each in report.sections]
    counted = 0
    for theirs, ours in zip(document["sections"], report.sections, strict=True):
        for there, item in zip(theirs["items"], ours.items, strict=True):
            if isinstance(item, Table):
                for cells_there, row in zip(there["rows"], item.rows, strict=True):
                    for found, cell in zip(cells_there, row, strict=True):
                        if isinstance(cell, Proportion):
                            counted += 1
                            assert (found["successes"], found["n"]) == (cell.successes, cell.n)
                            assert found["interval_95"] == pytest.approx(cell.interval, rel=1e-4)
            elif isinstance(item, Plot):
                assert all(len(curve.x) == len(curve.y) for curve in item.curves)
                assert all(math.isfinite(value) for curve in item.curves for value in (*curve.x, *curve.y))
            elif isinstance(item, Matrix):
                assert there["counts"] == [list(row) for row in item.counts]
    assert counted > 150


@pytest.mark.slow
def test_the_headline_alone_is_the_same(report: Report, data_dir: Path) -> None:
    alone = evaluate(suites(load_engines([MODELS / name for name in SPECTRAL]))["spectrum"], data_dir / "spectra")
    assert alone.sections == ()
    assert list(alone.proportions) == [each for each in report.proportions if not each.name.startswith("baseline")]
