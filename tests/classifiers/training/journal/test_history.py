"""The history of a training: curves by term, the same values after a round trip, calibration on held-out samples."""

from __future__ import annotations

import json

import numpy as np

from classifiers.training.journal.history import (
    TOTAL,
    HeldOut,
    History,
    joined,
    reliability,
    same_distribution,
    top_class,
)

PLOT = reliability({"QSO": (np.array([0.1, 0.9]), np.array([False, True]))})


def history(epochs: int) -> History:
    """Return a history whose loss falls and whose held-out loss does so less."""
    found = History()
    for epoch in range(1, epochs + 1):
        found = found.plus(
            {TOTAL: 3.0 / epoch, "a": 2.0 / epoch, "b": 1.0 / epoch}, HeldOut({TOTAL: 3.1 / epoch}, PLOT)
        )
    return found


def test_a_history_comes_back_from_json_as_it_was() -> None:
    """Floats to the last bit; the calibration too."""
    found = history(3)
    again = History.of(json.loads(found.to_json({"seed": 3})))
    assert again.to_json({"seed": 3}) == found.to_json({"seed": 3})
    assert [epoch.training for epoch in again.epochs] == [epoch.training for epoch in found.epochs]


def test_pictures_show_each_term_and_the_whole_beside_held_out_simulations() -> None:
    """One curve a term, not the whole loss among its parts; two curves of the whole loss."""
    plots = history(3).plots()
    assert [curve.name for curve in plots["loss-terms"].curves] == ["a", "b"]
    training, held_out = plots["loss"].curves
    assert list(training.x) == [1.0, 2.0, 3.0]
    assert list(held_out.y) == [3.1, 3.1 / 2, 3.1 / 3]
    assert plots["calibration"] == PLOT


def test_probabilities_that_hold_lie_on_the_diagonal() -> None:
    """Reliability of the top class, drawn from the probabilities themselves; a boastful one lies below."""
    rng = np.random.default_rng(2)
    first = rng.uniform(0.5, 1.0, 20_000)
    truth = np.where(rng.random(first.size) < first, 0, 1)
    (curve,) = top_class(np.stack([first, 1.0 - first], axis=1), truth).curves
    assert np.allclose(curve.x, curve.y, atol=0.03)
    (boastful,) = reliability({"x": (np.full(1000, 0.99), rng.random(1000) < 0.5)}).curves
    assert max(boastful.high) < 0.6


def test_the_same_scores_lie_on_the_diagonal_and_larger_ones_below() -> None:
    """Share of held-out values below each quantile of the training values."""
    rng = np.random.default_rng(1)
    trained = rng.normal(size=20_000)
    (same,) = same_distribution("score", trained, rng.normal(size=20_000)).curves
    assert np.allclose(same.x, same.y, atol=0.02)
    (larger,) = same_distribution("score", trained, rng.normal(1.0, 1.0, 20_000)).curves
    assert np.all(np.array(larger.y) < np.array(larger.x))


def test_means_over_batches_weigh_their_rows() -> None:
    assert joined([({"a": 1.0}, 3), ({"a": 5.0}, 1)]) == {"a": 2.0}
