"""The regression behind P(broad absorption): it finds the weights that made its sample, and its command runs."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.training.absorption import fit, log_loss, main


def test_the_regression_finds_what_made_the_sample() -> None:
    rng = np.random.default_rng(1)
    terms = rng.standard_normal((40_000, 2))
    made = 1.0 / (1.0 + np.exp(-(-1.5 + terms @ np.array([0.5, 2.0]))))
    truth = rng.random(made.size) < made
    weights = fit(terms, truth)
    np.testing.assert_allclose(weights, [-1.5, 0.5, 2.0], atol=0.08)
    assert log_loss(made, truth) < log_loss(np.full(made.size, truth.mean()), truth)


@pytest.mark.slow
def test_the_command_says_that_both_together_are_better(capsys: pytest.CaptureFixture[str]) -> None:
    main(1_024)
    lines = capsys.readouterr().out.splitlines()
    network, both = (float(line.split("area under the curve ")[1].split(",")[0]) for line in lines[-2:])
    assert lines[0].startswith("weights on ")
    assert both > network
