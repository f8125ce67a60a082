"""The section on a simulated 4MOST exposure: its samples, and that no measure of the headline is lost or told twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from classifiers.items import Spectrum
from classifiers.loaded import load_engines
from classifiers.suite import MODELS, suites
from classifiers.training.evaluation.answers import Answers, classified
from classifiers.training.evaluation.baselines import star_fit
from classifiers.training.evaluation.document import Matrix, Plot, Proportion, Section, Table
from classifiers.training.evaluation.fourmost import fourmost
from classifiers.training.evaluation.fourmost_exposure import FourmostExposure, observe
from classifiers.training.evaluation.headline import score

pytestmark = pytest.mark.slow
FIBRES = 160


@pytest.fixture(scope="module")
def exposure(data_dir: Path) -> FourmostExposure:
    engines = [MODELS / name for name in ("spectral-classifier", "spectral-anomaly", "qso-finder")]
    classifier = suites(load_engines(engines))["spectrum"]

    def classify(items: Sequence[Spectrum], stage: str) -> Answers:
        return classified(classifier, items, stage=stage)

    return observe(data_dir / "spectra", classify, FIBRES)


@pytest.fixture(scope="module")
def section(exposure: FourmostExposure, data_dir: Path) -> Section:
    fit = star_fit(exposure.scored, exposure.spectra, data_dir / "spectra")
    delivered = score(exposure.delivered.labels, exposure.delivered.answers, {})
    return fourmost(exposure, fit, {"others": delivered})


def rows(section: Section, title: str) -> dict[str, list[object]]:
    """Return the rows of a table by their first cell."""
    (table,) = [item for item in section.items if isinstance(item, Table) and item.title == title]
    return {str(row[0]): list(row[1:]) for row in table.rows}


def test_an_exposure_has_its_fibres_supernovae_pairs_and_further_objects_outside_the_scheme(
    exposure: FourmostExposure,
) -> None:
    assert len(exposure.spectra) == len(exposure.scored.labels) == exposure.scored.answers.top.size == FIBRES
    further = exposure.with_outside.labels[FIBRES:]
    assert {label.group for label in further} == {"OTHER", "SKY"}
    assert {label.survey for label in exposure.with_outside.labels} == {"4MOST_LRS"}
    sizes = {name: answers.top.size for name, answers in exposure.kinds.items()}
    assert sizes.pop("double redshifts (pairs of equal light)") > 0.3 * FIBRES
    assert sizes == {f"supernovae, S/N {snr}{where}": 104 for snr in (5, 10, 20) for where in ("", ", own pixels")}
    found = [np.count_nonzero(exposure.kinds[f"supernovae, S/N {snr}"].unknown) for snr in (5, 20)]
    assert 70 < found[0] <= found[1]


def test_answers_on_the_instruments_own_pixels_are_right(exposure: FourmostExposure) -> None:
    delivered = exposure.delivered
    bright = delivered.known[delivered.answers.column("snr")[delivered.known] > 4.0]
    assert delivered.right_group[bright].mean() > 0.95
    error = delivered.redshift_error[bright]
    assert (np.abs(error[np.isfinite(error)]) < 0.0033).mean() > 0.9


def test_every_measure_of_the_headline_stands_in_one_table(exposure: FourmostExposure, section: Section) -> None:
    report = score(exposure.with_outside.labels, exposure.with_outside.answers, {})
    wanted = {each.name for each in (*report.proportions, *report.numbers) if each.n}
    tables = [item for item in section.items if isinstance(item, Table) and item.columns[0] == "measure"]
    told = Counter(str(row[0]) for table in tables for row in table.rows)
    fits = {name for name in told if name.startswith("baseline: template fit")}
    assert set(told) - fits == wanted
    assert set(told.values()) == {1}
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert {item.title for item in section.items if isinstance(item, Plot | Matrix)} == {
        "13 classes, 4MOST LRS", "Reliability, 4MOST LRS", "Recall against S/N, 4MOST LRS",
        "Redshift success against S/N, 4MOST LRS", "Redshift pulls, 4MOST LRS", "Pulls of radial velocities",
    }  # fmt: skip


def test_the_template_fit_stands_below_the_classifier_on_as_many_stars(section: Section) -> None:
    types = rows(section, "Star types, 4MOST LRS")
    assert list(types) == [
        "star type, exact", "baseline: template fit: star type, exact",
        "star type, within one", "baseline: template fit: star type, within one",
    ]  # fmt: skip
    sizes = [row[0].n for row in types.values() if isinstance(row[0], Proportion)]
    assert len(sizes) == 4
    assert len(set(sizes)) == 1


def test_kinds_outside_the_scheme_are_counted_with_the_further_ones(
    exposure: FourmostExposure, section: Section
) -> None:
    sky = rows(section, "Unknown at the declared rate, 4MOST LRS")["unknown: blank sky"][0]
    by_reason = rows(section, "Detected at the declared rate, by kind")
    detected = by_reason["SKY (4MOST LRS)"][0]
    assert isinstance(sky, Proportion)
    assert isinstance(detected, Proportion)
    assert (sky.successes, sky.n) == (detected.successes, detected.n)
    assert sky.n == np.count_nonzero(exposure.with_outside.group == "SKY")
    assert "supernovae, S/N 10" in by_reason
