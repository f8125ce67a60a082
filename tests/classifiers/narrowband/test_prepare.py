"""Measurements at some wavelengths become a bundle's bands, whatever their unit, order of arrival or damage."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.bundle.manifest import Band
from classifiers.items import GridAxis, InlineAxis, Spectrum, quality_of
from classifiers.narrowband.prepare import prepare_bands
from classifiers.preprocess.unit_strings import C_ANGSTROM_PER_S
from classifiers.quality import Quality

CENTRES = (4000.0, 4100.0, 4200.0, 4300.0, 4400.0, 4500.0, 4600.0, 4700.0)
BANDS = tuple(Band(name=f"B{c:g}", wavelength_angstrom=c, tolerance_angstrom=40.0) for c in CENTRES)


def inline(wavelength: Any) -> InlineAxis:
    array = np.asarray(wavelength, np.float64)
    return InlineAxis(array, sha256(array.tobytes()).digest())


def spectrum(wavelength: Any = CENTRES, flux: Any = None, sigma: Any = None, **fields: Any) -> Spectrum:
    n = len(wavelength)
    values: dict[str, Any] = {
        "axis": inline(wavelength), "medium": "VACUUM",
        "flux": np.asarray(np.arange(n) + 5.0 if flux is None else flux, np.float32),
        "uncertainty": np.asarray(np.full(n, 0.5) if sigma is None else sigma, np.float32),
        "uncertainty_kind": "SIGMA", "flux_unit": "1e-17 erg/s/cm2/Angstrom", "quality": np.zeros(n, np.int32),
        "velocity_correction_km_s": 0.0, "resolving_power": None, "sampling": "NARROWBAND", "sky_fibre": False,
    }  # fmt: skip
    return Spectrum(**{**values, **fields})


def test_a_measurement_belongs_to_the_band_within_its_tolerance() -> None:
    """35 Angstrom off is in, 45 is out; of two in one band the nearer counts; what is no band is left out."""
    wavelength = [4035.0, 4145.0, 4190.0, 4202.0, 4350.0, 9000.0]
    prepared = prepare_bands([spectrum(wavelength, flux=[1, 2, 3, 4, 5, 6])], BANDS)
    valid = prepared.inverse_variance[0] > 0
    assert valid.tolist() == [True, False, True, False, False, False, False, False]
    assert prepared.flux[0, 2] / prepared.flux[0, 0] == pytest.approx(4.0)
    assert prepared.coverage[0] == pytest.approx(2 / 8)


def test_missing_and_flagged_bands_are_masked() -> None:
    """A band that did not come and one that is flagged are the same to the engine."""
    good = np.ones(8, np.bool_)
    good[3] = False
    flagged = spectrum(quality=quality_of(good), flux=[5, 6, 7, 0, 9, 10, 11, 12])
    absent = spectrum([c for c in CENTRES if c != 4300.0], flux=[5, 6, 7, 9, 10, 11, 12])
    one, two = prepare_bands([flagged], BANDS), prepare_bands([absent], BANDS)
    assert one.flux.tobytes() == two.flux.tobytes()
    assert one.inverse_variance.tobytes() == two.inverse_variance.tobytes()
    assert one.coverage[0] == two.coverage[0] == pytest.approx(7 / 8)


@pytest.mark.parametrize("kind", ["SIGMA", "VARIANCE", "IVAR"])
@pytest.mark.parametrize("unit", ["1e-17 erg/s/cm2/Angstrom", "erg/s/cm2/Hz", "Jy"])
def test_units_and_kinds_of_uncertainty_say_the_same(kind: str, unit: str) -> None:
    """F_lambda and F_nu, sigma, variance and inverse variance of one source give one input."""
    flux = np.array([3.0, 4, 5, 6, 5, 4, 3, 2])
    sigma = 0.1 * flux
    per_hertz = np.array(CENTRES) ** 2 / C_ANGSTROM_PER_S * 1e-17
    factor = {"1e-17 erg/s/cm2/Angstrom": np.ones(8), "erg/s/cm2/Hz": per_hertz, "Jy": per_hertz * 1e23}[unit]
    seen = sigma * factor
    given = {"SIGMA": seen, "VARIANCE": seen**2, "IVAR": seen**-2.0}[kind]
    if given.min() < 1e-37 or given.max() > 1e38:
        given, kind = seen, "SIGMA"  # beyond float32: no record can hold it
    made = prepare_bands([spectrum(flux=flux * factor, sigma=given, uncertainty_kind=kind, flux_unit=unit)], BANDS)
    wanted = prepare_bands([spectrum(flux=flux, sigma=sigma)], BANDS)
    np.testing.assert_allclose(made.flux, wanted.flux, rtol=1e-5)
    np.testing.assert_allclose(made.inverse_variance, wanted.inverse_variance, rtol=1e-4)
    assert made.scale[0] == pytest.approx(wanted.scale[0], rel=1e-5)


def test_nothing_that_is_no_number_gets_through() -> None:
    """NaN, inf, zero and negative uncertainties are masked and told; the other bands stay."""
    flux = np.array([1.0, np.nan, 3, np.inf, 5, 6, 7, 8])
    sigma = np.array([0.1, 0.1, 0.0, 0.1, -1.0, np.nan, 0.1, 0.1])
    prepared = prepare_bands([spectrum(flux=flux, sigma=sigma)], BANDS)
    assert np.isfinite(prepared.flux).all()
    assert np.isfinite(prepared.inverse_variance).all()
    assert (prepared.inverse_variance[0] > 0).tolist() == [True, *[False] * 5, True, True]
    assert prepared.quality_flags[0] & Quality.NON_FINITE_INPUT
    assert prepared.quality_flags[0] & Quality.BAD_UNCERTAINTY


def test_a_spectrum_without_any_band_has_no_coverage() -> None:
    """Wavelengths in nanometres match nothing: coverage 0, zeros, no S/N."""
    prepared = prepare_bands([spectrum(np.array(CENTRES) / 10.0)], BANDS)
    assert prepared.coverage[0] == 0
    assert np.isnan(prepared.snr[0])
    assert not prepared.flux.any()
    assert not prepared.inverse_variance.any()


def test_a_row_is_the_same_bits_in_any_batch(rng_rows: list[Spectrum]) -> None:
    """Shuffled, alone, with other units and axes beside it."""
    together = prepare_bands(rng_rows, BANDS)
    order = np.random.default_rng(3).permutation(len(rng_rows))
    shuffled = prepare_bands([rng_rows[row] for row in order], BANDS)
    for place, row in enumerate(order):
        alone = prepare_bands([rng_rows[row]], BANDS)
        for name in ("flux", "inverse_variance", "scale", "snr", "coverage", "quality_flags"):
            wanted: NDArray[Any] = getattr(alone, name)[0]
            assert getattr(shuffled, name)[place].tobytes() == wanted.tobytes()
            assert getattr(together, name)[row].tobytes() == wanted.tobytes()


@pytest.fixture
def rng_rows() -> list[Spectrum]:
    """Return spectra of three axes and two units, some damaged."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(24):
        wavelength = [CENTRES, CENTRES[1:], CENTRES[:-2]][number % 3]
        flux = rng.normal(3.0, 1.0, len(wavelength))
        if number % 5 == 0:
            flux[number % len(wavelength)] = np.nan
        unit = "Jy" if number % 2 else "1e-17 erg/s/cm2/Angstrom"
        rows.append(
            spectrum(wavelength, flux=flux, flux_unit=unit, quality=None if number % 7 == 0 else quality_of(flux < 9))
        )
    rows.append(spectrum(axis=GridAxis("LINEAR", 4000.0, 100.0, 8)))
    return rows


def test_a_regular_grid_is_matched_as_an_inline_axis_is() -> None:
    """4000 + 100 i is the same whichever way it is said."""
    regular, listed = spectrum(axis=GridAxis("LINEAR", 4000.0, 100.0, 8)), spectrum()
    one, two = prepare_bands([regular], BANDS), prepare_bands([listed], BANDS)
    assert one.flux.tobytes() == two.flux.tobytes()
