"""Air to vacuum: published values, and its own inverse."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.preprocess.air_vacuum import air_to_vacuum, refractive_index


@pytest.mark.parametrize(
    ("air", "vacuum"),  # air and vacuum wavelengths of the SDSS line list
    [(4861.325, 4862.683), (4958.911, 4960.295), (5006.843, 5008.239), (6562.801, 6564.614), (3727.092, 3728.152)],
)
def test_published_line_wavelengths_are_reproduced(air: float, vacuum: float) -> None:
    assert float(air_to_vacuum(np.array(air))) == pytest.approx(vacuum, abs=0.02)


def test_the_inverse_formula_gives_the_air_wavelength_back() -> None:
    vacuum = np.linspace(2001.0, 25000.0, 5000)
    np.testing.assert_allclose(air_to_vacuum(vacuum / refractive_index(vacuum)), vacuum, rtol=1e-13)


def test_below_2000_angstrom_nothing_changes() -> None:
    assert air_to_vacuum(np.array([1215.67, 1999.0])).tolist() == [1215.67, 1999.0]
