"""Units: flux density, counts or dimensionless; everything else is refused by name."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from classifiers.preprocess.unit_strings import parsed
from classifiers.preprocess.units import KNOWN, UnitError, flux_unit


@pytest.mark.parametrize("text", ["1e-17 erg/s/cm2/Angstrom", "W m-2 um-1", "10**(-17)*erg/s/cm2/Angstrom"])
def test_flux_per_wavelength_is_used_as_it_is(text: str) -> None:
    unit = flux_unit(text)
    assert (unit.calibrated, unit.wavelength_power, unit.factor) == (True, 0, 1.0)


@pytest.mark.parametrize(
    ("text", "line_flux"),
    [
        ("1e-17 erg/s/cm2/Angstrom", "1e-17 erg / (cm2 s)"),
        ("erg/s/cm2/Angstrom", "erg / (cm2 s)"),
        ("W m-2 um-1", "0.1 erg / (cm2 s)"),  # 1000 erg/s/cm2/um, and 1e4 Angstrom are 1 um
        ("W / (m2 nm)", "100 erg / (cm2 s)"),
        ("mJy", "1e-17 erg / (cm2 s)"),
        ("ph/s/cm2/nm", "1e-17 erg / (cm2 s)"),
        ("ct", None),
        ("", None),
    ],
)
def test_line_fluxes_have_the_unit_of_flux_per_wavelength_times_angstrom(text: str, line_flux: str | None) -> None:
    assert flux_unit(text).line_flux == line_flux


def test_jansky_become_flux_per_wavelength() -> None:
    unit = flux_unit("mJy")  # 1 mJy at 5500 A = 1e-26 erg/s/cm2/Hz c / lambda^2 = 9.911e-16 erg/s/cm2/A / 10
    assert unit.wavelength_power == -2
    assert unit.factor == pytest.approx(1e-26 * 2.99792458e18 / 5500**2 / 1e-17)


def test_photons_carry_their_energy() -> None:
    unit = flux_unit("ph/s/cm2/Angstrom")
    assert unit.wavelength_power == -1
    assert unit.factor == pytest.approx(6.62607015e-27 * 2.99792458e18 / 5500 / 1e-17)


@pytest.mark.parametrize("text", ["", "ct", "adu", "electron/s", "DN", "ct/Angstrom"])
def test_counts_and_dimensionless_flux_are_uncalibrated(text: str) -> None:
    assert not flux_unit(text).calibrated


@pytest.mark.parametrize(
    "text", ["erg/cm^2/s/A", "km", "mag", "mag(AB)", "counts", "0 Jy", "-1 Jy", "1e400 Jy", "K", "é", "x" * 999]
)
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(UnitError, match="flux unit") as caught:
        flux_unit(text)
    assert caught.value.unit[:5] == text[:5]


@pytest.mark.parametrize("text", KNOWN)
def test_what_is_known_without_astropy_is_what_astropy_says(text: str) -> None:
    assert KNOWN[text] == parsed(text)


@pytest.mark.slow
def test_engines_open_and_classify_without_astropy(start: Callable[[str], subprocess.Popen[str]]) -> None:
    """A service that reads what our readers write never waits for it."""
    process = start(
        """
        import sys
        import numpy as np
        from classifiers.items import GridAxis, Spectrum
        from classifiers.loaded import load_engines
        from classifiers.suite import default_bundles, suites

        lanes = suites(load_engines(default_bundles()))
        values = np.ones(4000, np.float32)
        axis, unit = GridAxis("LOG10", 3.58, 1e-4, 4000), "1e-17 erg / (Angstrom cm2 s)"
        item = Spectrum(axis, "VACUUM", values, values, "IVAR", unit, None, 0.0, None, "DISPERSED", sky_fibre=False)
        lanes["spectrum"].classify([item])
        print("astropy" in sys.modules)
        """
    )
    assert process.communicate()[0] == "False\n"
