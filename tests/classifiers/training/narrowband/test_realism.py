"""Colours among those of mocks: as expected of mocks as they are, and of a control with noise and a wrong response."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from classifiers.training.narrowband.realism import Sources, colour_ranks, treated_mocks
from classifiers.training.narrowband.simulator import KINDS, NarrowbandSimulator
from classifiers.training.simulation.instruments import BY_NAME

EXACT = replace(BY_NAME["SDSS"], calibration=0.0, tilt=0.0)
N = 240


@pytest.fixture(scope="module")
def simulator() -> NarrowbandSimulator:
    return NarrowbandSimulator.load()


@pytest.fixture(scope="module")
def sources(simulator: NarrowbandSimulator) -> Sources:
    mocks = simulator.draw(dict.fromkeys(KINDS, N), np.random.default_rng(3), flat=1.0)
    covered = np.ones(mocks.flux.shape, np.bool_)
    covered[:, :4] = False
    return Sources(mocks.flux, covered, mocks.kind, mocks.redshift)


def control(sources: Sources, noise: float, instrument: str, simulator: NarrowbandSimulator) -> Sources:
    chosen = EXACT if instrument == "EXACT" else BY_NAME[instrument]
    return treated_mocks(sources, noise * sources.flux, [chosen] * len(sources.kind), simulator, 5)


@pytest.mark.slow
def test_mocks_that_nothing_was_done_to_lie_among_mocks_as_often_as_chance_has_it(
    sources: Sources, simulator: NarrowbandSimulator
) -> None:
    """Within the middle 68 % in 68 % of the cases; noise or a wrong response leaves fewer there, both the fewest."""
    shares = []
    for noise, instrument in ((0.0, "EXACT"), (0.05, "EXACT"), (0.0, "LAMOST"), (0.05, "LAMOST")):
        found = colour_ranks(control(sources, noise, instrument, simulator), simulator, 5)
        for colours in found.values():
            assert all(each["n"] > 9 * N for each in colours.values())
        each = [one["within_middle_68_percent"] for colours in found.values() for one in colours.values()]
        shares.append(np.mean(each))
        if noise == 0 and instrument == "EXACT":
            assert all(0.6 < share < 0.76 for share in each)
            apart = [abs(one["median_difference_mag"]) for colours in found.values() for one in colours.values()]
            assert max(apart) < 0.03
    assert shares[0] > 0.05 + max(shares[1:3])
    assert min(shares[1:3]) > shares[3]


def test_the_control_has_the_kinds_redshifts_and_bands_of_the_sources(
    sources: Sources, simulator: NarrowbandSimulator
) -> None:
    """Several mocks for each, none of them negative without noise; the same from the same seed."""
    made = control(sources, 0.0, "BOSS", simulator)
    again = control(sources, 0.0, "BOSS", simulator)
    assert made.flux.tobytes() == again.flux.tobytes()
    assert np.bincount(made.kind).tolist() == [10 * N] * 3
    assert not made.covered[:, :4].any()
    assert (made.flux >= 0).all()
    quasars = np.sort(sources.redshift[sources.kind == 0])
    np.testing.assert_allclose(np.sort(made.redshift[made.kind == 0]), np.repeat(quasars, 10), atol=0.3)
