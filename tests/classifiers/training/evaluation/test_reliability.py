"""Calibration errors worked by hand, and what probabilities promise against samples drawn from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.training.evaluation.answers import Answers, Scored
from classifiers.training.evaluation.document import Number
from classifiers.training.evaluation.reliability import (
    PROMISED,
    balanced_recall,
    calibration_error,
    promised,
    reliability,
)
from tests.classifiers.training.evaluation.answered import label, verdicts

N, CLASSES = 400, 5


def probabilities(rng: np.random.Generator, n: int = N) -> NDArray[np.float64]:
    return rng.dirichlet(np.full(CLASSES, 0.4), n)


def each_its_own(values: NDArray[np.float64], seed: int = 0) -> list[Number]:
    names = [str(row) for row in range(len(values))]
    return promised(values, names, np.ones(len(values), np.bool_), np.random.default_rng(seed))


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.9])
    assert calibration_error(confidence, np.array([True, True, False, False])) == pytest.approx(0.4)
    assert calibration_error(np.array([1.0, 1.0]), np.array([True, True])) == pytest.approx(0.0)


def test_balanced_recall_weighs_classes_alike() -> None:
    truth, right = np.array(["a", "a", "a", "b"]), np.array([True, True, False, False])
    assert balanced_recall(truth, right) == pytest.approx(1.0 / 3.0)


def test_samples_drawn_from_the_probabilities_measure_what_these_promise() -> None:
    rng = np.random.default_rng(1)
    inside = np.zeros(3)
    for trial in range(60):
        values = probabilities(rng)
        label = (rng.random((N, 1)) >= values.cumsum(axis=1)[:, :-1]).sum(axis=1)
        right = label == values.argmax(axis=1)
        measured = calibration_error(values.max(axis=1), right), right.mean(), balanced_recall(label, right)
        for place, (number, value) in enumerate(zip(each_its_own(values, trial), measured, strict=True)):
            assert number.interval is not None
            inside[place] += number.interval[0] <= value <= number.interval[1]
    assert (inside >= 51).all(), inside  # of 60 at 95 %: fewer once in 1,500 times


def test_probabilities_that_are_too_sure_measure_a_calibration_error_beyond_their_promise() -> None:
    rng = np.random.default_rng(2)
    true = probabilities(rng)
    label = (rng.random((N, 1)) >= true.cumsum(axis=1)[:, :-1]).sum(axis=1)
    sure = true**3 / (true**3).sum(axis=1, keepdims=True)
    error, *_ = each_its_own(sure)
    assert error.interval is not None
    assert calibration_error(sure.max(axis=1), label == sure.argmax(axis=1)) > error.interval[1]


def test_epochs_of_one_object_are_right_or_wrong_together() -> None:
    values = np.tile([0.5, 0.5], (100, 1))
    first = np.arange(100) == 0
    error, alone, share, _ = promised(values, ["same"] * 100, first, np.random.default_rng(3))
    assert error.value == pytest.approx(0.5)  # all right or all wrong: half a class away from what was said
    assert (error.n, alone.n, share.n) == (100, 1, 1)
    assert alone.name == f"{PROMISED}ECE of 13 classes, each object once"
    apart, _, _ = each_its_own(values)
    assert apart.value < 0.1


def test_epochs_of_one_object_are_one_object_beside_all_spectra() -> None:
    """Nine epochs of one quasar are sure and wrong, nine other quasars as sure and right."""
    labels = [replace(label(row, "QSO_nan"), object_id="twice") for row in range(9)]
    labels += [label(row, "QSO_nan") for row in range(9, 18)]
    names = ["STAR_A0"] * 9 + ["QSO_nan"] * 9
    scored = Scored(labels, Answers.of([verdicts(names, probability=0.9)]))
    found = {each.name: each for each in reliability(scored, np.array([True, *[False] * 8, *[True] * 9]))}
    for name in ("ECE of 13 classes", "ECE of GALAXY, QSO, STAR", "negative log likelihood of 13 classes [nat]"):
        whole, once = found[name], found[f"{name}, each object once"]
        assert (whole.n, once.n) == (18, 10)
        assert once.value < whole.value
        assert once.interval is not None
        assert once.interval[0] <= once.value <= once.interval[1]
    assert found["ECE of 13 classes"].value == pytest.approx(0.4)
    assert found["ECE of 13 classes, each object once"].value == pytest.approx(0.0, abs=1e-12)
    loss = found["negative log likelihood of 13 classes [nat], each object once"].value
    assert loss == pytest.approx(-(9 * np.log(0.9) + np.log(0.1 / 12)) / 10)


def test_where_each_object_has_one_spectrum_nothing_is_told_twice() -> None:
    scored = Scored([label(0, "QSO_nan"), label(1, "STAR_A0")], Answers.of([verdicts(["QSO_nan", "STAR_A0"])]))
    names = [each.name for each in reliability(scored, np.ones(2, np.bool_))]
    assert len(names) == len(set(names))
    assert not any(name.startswith(("ECE", "negative", PROMISED + "ECE")) and "once" in name for name in names)


def test_an_empty_sample_promises_nothing() -> None:
    assert promised(np.empty((0, 3)), [], np.empty(0, np.bool_), np.random.default_rng(4)) == []
