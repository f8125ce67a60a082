"""Training samples without an instrument, and a classifier's score on a survey that it has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.training.evaluation.left_out import LEFT_OUT, MEASURES
from classifiers.training.leave_one_out.training import draw_without, leave_one_out
from classifiers.training.simulation.simulator import Simulator

pytestmark = pytest.mark.slow


def test_without_an_instrument_the_other_spectra_are_those_of_the_same_draw() -> None:
    simulator = Simulator.load()
    every = draw_without(simulator, 900, 5, (), training=False)
    some = draw_without(simulator, 900, 5, ("LAMOST", "LAMOST_BRIGHT"), training=False)
    assert len(every) == len(some) == 900
    kept = np.isin(some.redshift, every.redshift)
    assert 0.5 < kept.mean() < 0.85  # the rest comes from the chunks behind
    everything = draw_without(simulator, 300, 5, ("SDSS", "BOSS"), training=True)
    assert set(np.unique(everything.kind)) == {0, 1, 2, 3, 4}


def test_each_survey_is_scored_by_a_classifier_with_and_without_it(data_dir: Path) -> None:
    stages: list[tuple[str, float]] = []

    def told(stage: str, fraction: float) -> None:
        stages.append((stage, fraction))

    found = leave_one_out(data_dir / "spectra", 3, 256, 1, told, held_out=1024)
    assert [(each.survey, each.seen) for each in found.scores] == [
        (s, seen) for s in LEFT_OUT for seen in (True, False)
    ]
    for each in found.scores:
        assert tuple(each.counts) == MEASURES
        assert all(0 <= hits <= n for hits, n in each.counts.values())
    assert {stage.split(":")[0] for stage, _ in stages} == {"every survey", *(f"without {name}" for name in LEFT_OUT)}
    assert all(0 <= fraction <= 1 for _, fraction in stages)
