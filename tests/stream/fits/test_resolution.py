"""Resolving power of resolution matrices: that of the Gaussian they were made of, whatever some pixels hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from stream.fits.resolution import resolving_powers

WAVELENGTH = 5760.0 + 0.8 * np.arange(2326)


def matrix(sigma_angstrom: float, centre: float = 0.0) -> np.ndarray:
    """Return (11, 2326) float32 weights of a Gaussian at a place in its pixel."""
    shape = np.exp(-0.5 * ((np.arange(-5, 6) - centre) * 0.8 / sigma_angstrom) ** 2)
    return np.repeat((shape / shape.sum()).astype(np.float32)[:, None], WAVELENGTH.size, axis=1)


@pytest.mark.parametrize("sigma_angstrom", [0.6, 0.8, 1.1])
@pytest.mark.parametrize("centre", [0.0, 0.2])
def test_a_gaussian_of_known_width_gives_its_resolving_power(sigma_angstrom: float, centre: float) -> None:
    found = resolving_powers(WAVELENGTH, matrix(sigma_angstrom, centre))
    np.testing.assert_allclose(found, WAVELENGTH[::8] / (2.3548 * sigma_angstrom), rtol=0.01)


def test_the_sum_and_the_order_of_the_weights_do_not_matter() -> None:
    plain = resolving_powers(WAVELENGTH, matrix(0.8, 0.2))
    np.testing.assert_allclose(resolving_powers(WAVELENGTH, 0.5 * matrix(0.8, 0.2)[::-1]), plain, rtol=1e-6)


def test_pixels_without_weights_are_left_out() -> None:
    some = matrix(0.8)
    some[:, :800], some[3, 800:1600] = 0.0, np.nan
    some[:, 1600:1700] = np.array([1.0, -3.0, 1.0] + [0.0] * 5 + [1.0, 0.0, 1.0])[:, None]  # more noise than light
    some[:, 1700:1800] = np.array([-1.0] + [0.0] * 4 + [4.0] + [0.0] * 4 + [-1.0])[:, None]  # no variance
    found = resolving_powers(WAVELENGTH, some)
    np.testing.assert_allclose(found[-60:], WAVELENGTH[::8][-60:] / (2.3548 * 0.8), rtol=0.01)
    assert np.isfinite(found).all()
    assert found.size < 100
    assert resolving_powers(WAVELENGTH, np.zeros((11, WAVELENGTH.size), np.float32)).size == 0


@pytest.mark.parametrize("name", ["desi-coadd-4-80613-thru20210324.fits", "desi-coadd-main-dark-9144.fits"])
def test_real_matrices_are_sharper_from_arm_to_arm(data_dir: Path, name: str) -> None:
    """From some 2,000 at the blue end of the first to 5,500 at the red end of the last."""
    with fits.open(data_dir / "fits" / name) as hdus:
        for target in range(hdus["FIBERMAP"].header["NAXIS2"]):
            medians = []
            for arm, least in (("B", 2000), ("R", 3200), ("Z", 3800)):
                wavelength = np.asarray(hdus[f"{arm}_WAVELENGTH"].data, np.float64)
                found = resolving_powers(wavelength, np.asarray(hdus[f"{arm}_RESOLUTION"].data[target], np.float32))
                medians.append(float(np.median(found)))
                assert least < np.percentile(found, 2) < np.percentile(found, 98) < 6000
            assert medians == sorted(medians)
