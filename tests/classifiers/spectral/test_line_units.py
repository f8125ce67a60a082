"""The unit of line fluxes: whatever unit a spectrum comes in, value times unit is the same energy flux."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u

from classifiers.classifier import Lines
from classifiers.items import GridAxis, Spectrum
from classifiers.lines.table import C_KM_S, NAMES
from classifiers.spectral.line_units import with_flux_units
from classifiers.suite import MODELS, open_suites

AXIS = GridAxis("LOG10", 3.55, 1e-4, 4671)
WAVELENGTH = 10.0 ** (AXIS.start + AXIS.step * np.arange(AXIS.n)) * u.AA
F_LAMBDA = 1e-17 * u.erg / u.s / u.cm**2 / u.AA
HALPHA_CGS = 40e-17
NOISE = 0.1


def star_forming() -> Spectrum:
    """Return a galaxy at redshift 0.1 in 1e-17 erg/s/cm2/Angstrom with known fluxes of its lines."""
    flux = 1.0 + NOISE * np.random.default_rng(1).standard_normal(AXIS.n)
    lines = {6564.61: 40.0, 4862.68: 14.0, 5008.24: 10.0, 4960.30: 3.4, 3728.5: 20.0, 6585.27: 12.0, 6549.85: 4.0}
    for rest, total in lines.items():
        sigma = rest * 1.1 * 110.0 / C_KM_S
        shape = np.exp(-0.5 * ((WAVELENGTH.value - rest * 1.1) / sigma) ** 2)
        flux += total / (np.sqrt(2 * np.pi) * sigma) * shape
    return Spectrum(
        axis=AXIS, medium="VACUUM", flux=flux.astype(np.float32), uncertainty=np.full(AXIS.n, NOISE, np.float32),
        uncertainty_kind="SIGMA", flux_unit="1e-17 erg/s/cm2/Angstrom", quality=None, velocity_correction_km_s=0.0,
        resolving_power=1900.0, sampling="DISPERSED", sky_fibre=False,
    )  # fmt: skip


def given_in(spectrum: Spectrum, unit: str) -> Spectrum:
    """Return the same light in another unit, as astropy converts it."""

    def converted(values: np.ndarray) -> np.ndarray:
        return (values.astype(np.float64) * F_LAMBDA).to_value(unit, u.spectral_density(WAVELENGTH)).astype(np.float32)

    flux, uncertainty = converted(spectrum.flux), converted(spectrum.uncertainty)
    return replace(spectrum, flux=flux, uncertainty=uncertainty, flux_unit=unit)


PER_WAVELENGTH = {
    "1e-17 erg / (Angstrom cm2 s)": "1e-17 erg / (cm2 s)",
    "1e-16 erg / (Angstrom cm2 s)": "1e-16 erg / (cm2 s)",
    "1e-20 W / (m2 nm)": "1e-18 erg / (cm2 s)",
    "1e-15 W / (m2 um)": "1e-16 erg / (cm2 s)",
    "1e-9 erg / (cm3 s)": "1e-17 erg / (cm2 s)",
}
CONVERTED = dict.fromkeys(("uJy", "Jy", "1e-29 erg / (Hz cm2 s)", "1e-6 ph / (Angstrom cm2 s)"), "1e-17 erg / (cm2 s)")


def test_value_times_unit_is_the_same_flux_whatever_the_unit_of_the_spectrum() -> None:
    units = PER_WAVELENGTH | CONVERTED
    suite = open_suites([MODELS / "spectral-classifier"])["spectrum"]
    verdicts = suite.classify([given_in(star_forming(), unit) for unit in units])
    assert verdicts.lines is not None
    assert list(verdicts.lines.flux_unit) == list(units.values())
    seen = np.flatnonzero(np.isfinite(verdicts.lines.flux[0]))
    cgs = np.array([u.Unit(unit).to(u.erg / u.s / u.cm**2) for unit in units.values()])[:, None]
    flux, error = cgs * verdicts.lines.flux[:, seen], cgs * verdicts.lines.flux_error[:, seen]
    assert (np.abs(flux - flux[0]) < 0.05 * error[0]).all()
    np.testing.assert_allclose(error, np.broadcast_to(error[0], error.shape), rtol=0.02)
    column = seen.tolist().index(NAMES.index("H alpha"))
    assert flux[0, column] == pytest.approx(HALPHA_CGS, abs=4 * error[0, column])
    assert error[0, column] < 0.1 * HALPHA_CGS


def test_lines_of_uncalibrated_flux_and_rows_without_lines_have_no_unit() -> None:
    measured = np.array([[1.0, np.nan], [1.0, 2.0], [np.nan, np.nan]])
    lines = Lines(("A", "B"), *[measured] * 6)
    spectra = [star_forming(), replace(star_forming(), flux_unit="ct"), star_forming()]
    assert list(with_flux_units(lines, spectra).flux_unit) == ["1e-17 erg / (cm2 s)", None, None]
