"""P-values of known objects: counted by group, each object once, and drawn beside what uniform ones would be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from classifiers.training.evaluation.answers import Answers, Scored
from classifiers.training.evaluation.document import Plot, Proportion, Table
from classifiers.training.evaluation.p_values import p_values
from tests.classifiers.training.evaluation.answered import label, verdicts


def sample() -> Scored:
    """Return a galaxy, a quasar seen three times, two stars, and blank sky."""
    labels = [label(0, "GALAXY_AGN"), *(replace(label(row, "QSO_nan"), object_id="often") for row in (1, 2, 3))]
    labels += [label(4, "STAR_A0"), label(5, "STAR_K5")]
    labels.append(replace(label(6, "STAR_A0"), group="SKY", class_name=None, other_type="SKY"))
    names = [each.class_name or "STAR_A0" for each in labels]
    novelty = [0.5, 0.04, 0.001, 0.001, 0.01, np.nan, 0.001]
    anomaly = [0.009, 0.5, 0.001, 0.001, 0.05, 0.2, 0.001]
    return Scored(labels, Answers.of([verdicts(names, unknown_p_value=novelty, anomaly_p_value=anomaly)]))


def items() -> tuple[Table, Plot]:
    table, plot = p_values({"real": sample(), "simulated": sample().first(2)})
    assert isinstance(table, Table)
    assert isinstance(plot, Plot)
    return table, plot


def test_small_p_values_are_counted_by_group_of_each_object_once() -> None:
    table, _ = items()
    assert list(table.columns) == [
        "known objects", "novelty p <= 0.01", "novelty p <= 0.05", "VAE p <= 0.01", "VAE p <= 0.05",
    ]  # fmt: skip
    counted = {
        str(row[0]): [(cell.successes, cell.n) for cell in row[1:] if isinstance(cell, Proportion)]
        for row in table.rows
    }
    assert counted == {
        "all (real, each object once)": [(1, 3), (2, 3), (1, 4), (2, 4)],
        "GALAXY (real, each object once)": [(0, 1), (0, 1), (1, 1), (1, 1)],
        "QSO (real, each object once)": [(0, 1), (1, 1), (0, 1), (0, 1)],
        "STAR (real, each object once)": [(1, 1), (1, 1), (0, 2), (1, 2)],
        "all (simulated)": [(0, 2), (1, 2), (1, 2), (1, 2)],
        "GALAXY (simulated)": [(0, 1), (0, 1), (1, 1), (1, 1)],
        "QSO (simulated)": [(0, 1), (1, 1), (0, 1), (0, 1)],
        "STAR (simulated)": [(0, 0), (0, 0), (0, 0), (0, 0)],
    }


def test_the_picture_is_the_distribution_beside_the_diagonal_on_logarithmic_axes() -> None:
    _, plot = items()
    assert (plot.x_log, plot.y_log, plot.diagonal) == (True, True, True)
    assert [curve.name for curve in plot.curves] == [
        "novelty, real, each object once", "VAE, real, each object once", "novelty, simulated", "VAE, simulated",
    ]  # fmt: skip
    for curve in plot.curves:
        assert (np.diff(curve.y) >= 0).all()
        assert curve.y[-1] == 1.0
        assert all(low <= y <= high for low, y, high in zip(curve.low, curve.y, curve.high, strict=True))
    novelty = plot.curves[0]
    assert novelty.y[0] == 0.0
    assert np.interp(0.03, novelty.x, novelty.y) == np.float64(1 / 3)
    assert set(novelty.n) == {3}


def test_a_sample_without_an_anomaly_bundle_has_no_curve_of_it() -> None:
    scored = Scored([label(0, "QSO_nan")], Answers.of([verdicts(["QSO_nan"], unknown_p_value=0.3)]))
    _, plot = p_values({"real": scored})
    assert isinstance(plot, Plot)
    assert [curve.name for curve in plot.curves] == ["novelty, real"]
