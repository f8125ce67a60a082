"""Redshift numbers of few objects, some without a redshift, and frames that a band of few does not set."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.training.evaluation.answers import Answers, Scored
from classifiers.training.evaluation.document import Number, Plot, Table
from classifiers.training.evaluation.headline import score
from classifiers.training.evaluation.redshifts import redshifts
from tests.classifiers.training.evaluation.answered import label, verdicts


def quasars(found: NDArray[np.float64]) -> Scored:
    """Return quasars of redshift 1, found at these, each with an error of 0.01."""
    labels = [label(row, "QSO_nan", 1.0) for row in range(found.size)]
    answers = verdicts(["QSO_nan"] * found.size, redshift=found, redshift_error=0.01)
    return Scored(labels, Answers.of([answers]))


def accuracy(scored: Scored) -> dict[str, Number]:
    (table,) = (item for item in redshifts({"real": scored}).items if item.title == "Accuracy")
    assert isinstance(table, Table)
    (row,) = (row for row in table.rows if row[0] == "QSO (real)")
    return {cell.name: cell for cell in row if isinstance(cell, Number)}


def test_one_missing_redshift_erases_no_number() -> None:
    whole = quasars(np.linspace(0.98, 1.02, 9))
    missing = quasars(np.append(np.linspace(0.98, 1.02, 9), np.nan))
    assert missing.with_redshift("QSO").size == 10
    numbers, expected = accuracy(missing), accuracy(whole)
    assert set(numbers) == {"NMAD", "bias", "QSO redshift pull width"}
    for name, number in numbers.items():
        assert (number.value, number.n) == (pytest.approx(expected[name].value), 9), name
        assert np.isfinite(number.value)
    interval = numbers["QSO redshift pull width"].interval
    assert interval is not None
    assert np.isfinite(interval).all()


def test_nor_does_it_erase_one_of_the_headline() -> None:
    scored = quasars(np.append(np.linspace(0.98, 1.02, 9), np.nan))
    numbers = {each.name: each for each in score(scored.labels, scored.answers, {}).numbers}
    for name in ("QSO redshift NMAD", "QSO redshift pull width"):
        assert np.isfinite(numbers[name].value), name
        assert numbers[name].n == 9, name


def test_the_band_of_a_few_galaxies_does_not_set_the_frame_of_catastrophic_failures() -> None:
    """Four galaxies, none a failure but with a band that goes beyond a half; two of a hundred quasars are failures."""
    labels = [label(row, "GALAXY_AGN", 0.1) for row in range(4)]
    labels += [label(row, "QSO_nan", 1.0) for row in range(4, 104)]
    names = ["GALAXY_AGN"] * 4 + ["QSO_nan"] * 100
    found = np.array([0.1] * 4 + [1.0] * 98 + [2.0] * 2)
    scored = Scored(labels, Answers.of([verdicts(names, redshift=found, redshift_error=0.01)]))
    title = "Catastrophic redshifts against completeness, real"
    (plot,) = (item for item in redshifts({"real": scored}).items if item.title == title)
    assert isinstance(plot, Plot)
    assert max(high for curve in plot.curves for high in curve.high) > 0.5
    assert plot.y_range is not None
    assert plot.y_range[0] == 0.0
    assert 0.02 < plot.y_range[1] < 0.1
    assert max(y for curve in plot.curves for y in curve.y) < plot.y_range[1]
