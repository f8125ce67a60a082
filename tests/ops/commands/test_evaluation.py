"""``evaluate`` on the real spectra and alerts: the page and its numbers, and that every number has a size behind it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from typer.testing import CliRunner

import ops.commands.evaluate
from classifiers.bundle.folder import load_bundle
from classifiers.loaded import load_engines
from classifiers.suite import MODELS, default_bundles, suites
from classifiers.training.evaluation.document import Example, Matrix, Number, Plot, Proportion, Report, Table
from classifiers.training.evaluation.evaluate import evaluate
from classifiers.training.evaluation.other_samples import HELD_OUT_SEED
from classifiers.training.stamps.evaluate import TITLE as IMAGES
from ops.command_line import app
from ops.report_page import page

pytestmark = pytest.mark.slow
SPECTRAL = ("spectral-classifier", "spectral-anomaly", "qso-finder")


class Evaluated(NamedTuple):
    """The report as the page was given it, the folder that was written, and what the terminal showed."""

    report: Report
    folder: Path
    shown: str


@pytest.fixture(scope="module")
def evaluated(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """Run the command once, for minutes, and keep the report that the page is made of."""
    folder, reports = tmp_path_factory.mktemp("evaluation") / "report", []

    def keeping(report: Report, *more: Any) -> str:
        reports.append(report)
        return page(report, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ops.commands.evaluate, "page", keeping)
        words = ["evaluate", "--data", str(data_dir), "--output", str(folder), "--simulations", "256"]
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    (report,) = reports
    return Evaluated(report, folder, done.output)


@pytest.fixture(scope="module")
def report(evaluated: Evaluated) -> Report:
    return evaluated.report


def section(report: Report, title: str) -> dict[str, Any]:
    """Return the items of a section by their titles."""
    (found,) = [each for each in report.sections if each.title == title]
    return {item.title: item for item in found.items}


def cells(table: Table, row: str) -> list[Any]:
    """Return the cells of a row by its first one."""
    (found,) = [each for each in table.rows if each[0] == row]
    return list(found)


def test_the_report_has_what_a_scientist_looks_for(report: Report) -> None:
    titles = [each.title for each in report.sections]
    assert titles == [
        "Beside classical methods", "Classes", "Redshifts", "Exposures against coadds", "Unknown",
        "What doubt is worth", "Quasar finder", "Priors of sub-surveys", "DESI coadds", "Simulated 4MOST exposure",
        "Bad input", "Leave one survey out", "Simulated beside real", "The worst errors", "Map",
        "J-PAS pseudo-spectra", IMAGES,
    ]  # fmt: skip
    assert {"13 classes, real", "13 classes, simulated", "Reliability, real"} <= section(report, "Classes").keys()
    for kind in ("Supernovae", "Tidal disruption events (made up)"):
        assert f"{kind} in the light of real galaxies" in section(report, "Unknown")
    areas = section(report, "What doubt is worth")["Areas under the curve"]
    assert 0.6 < cells(areas, "wrong classes, real")[1].value < 1.0
    for item in section(report, "The worst errors").values():
        assert isinstance(item, Example)
        seen = np.isfinite(item.flux)
        assert np.isfinite(item.reconstruction)[seen].all()
        middle = np.median(np.array(item.reconstruction)[seen]) / np.median(np.array(item.flux)[seen])
        assert 0.3 < middle < 3.0, item.title
    kinds = [row[0] for row in section(report, "Unknown")["Detected at the declared rate, by kind"].rows]
    assert {"broad absorption (simulated quasars)", "double redshifts (real pairs)"} <= set(kinds)
    assert "tidal disruption events (made up), S/N 10" in kinds
    exposure = section(report, "Simulated 4MOST exposure")
    measures = {row[0]: row for item in exposure.values() if isinstance(item, Table) for row in item.rows}
    assert {
        "QSO recall", "balanced recall of 13 classes", "baseline: template fit: star type, exact", "unknown: blank sky",
        "QSO redshift pull width", "STAR radial velocity pull width", "supernovae, S/N 10",
    } <= measures.keys()  # fmt: skip
    assert measures["13 classes"][-1] == report.proportion("13 classes")
    assert exposure["Detected at the declared rate, by kind"].columns[0] == "kind"
    thresholds = [row[:2] for row in section(report, "Quasar finder")["Quasars above the threshold"].rows]
    assert thresholds == [[name, z] for name in ("real", "simulated") for z in ("z >= 2.1", "z >= 2.2")]
    assert "4most-crs-like, 13 classes, real" in section(report, "Priors of sub-surveys")
    for each in report.sections:
        names = [item.title for item in each.items]
        assert len(names) == len(set(names)), each.title
    damaged = section(report, "Bad input")["Real known spectra, damaged"]
    assert len(damaged.rows) == 18
    for row in damaged.rows:
        found = dict(zip(damaged.columns, row, strict=True))
        assert found["not finite"].successes == 0, row
        assert found["confident errors"].value <= 0.03, row
        assert found["confident errors of the 13 classes"].value <= 0.06, row
    air = dict(zip(damaged.columns, cells(damaged, "air called vacuum"), strict=True))
    assert -88.0 < air["shift of stars' velocities [km/s]"].value < -80.0


def test_the_page_the_table_and_the_numbers_are_those_of_the_report(evaluated: Evaluated) -> None:
    """The table on the terminal, the page with its pictures inside, the same numbers as JSON."""
    folder = evaluated.folder
    assert "| 13 classes |" in evaluated.shown
    assert (folder / "report.md").read_text(encoding="utf-8") in evaluated.shown + "\n"
    page_text = (folder / "report.html").read_text(encoding="utf-8")
    assert page_text.count("data:image/png;base64,") > 20
    entry = evaluated.report.proportion("13 classes")
    assert f"{entry.successes}/{entry.n} = " in page_text
    assert (folder / "report.json").read_text(encoding="utf-8") == evaluated.report.to_json() + "\n"
    shipped = {bundle.manifest.name: bundle for bundle in map(load_bundle, default_bundles())}
    assert evaluated.report.engines == {name: bundle.sha256 for name, bundle in shipped.items()}


def test_the_report_says_what_it_is_of(report: Report) -> None:
    tables = {table.title: table for table in report.ran}
    shipped = {bundle.manifest.name: bundle.manifest.version for bundle in map(load_bundle, default_bundles())}
    assert {row[0]: row[1] for row in tables["Bundles"].rows} == shipped
    assert all(row[3] and row[4] == "fp32" and row[5] for row in tables["Bundles"].rows)
    assert {row[0]: row[1] for row in tables["Packages"].rows}["numpy"] == np.__version__
    assert cells(tables["Simulated samples"], "spectra of all instruments")[1:] == [256, HELD_OUT_SEED]
    assert {"spectra/real_spectra.npz", "alerts, digests and names of all files"} <= {
        row[0] for row in tables["Real data"].rows
    }


def test_the_map_keeps_neighbours_better_than_chance_would(report: Report) -> None:
    (found,) = [each for each in report.sections if each.title == "Map"]
    table, *pictures = found.items
    assert isinstance(table, Table)
    drawn = [len(curve.x) for plot in pictures if isinstance(plot, Plot) for curve in plot.curves]
    assert 1000 < sum(drawn) <= 2000
    assert [row[:2] for row in table.rows] == [
        [sample, shown] for sample in ("simulated", "real") for shown in ("map", "principal plane")
    ]
    for row in table.rows:
        for cell in row[2:]:
            assert isinstance(cell, Number)
            assert 0.85 < cell.value <= 1
            assert cell.n > 300


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


def test_the_baselines_stand_in_the_same_table(report: Report) -> None:
    assert report.proportion("baseline: template fit: star type, exact").value > 0.6
    assert report.proportion("baseline: eigenspectra: QSO redshift within 0.01 (1+z)").value > 0.9
    assert report.proportion("baseline: most common class (QSO_BROADLINE): 13 classes").n == 427
    beside = section(report, "Beside classical methods")["Beside classical methods"]
    for row in beside.rows:
        assert any(isinstance(cell, Proportion | Number) for cell in row[2:]), row
    assert cells(beside, "star type, exact")[2] == report.proportion("baseline: template fit: star type, exact")
    assert cells(beside, "QSO recall")[3] == report.proportion("baseline: eigenspectra: QSO recall (no stars offered)")


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


def test_the_headline_alone_is_the_same(report: Report, data_dir: Path) -> None:
    alone = evaluate(suites(load_engines([MODELS / name for name in SPECTRAL]))["spectrum"], data_dir / "spectra")
    assert alone.sections == ()
    assert list(alone.proportions) == [each for each in report.proportions if not each.name.startswith("baseline")]
