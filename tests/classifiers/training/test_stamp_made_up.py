"""Made-up alerts: each unlike the simulated one it is made from, finite, masked where that was, the same by seed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.images.prepare import prepare_stamps
from classifiers.training.stamps.made_up import make_up
from classifiers.training.stamps.simulate import simulate_stamps

N = 80


@pytest.fixture(scope="module")
def simulated() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    prepared = prepare_stamps(simulate_stamps(N, np.random.default_rng(3)).items())
    return prepared.stamps, prepared.mask


def test_every_alert_becomes_another_and_the_simulated_ones_stay(
    simulated: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    stamps, mask = simulated
    before = stamps.copy()
    made = make_up(stamps, mask, np.random.default_rng(1))
    np.testing.assert_array_equal(stamps, before)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert (made[mask == 0] == 0).all()
    assert (np.abs(made - stamps)[:, 2].max(axis=(1, 2)) > 1.0).mean() > 0.95


def test_the_same_generator_makes_the_same_alerts(simulated: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    one, two = (make_up(*simulated, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, make_up(*simulated, np.random.default_rng(8)))
