"""The thresholds of second redshifts: what a share of the scores exceeds, and a command that says what they find."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.quasars.second import FALSE_RATE
from classifiers.training.second import main, thresholds


def test_a_threshold_is_exceeded_by_the_declared_share_of_each_kind() -> None:
    rng = np.random.default_rng(2)
    score = rng.exponential(1.0, (80_000, 2)) * np.array([1.0, 3.0])
    quasar = rng.random(len(score)) < 0.5
    score[quasar] *= 2.0
    limits = thresholds(score, quasar)
    for first in (0, 1):
        over = (score[quasar == bool(first)] > limits[first]).mean(axis=0)
        np.testing.assert_allclose(over, FALSE_RATE, atol=1e-4)
    assert (limits[1] > limits[0]).all()


@pytest.mark.slow
def test_the_command_finds_second_objects_in_pairs_that_are_right(capsys: pytest.CaptureFixture[str]) -> None:
    main(512, 512)
    lines = capsys.readouterr().out.splitlines()
    numbers = [int(word) for word in lines[-1].replace(",", "").replace(":", "").split() if word.isdigit()]
    made, found, right = numbers
    assert made > 300
    assert found > 0.1 * made
    assert right > 0.9 * found
