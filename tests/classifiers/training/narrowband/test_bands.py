"""Synthetic photometry through the J-PAS bands: AB magnitudes, weights and redshifts are what they should be."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from classifiers.training.narrowband.bands import (
    LOG10_START,
    LOG10_STEP,
    NAMES,
    PIXELS,
    SHIPPED,
    SPEED_OF_LIGHT_ANGSTROM_S,
    Photometry,
    ab_flux,
    grid_wavelength,
    shifted,
)
from classifiers.training.narrowband.building import INPUTS, band_weights, build_narrowband_basis
from classifiers.training.simulation.basis import Basis


@pytest.fixture(scope="module")
def photometry() -> Photometry:
    return Photometry.of(Basis.load(SHIPPED))


def test_a_source_flat_in_f_nu_has_one_ab_magnitude_in_all_bands(photometry: Photometry) -> None:
    """That is what AB means (Oke & Gunn 1983): 21st magnitude is 21 in each of the 57 bands."""
    per_hertz = ab_flux(np.array([21.0]))
    spectrum = per_hertz * SPEED_OF_LIGHT_ANGSTROM_S / grid_wavelength() ** 2 * 1e17
    magnitudes = photometry.ab_magnitude(photometry.mean_flux(spectrum[None].astype(np.float32)) * 1e-17)
    assert magnitudes.shape == (1, 57)
    np.testing.assert_allclose(magnitudes, 21.0, atol=1e-5)


def test_weights_are_shares_and_bands_lie_where_their_names_say(photometry: Photometry) -> None:
    """Rows sum to 1; the narrow bands ascend about 100 Angstrom apart, each near its name."""
    np.testing.assert_allclose(photometry.weights.sum(axis=1), 1.0)
    assert (photometry.weights >= 0).all()
    narrow = photometry.pivot_angstrom[1:55]
    named = np.array([10.0 * int(name[1:]) for name in NAMES[1:55]])
    assert np.abs(narrow - named).max() < 30
    assert np.diff(narrow).min() > 80
    assert np.diff(narrow).max() < 125


def test_weights_of_a_box_count_photons() -> None:
    """A box of throughput from 5000 to 6000 Angstrom: mean wavelength by photons, nothing outside."""
    wavelength = np.array([4999.99, 5000.0, 6000.0, 6000.01])
    weights = band_weights(wavelength, np.array([0.0, 1.0, 1.0, 0.0]))
    grid = grid_wavelength()
    assert weights.sum() == pytest.approx(1.0)
    assert weights[(grid < 4990) | (grid > 6010)].sum() == 0
    by_photons = (6000.0**3 - 5000.0**3) / 3.0 / ((6000.0**2 - 5000.0**2) / 2.0)
    assert (weights * grid).sum() == pytest.approx(by_photons, rel=1e-4)


def test_a_line_moves_with_redshift() -> None:
    """A spike at 2000 Angstrom at rest is at 2000 (1 + z) Angstrom, between two pixels; edges repeat."""
    rest = np.ones((2, 2000), np.float32)
    start = 3.0
    place = round((np.log10(2000.0) - start) / LOG10_STEP)
    rest[:, place] = 9.0
    seen = shifted(rest, start, np.array([1.0, 1.37]))
    wavelength = grid_wavelength()
    for row, redshift in zip(seen, (1.0, 1.37), strict=True):
        excess = row - 1.0
        assert excess.sum() == pytest.approx(8.0, rel=1e-4)
        centre = (excess * wavelength).sum() / excess.sum()
        assert centre == pytest.approx(2000.0 * (1.0 + redshift), rel=6e-4)
    assert LOG10_START + LOG10_STEP * PIXELS > 4.042


@pytest.mark.slow
def test_the_shipped_basis_is_what_its_inputs_give(data_dir: Path, tmp_path: Path) -> None:
    """Built again it has the same arrays, and names the digest of each input; an absent input is named."""
    provenance = build_narrowband_basis(data_dir / "spectra", tmp_path / "basis.npz")
    shipped, built = Basis.load(SHIPPED), Basis.load(tmp_path / "basis.npz")
    assert shipped.arrays.keys() == built.arrays.keys()
    for name, array in shipped.arrays.items():
        np.testing.assert_allclose(array, built[name], rtol=2e-3, atol=2e-3)
    digests = {name: hashlib.sha256((data_dir / "spectra" / name).read_bytes()).hexdigest() for name in INPUTS}
    assert provenance["inputs"] == shipped.provenance["inputs"] == digests
    with pytest.raises(FileNotFoundError, match=r"jpas_filters\.npz"):
        build_narrowband_basis(tmp_path, tmp_path / "other.npz")
