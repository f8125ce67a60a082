"""Galaxies of the narrow-band mocks: lines where and as strong as the spectral simulator has them."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.training.narrowband.bands import grid_wavelength
from classifiers.training.narrowband.galaxies import Galaxies
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.families import ACTIVE, STARBURST
from classifiers.training.simulation.grid import Float64

_REDSHIFT = 0.02


@pytest.fixture(scope="module")
def galaxies() -> Galaxies:
    return Galaxies(Basis.load())


def _lines(galaxies: Galaxies, family: int, low: float, high: float) -> tuple[Float64, Float64]:
    """Return the flux above the pixels beside a window, any scale, and its equivalent width at rest [Angstrom]."""
    flux = galaxies.at(np.full(600, _REDSHIFT), np.full(600, family), np.random.default_rng(5))
    rest = grid_wavelength() / (1.0 + _REDSHIFT)
    inside = (rest > low) & (rest < high)
    beside = ((rest > low - 15.0) & (rest < low)) | ((rest > high) & (rest < high + 15.0))
    continuum = np.median(flux[:, beside], axis=1)
    above = ((flux - continuum[:, None]) * np.gradient(rest))[:, inside].sum(axis=1)
    return above, above / continuum


def test_lines_redward_of_h_alpha_are_fainter_than_it(galaxies: Galaxies) -> None:
    """Those of sulphur at 6716 and 6731 have 0.38 of its flux, that at 9533 has 0.28, however strong it is."""
    halpha, width = _lines(galaxies, STARBURST, 6535.0, 6610.0)
    assert 60.0 < np.median(width) < 160.0
    for low, high, ratio in ((6700.0, 6752.0, 0.38), (9510.0, 9560.0, 0.28)):
        found = _lines(galaxies, STARBURST, low, high)[0] / halpha
        assert 0.6 * ratio < np.median(found) < 1.6 * ratio
        assert np.quantile(found, 0.98) < 1.2


def test_a_few_outshine_their_stars_in_lines(galaxies: Galaxies) -> None:
    """As in the spectral simulator, where an eighth of starbursts and active galaxies do."""
    assert 0.02 < np.mean(_lines(galaxies, STARBURST, 6535.0, 6610.0)[1] > 400.0) < 0.12
    assert 0.02 < np.mean(_lines(galaxies, ACTIVE, 6535.0, 6610.0)[1] > 120.0) < 0.2
