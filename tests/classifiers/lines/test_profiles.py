"""Tabulated profiles: bins of Gaussians, between the nodes too."""

from __future__ import annotations

from math import erf

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.lines.layout import layout
from classifiers.lines.profiles import FARTHEST_BINS, Placed, placed
from classifiers.lines.steps import read_line
from classifiers.lines.table import BIN_KM_S, COMPLEXES, NAMES, Complex, Line, rest_bin


def _find(name: str) -> tuple[Complex, Line, Placed]:
    column = NAMES.index(name)
    which = next(part for part in COMPLEXES if part.line <= column < part.line + len(part.lines))
    return which, which.lines[column - which.line], placed(which)[column - which.line]


def _read(name: str, shift: float, sigma_km_s: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return share, and derivatives by centre and by ln sigma, of the bins that the line covers."""
    which, _, place = _find(name)
    columns = np.zeros((3, which.n), np.float32)
    at, log_sigma = place.centre + shift, float(np.log(sigma_km_s / BIN_KM_S))
    read_line(NAMES.index(name), at, log_sigma, layout(), columns[0], columns[1], columns[2], 1.0)
    return columns[0, place.bins], columns[1:, place.bins]


def _exact(which: Complex, line: Line, place: Placed, shift: float, sigma_km_s: float) -> NDArray[np.float64]:
    edges = np.arange(place.bins.start, place.bins.stop + 1) - 0.5
    total = np.zeros(edges.size - 1)
    for wavelength, share in line.parts:
        u = (edges - (rest_bin(wavelength) - which.first) - shift) / (sigma_km_s / BIN_KM_S)
        total += share * np.diff([0.5 * (1.0 + erf(x / np.sqrt(2.0))) for x in u.tolist()])
    return total


LINES = [
    ("[S II] 6716", 75.0),
    ("[O II] 3727", 200.0),
    ("[O III] 5007", 400.0),
    ("H beta", 350.0),
    ("C IV 1549", 3000.0),
]


@pytest.mark.parametrize(("name", "sigma_km_s"), LINES)
@pytest.mark.parametrize("shift", [-5.3, 0.03, 2.71, 7.7])
def test_a_line_is_its_gaussians_integrated_over_bins(name: str, sigma_km_s: float, shift: float) -> None:
    which, line, place = _find(name)
    expected = _exact(which, line, place, shift, sigma_km_s)
    np.testing.assert_allclose(_read(name, shift, sigma_km_s)[0], expected, atol=0.012 * expected.max())


@pytest.mark.parametrize(("name", "sigma_km_s"), LINES)
def test_derivatives_are_those_of_the_shares(name: str, sigma_km_s: float) -> None:
    which, line, place = _find(name)
    by_centre, by_width = _read(name, 0.5, sigma_km_s)[1]
    step = 0.01
    wider, narrower = sigma_km_s * np.exp(step), sigma_km_s * np.exp(-step)
    moved = _exact(which, line, place, 0.5 + step, sigma_km_s) - _exact(which, line, place, 0.5 - step, sigma_km_s)
    spread = _exact(which, line, place, 0.5, wider) - _exact(which, line, place, 0.5, narrower)
    np.testing.assert_allclose(by_centre, moved / (2 * step), atol=0.15 * np.abs(moved / (2 * step)).max())
    np.testing.assert_allclose(by_width, spread / (2 * step), atol=0.15 * np.abs(spread / (2 * step)).max())


def test_every_line_can_be_read_as_far_as_it_may_be_shifted() -> None:
    for which in COMPLEXES:
        for line, place in zip(which.lines, placed(which), strict=True):
            for shift in (-FARTHEST_BINS + 0.1, FARTHEST_BINS - 0.1):
                expected = _exact(which, line, place, shift, 300.0)
                np.testing.assert_allclose(_read(line.name, shift, 300.0)[0], expected, atol=0.012 * expected.max())
