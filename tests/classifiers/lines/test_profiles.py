"""Tabulated profiles: bins of a Gaussian, between the nodes too."""

from __future__ import annotations

from math import erf

import numpy as np
import pytest

from classifiers.lines.profiles import table
from classifiers.lines.table import BALMER, BIN_KM_S, NARROW


@pytest.mark.parametrize(("group", "sigma_km_s"), [(NARROW, 75.0), (NARROW, 400.0), (BALMER, 150.0), (BALMER, 3000.0)])
def test_a_profile_is_a_gaussian_integrated_over_bins(group: int, sigma_km_s: float) -> None:
    profiles, sigma = table(group), sigma_km_s / BIN_KM_S
    edges = np.arange(-profiles.half, profiles.half + 2) - 0.5
    for centre in (-5.3, 0.03, 2.71):
        found = profiles.at(np.array([[centre]]), np.array([np.log(sigma)]))[0, 0, 0]
        below = np.array([0.5 * (1.0 + erf(u / np.sqrt(2.0))) for u in ((edges - centre) / sigma).tolist()])
        np.testing.assert_allclose(found, np.diff(below), atol=0.012 * np.diff(below).max())


def test_derivatives_are_those_of_the_shares() -> None:
    profiles, step = table(BALMER), 0.02

    def at(shift: float, log_sigma: float) -> np.ndarray:
        return profiles.at(np.array([[shift]]), np.array([log_sigma]))[0, 0].astype(np.float64)

    by_shift = (at(0.5 + step, 1.0)[0] - at(0.5 - step, 1.0)[0]) / (2 * step)
    by_width = (at(0.5, 1.0 + step)[0] - at(0.5, 1.0 - step)[0]) / (2 * step)
    np.testing.assert_allclose(at(0.5, 1.0)[1], by_shift, atol=0.15 * np.abs(by_shift).max())
    np.testing.assert_allclose(at(0.5, 1.0)[2], by_width, atol=0.15 * np.abs(by_width).max())
