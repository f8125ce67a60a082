"""Shapes of the noise against files of the surveys that no shape was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.grid import native_wavelength

BANDS_ANGSTROM = ((3850.0, 4050.0), (4400.0, 4600.0), (5600.0, 5800.0), (6400.0, 6600.0), (7950.0, 8150.0))


@pytest.mark.parametrize("name", ["4most-mock-ql1.fits", "4most-mock-qso-z2.5-G20.1-1hr.fits"])
def test_errors_of_4most_grow_to_the_blue_as_in_the_consortiums_own_mocks(data_dir: Path, name: str) -> None:
    """Within 1.6 from 3850 to 8150 Angstrom: two thirds of the throughput at 6500 Angstrom are gone at 4000."""
    with fits.open(data_dir / "fits" / name) as file:
        table = file[1].data
        theirs = np.ravel(table["WAVE"]).astype(np.float64), np.ravel(table["ERR_FLUX"]).astype(np.float64)
    ours = native_wavelength(), np.exp(Basis.load()["noise_4most_mean"].astype(np.float64))

    def shape(wavelength: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        levels = [np.median(sigma[(wavelength > low) & (wavelength < high)]) for low, high in BANDS_ANGSTROM]
        return np.array(levels) / levels[2]

    ratio = shape(*ours) / shape(*theirs)
    assert (ratio < 1.6).all()
    assert (ratio > 1.0 / 1.6).all()
