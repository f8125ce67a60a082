"""Unit strings, axes, frames and joining: the pure parts of the readers."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from stream.fits.axes import axis_fields, lattice_wavelength, log10_axis_fields, regular_grid
from stream.fits.frames import barycentric_correction_km_s, medium_of_ucd
from stream.fits.joining import ArmSpectrum, JoinPlan, ivar_of_sigma
from stream.fits.units import UnitError, angstroms_per, canonical_flux_unit

FLAM = u.erg / u.s / u.cm**2 / u.AA


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1E-17 erg/cm^2/s/Ang", 1e-17 * FLAM),
        ("10**-17 erg/(s cm2 Angstrom)", 1e-17 * FLAM),
        ("10**(-16)erg.cm**(-2).s**(-1).angstrom**(-1)", 1e-16 * FLAM),
        ("erg/(s*cm^2*Angstrom)", FLAM),
        ("erg/cm**2/s/Angstrom", FLAM),
        ("erg/cm^2/s/A", FLAM),  # astropy would read ampere
        ("erg s-1 cm-2 A-1", FLAM),
        ("10^-20*erg/s/cm^2/Angstrom", 1e-20 * FLAM),
        ("ergs/s/cm2/AA", FLAM),
        ("erg/s/cm2/Hz", u.erg / u.s / u.cm**2 / u.Hz),
        ("W/m2/um", u.W / u.m**2 / u.um),
        ("W m-3", u.W / u.m**3),
        ("mJy", u.mJy),
        ("counts", u.ct),
        ("ADU", u.adu),
        ("electron/s", u.electron / u.s),
        ("count/s/Angstrom", u.ct / u.s / u.AA),
        ("", u.dimensionless_unscaled),
        (None, u.dimensionless_unscaled),
        ("Normalized", u.dimensionless_unscaled),
    ],
)
def test_unit_is_written_so_that_astropy_reads_what_was_meant(written: str | None, meant: u.UnitBase) -> None:
    canonical = canonical_flux_unit(written)
    assert u.Unit(canonical).to(u.Unit(meant)) == pytest.approx(1.0)
    assert canonical_flux_unit(canonical) == canonical


@pytest.mark.parametrize(
    "written", ["mag", "erg/s", "K", "Angstrom", "erg/cm2/s", "s", "furlong", "erg/(s", "erg)", "erg^"]
)
def test_unit_that_is_no_flux_is_refused_by_name(written: str) -> None:
    with pytest.raises(UnitError) as caught:
        canonical_flux_unit(written)
    assert repr(written) in str(caught.value)


@given(st.text(alphabet="ergscmAngstrom0123456789+-*/^(). eJy", max_size=25))
def test_any_unit_string_is_read_or_refused(written: str) -> None:
    try:
        canonical = canonical_flux_unit(written)
    except (UnitError, OverflowError) as error:
        assert isinstance(error, UnitError)  # noqa: PT017
    else:
        u.Unit(canonical)


@pytest.mark.parametrize(
    ("written", "factor"), [("Angstrom", 1), ("A", 1), ("nm", 10), ("0.1 nm", 1), ("um", 1e4), ("m", 1e10)]
)
def test_wavelength_units(written: str, factor: float) -> None:
    assert angstroms_per(written) == pytest.approx(factor)


@pytest.mark.parametrize("written", [None, "", "s", "erg", "km/s"])
def test_wavelength_unit_that_is_no_length_is_refused(written: str | None) -> None:
    with pytest.raises(UnitError):
        angstroms_per(written)


@given(
    st.integers(1000, 9000),
    st.sampled_from([0.05, 0.25, 0.8, 1.0, 2.553]),
    st.integers(10, 5000),
    st.sampled_from([np.float32, np.float64]),
)
def test_linear_axis_is_found_behind_its_rounding(start: int, step: float, n: int, dtype: type) -> None:
    true = start + step * np.arange(n)
    stored = true.astype(dtype)
    found = axis_fields(stored, dtype)
    if np.all(np.diff(stored) > 0) and step > 8 * np.spacing(stored[-1]):
        assert found["grid"]["kind"] == "LINEAR"
        np.testing.assert_allclose(
            lattice_wavelength(found["grid"]), true, atol=float(np.spacing(np.float32(true[-1])))
        )


@given(st.integers(35000, 38000), st.integers(10, 5000))
def test_log_axis_stored_as_float32_is_found_as_the_round_lattice(start: int, n: int) -> None:
    loglam = (start * 1e-4 + 1e-4 * np.arange(n)).astype(np.float32)
    grid = log10_axis_fields(loglam)["grid"]
    assert grid == {
        "kind": "LOG10",
        "start": pytest.approx(start * 1e-4, abs=3e-7),
        "step": pytest.approx(1e-4, rel=1e-2),
        "n": n,
    }
    np.testing.assert_allclose(np.log10(lattice_wavelength(grid)), loglam, atol=3e-7)


def test_irregular_axis_stays_inline() -> None:
    wavelength = 4000.0 + 0.5 * np.arange(100)
    wavelength[50:] += 0.1
    assert "wavelength" in axis_fields(wavelength, np.float64)
    assert regular_grid("LINEAR", np.array([1.0, 2.0]), 0.0) is None


def test_medium_is_what_the_ucd_says() -> None:
    assert medium_of_ucd("em.wl;obs.atmos") == "AIR"
    assert medium_of_ucd("em.wl") == "VACUUM"
    assert medium_of_ucd("em.freq") is None


def test_barycentric_correction_is_bounded_by_the_earths_motion_and_changes_sign_over_a_year() -> None:
    velocities = [
        barycentric_correction_km_s(
            ra_deg=150.0, dec_deg=2.0, mjd_mid=54145.1 + day, longitude_deg=-70.4, latitude_deg=-24.6, height_m=2635.0
        )
        for day in range(0, 366, 30)
    ]
    assert max(velocities) > 20
    assert min(velocities) < -20
    assert max(map(abs, velocities)) < 31


def arm(wavelength: np.ndarray, value: float, ivar: float = 1.0, quality: int = 0) -> ArmSpectrum:
    n = wavelength.size
    return ArmSpectrum(np.full(n, value), np.full(n, ivar), np.full(n, quality))


@given(st.integers(0, 40), st.floats(0.1, 10), st.floats(0.1, 10))
def test_overlap_on_one_lattice_is_the_weighted_mean(overlap: int, ivar_blue: float, ivar_red: float) -> None:
    blue, red = 4000.0 + np.arange(100), 4100.0 - overlap + np.arange(100)
    plan = JoinPlan([red, blue])
    joined = plan.apply([arm(red, 3.0, ivar_red), arm(blue, 1.0, ivar_blue)])
    assert plan.wavelength.size == 200 - overlap
    np.testing.assert_array_equal(plan.wavelength, 4000.0 + np.arange(200 - overlap))
    inside = slice(100 - overlap, 100)
    np.testing.assert_allclose(joined.ivar[inside], ivar_blue + ivar_red)
    np.testing.assert_allclose(joined.flux[inside], (ivar_blue + 3 * ivar_red) / (ivar_blue + ivar_red))
    np.testing.assert_allclose(joined.flux[: 100 - overlap], 1.0)
    np.testing.assert_allclose(joined.flux[100:], 3.0)


def test_masked_pixel_of_one_arm_leaves_the_other_alone() -> None:
    blue, red = 4000.0 + np.arange(10), 4005.0 + np.arange(10)
    joined = JoinPlan([blue, red]).apply([arm(blue, 1.0, quality=4), arm(red, 3.0)])
    np.testing.assert_array_equal(joined.flux[5:10], 3.0)
    assert joined.quality is not None
    np.testing.assert_array_equal(joined.quality, [4] * 5 + [0] * 10)
    both = JoinPlan([blue, red]).apply([arm(blue, 1.0, quality=4), arm(red, 3.0, quality=8)])
    assert both.quality is not None
    np.testing.assert_array_equal(both.quality[5:10], 12)
    np.testing.assert_array_equal(both.ivar[5:10], 0)


def test_nan_of_one_arm_does_not_spread() -> None:
    blue, red = 4000.0 + np.arange(10), 4005.0 + np.arange(10)
    joined = JoinPlan([blue, red]).apply([arm(blue, np.nan), arm(red, 3.0)])
    np.testing.assert_array_equal(joined.flux[5:], 3.0)
    assert np.all(np.isfinite(joined.ivar))


@given(st.floats(0.05, 0.95), st.integers(5, 30))
def test_arms_on_other_lattices_are_cut_and_stay_increasing(shift: float, overlap: int) -> None:
    blue, red = 4000.0 + np.arange(60), 4060.0 - overlap + shift + 1.1 * np.arange(60)
    plan = JoinPlan([blue, red])
    assert np.all(np.diff(plan.wavelength) > 0)
    joined = plan.apply([arm(blue, 1.0), arm(red, 3.0)])
    assert set(np.unique(joined.flux)) == {1.0, 3.0}
    assert np.all(joined.ivar == 1.0)


def test_gap_between_arms_stays_open() -> None:
    arms = [3926 + 0.05 * np.arange(20), 5160 + 0.05 * np.arange(20), 6100 + 0.05 * np.arange(20)]
    plan = JoinPlan(arms)
    assert "wavelength" in plan.axis
    assert plan.wavelength.size == 60
    joined = plan.apply([arm(w, float(k)) for k, w in enumerate(arms)])
    np.testing.assert_array_equal(joined.flux, np.repeat([0.0, 1.0, 2.0], 20))


def test_sigma_without_a_value_has_no_weight() -> None:
    np.testing.assert_array_equal(ivar_of_sigma(np.array([2.0, 0.0, -1.0, np.nan, np.inf])), [0.25, 0, 0, 0, 0])
