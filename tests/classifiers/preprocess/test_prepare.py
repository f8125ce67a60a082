"""Preparation of spectra: the fast way agrees with the slow one, and a row never depends on its batch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifiers.items import GridAxis, InlineAxis, Spectrum, quality_of
from classifiers.preprocess.grid import COMMON_GRID, CommonGrid
from classifiers.preprocess.prepare import PreparedBatch, prepare
from classifiers.preprocess.units import UnitError
from classifiers.quality import Quality

Maker = Callable[..., Spectrum]
SDSS = GridAxis("LOG10", 3.5797, 1e-4, 3845)
BOSS = GridAxis("LOG10", 3.5501, 1e-4, 4671)
DESI = GridAxis("LINEAR", 3600.0, 0.8, 7781)
FOURMOST = GridAxis("LINEAR", 3700.0, 0.25, 23201)
COARSE = GridAxis("LINEAR", 3000.0, 25.0, 320)


def inline(wavelength: np.ndarray) -> InlineAxis:
    wavelength = np.asarray(wavelength, dtype=np.float64)
    return InlineAxis(wavelength, hashlib.sha256(wavelength.tobytes()).digest())


ARMS = inline(np.concatenate([np.arange(3926, 4355, 0.3), np.arange(5160, 5730, 0.35), np.arange(6100, 6790, 0.4)]))
ALL_AXES = {
    "sdss": SDSS, "boss": BOSS, "desi": DESI, "coarse": COARSE, "arms": ARMS,
    "float32 loglam": inline(10.0 ** np.float32(3.5797 + 1e-4 * np.arange(3845)).astype(np.float64)),
}  # fmt: skip


def same(one: PreparedBatch, i: int, two: PreparedBatch, j: int) -> bool:
    pairs = ((getattr(one, name)[i], getattr(two, name)[j]) for name in PreparedBatch.__slots__)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)


@pytest.mark.parametrize("name", ALL_AXES)
@pytest.mark.parametrize("kind", ["SIGMA", "VARIANCE", "IVAR"])
@pytest.mark.parametrize(("medium", "velocity"), [("VACUUM", 0.0), ("AIR", 0.0), ("VACUUM", -23.4)])
def test_fast_and_slow_preparation_agree(
    make_spectrum: Maker, slow_prepare: Callable[..., tuple], name: str, kind: str, medium: str, velocity: float
) -> None:
    spectrum = make_spectrum(ALL_AXES[name], uncertainty_kind=kind, medium=medium, velocity_correction_km_s=velocity)
    fast = prepare([spectrum], COMMON_GRID)
    flux, inverse_variance, scale, snr, coverage = slow_prepare(spectrum, COMMON_GRID)
    lattice = medium == "VACUUM" and velocity == 0 and name == "float32 loglam"
    tolerance = 5e-3 if lattice else 2e-5  # float32 wavelengths are snapped to the lattice they were rounded from
    assert fast.coverage[0] == pytest.approx(coverage, abs=2 / COMMON_GRID.n if lattice else 1e-12)
    np.testing.assert_allclose(fast.scale[0], scale, rtol=tolerance)
    np.testing.assert_allclose(fast.snr[0], snr, rtol=tolerance)
    well = (np.array(inverse_variance) > 1e-3 * np.median(inverse_variance)) & (fast.inverse_variance[0] > 0)
    assert well.mean() > 0.95 * coverage
    np.testing.assert_allclose(fast.inverse_variance[0][well], np.array(inverse_variance)[well], rtol=20 * tolerance)
    np.testing.assert_allclose(fast.flux[0][well], np.array(flux)[well], atol=20 * tolerance)


def test_a_row_is_the_same_bits_in_any_batch(make_spectrum: Maker) -> None:
    spectra = [
        make_spectrum(axis, seed=seed, uncertainty_kind=kind)
        for seed in range(12)
        for axis, kind in ((SDSS, "IVAR"), (DESI, "SIGMA"), (BOSS, "VARIANCE"))
    ]
    spectra[3] = replace(spectra[3], flux=spectra[3].flux * np.float32(1e-20))
    spectra[5].flux[100] = np.nan
    whole = prepare(spectra, COMMON_GRID)
    order = np.random.default_rng(0).permutation(len(spectra))
    shuffled, mixed = PreparedBatch.blank(len(spectra), COMMON_GRID), [spectra[i] for i in order]
    with ThreadPoolExecutor(2) as pool:
        parts = [slice(start, start + 7) for start in range(0, len(spectra), 7)]
        list(pool.map(lambda part: prepare(mixed[part], COMMON_GRID, shuffled.rows(part)), parts))
    assert all(same(whole, i, shuffled, int(np.flatnonzero(order == i)[0])) for i in range(len(spectra)))
    assert all(same(whole, i, prepare([spectrum], COMMON_GRID), 0) for i, spectrum in enumerate(spectra))


@pytest.mark.parametrize("axis", [GridAxis("LOG10", 3.55, 1e-4, 4671), FOURMOST], ids=["lattice", "general"])
def test_flux_and_information_are_conserved(make_spectrum: Maker, axis: GridAxis) -> None:
    spectrum = make_spectrum(axis, masked=0.0)
    spectrum = replace(spectrum, uncertainty=np.ones_like(spectrum.uncertainty), quality=None)
    batch = prepare([spectrum], COMMON_GRID)
    weight = batch.inverse_variance[0].astype(float) / batch.scale[0] ** 2
    flux = batch.flux[0].astype(float) * batch.scale[0]
    assert weight.sum() == pytest.approx(axis.n, rel=1e-5)
    assert (weight * flux).sum() == pytest.approx(spectrum.flux.astype(float).sum(), rel=1e-5)


def test_a_constant_stays_constant_whatever_the_weights(make_spectrum: Maker) -> None:
    spectrum = replace(make_spectrum(FOURMOST, masked=0.2), flux=np.full(FOURMOST.n, 3.0, np.float32))
    batch = prepare([spectrum], COMMON_GRID)
    np.testing.assert_allclose(batch.flux[0][batch.inverse_variance[0] > 0], 1.0, rtol=1e-5)
    assert batch.scale[0] == pytest.approx(3.0, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "unit_scale"),
    [(kind, size) for kind in ("SIGMA", "VARIANCE", "IVAR") for size in (1e-17, 1e12)] + [("SIGMA", 1e-30)],
)
def test_the_size_of_the_unit_changes_nothing_but_the_scale(make_spectrum: Maker, kind: str, unit_scale: float) -> None:
    spectrum = make_spectrum(DESI, uncertainty_kind=kind)
    power = {"SIGMA": 1, "VARIANCE": 2, "IVAR": -2}[kind]
    scaled = replace(
        spectrum,
        flux=(spectrum.flux * unit_scale).astype(np.float32),
        uncertainty=(spectrum.uncertainty * unit_scale**power).astype(np.float32),
    )
    one, two = prepare([spectrum], COMMON_GRID), prepare([scaled], COMMON_GRID)
    np.testing.assert_allclose(one.flux, two.flux, atol=1e-4)
    np.testing.assert_allclose(one.inverse_variance, two.inverse_variance, rtol=1e-4)
    assert two.scale[0] == pytest.approx(one.scale[0] * unit_scale, rel=1e-5)


def test_flux_per_frequency_becomes_flux_per_wavelength(make_spectrum: Maker) -> None:
    wavelength = 3600.0 + 0.8 * np.arange(DESI.n)
    per_wavelength = np.full(DESI.n, 2.0)
    jansky = per_wavelength * 1e-17 * wavelength**2 / 2.99792458e18 / 1e-23
    spectrum = make_spectrum(DESI, masked=0.0, flux_unit="Jy", uncertainty_kind="SIGMA")
    spectrum = replace(spectrum, flux=jansky.astype(np.float32), uncertainty=(jansky / 10).astype(np.float32))
    batch = prepare([spectrum], COMMON_GRID)
    valid = batch.inverse_variance[0] > 0
    np.testing.assert_allclose(batch.flux[0][valid], 1.0, rtol=1e-4)
    assert batch.scale[0] == pytest.approx(2.0, rel=1e-4)
    assert batch.snr[0] == pytest.approx(
        10 * np.sqrt(COMMON_GRID.centres_angstrom[900] * 3e-4 * np.log(10) / 0.8), rel=0.15
    )


@pytest.mark.parametrize(
    ("kind", "field", "value", "bit"),
    [
        ("IVAR", "flux", np.nan, Quality.NON_FINITE_INPUT),
        ("IVAR", "flux", np.inf, Quality.NON_FINITE_INPUT),
        ("SIGMA", "uncertainty", np.nan, Quality.NON_FINITE_INPUT),
        ("VARIANCE", "uncertainty", np.inf, Quality.NON_FINITE_INPUT),
        ("IVAR", "uncertainty", np.inf, Quality.NON_FINITE_INPUT),
        ("IVAR", "uncertainty", -1.0, Quality.BAD_UNCERTAINTY),
        ("SIGMA", "uncertainty", -1.0, Quality.BAD_UNCERTAINTY),
        ("SIGMA", "uncertainty", 0.0, Quality.BAD_UNCERTAINTY),
        ("VARIANCE", "uncertainty", 0.0, Quality.BAD_UNCERTAINTY),
        ("IVAR", "uncertainty", 0.0, Quality(0)),
        ("IVAR", "flux", -3.0, Quality(0)),
    ],
)
def test_each_rule_for_bad_pixels_holds(
    make_spectrum: Maker, kind: str, field: str, value: float, bit: Quality
) -> None:
    clean = make_spectrum(BOSS, uncertainty_kind=kind, masked=0.0)
    pixels = slice(300, 360)
    values = getattr(clean, field).copy()
    values[pixels] = value
    batch = prepare([replace(clean, **{field: values})], COMMON_GRID)
    assert batch.quality_flags[0] == bit
    assert np.isfinite(batch.flux).all()
    assert np.isfinite(batch.inverse_variance).all()
    if value != -3.0:
        good = np.ones(BOSS.n, np.bool_)
        good[pixels] = False
        assert np.array_equal(batch.flux, prepare([replace(clean, quality=quality_of(good))], COMMON_GRID).flux)


def test_pixels_that_the_survey_flagged_raise_no_bit_however_bad(make_spectrum: Maker) -> None:
    spectrum = make_spectrum(BOSS, masked=0.02)
    assert spectrum.quality is not None
    spectrum.flux[spectrum.quality != 0] = np.nan
    spectrum.uncertainty[spectrum.quality != 0] = -1
    assert prepare([spectrum], COMMON_GRID).quality_flags[0] == 0


def test_bits_say_what_a_user_should_know(make_spectrum: Maker) -> None:
    spectra = [
        make_spectrum(BOSS, quality=None),
        make_spectrum(BOSS, flux_unit="ct"),
        make_spectrum(BOSS, masked=0.2),
        make_spectrum(ARMS),
        make_spectrum(BOSS, sky_fibre=True),
    ]
    wanted = [
        Quality.NO_QUALITY_ARRAY,
        Quality.UNCALIBRATED_FLUX,
        Quality.MASKED_PIXELS,
        Quality.GAPS,
        Quality.SKY_FIBRE,
    ]
    assert [Quality(int(bits)) for bits in prepare(spectra, COMMON_GRID).quality_flags] == wanted


def test_masked_ends_are_not_masked_pixels_inside_the_spectrum(make_spectrum: Maker) -> None:
    spectrum = make_spectrum(BOSS, masked=0.0)
    assert spectrum.quality is not None
    spectrum.quality[:1500] = 1
    batch = prepare([spectrum], COMMON_GRID)
    assert batch.quality_flags[0] == 0
    assert batch.coverage[0] == pytest.approx(1 - 500 / 1557, abs=1e-3)


def test_nothing_is_made_of_a_spectrum_without_valid_pixels(make_spectrum: Maker) -> None:
    outside = GridAxis("LINEAR", 15000.0, 1.0, 2000)
    dead = make_spectrum(BOSS, quality=np.ones(BOSS.n, np.int32))
    narrow = make_spectrum(COARSE, sampling="NARROWBAND")
    batch = prepare([dead, make_spectrum(outside), narrow], COMMON_GRID)
    assert not batch.flux.any()
    assert not batch.inverse_variance.any()
    assert np.isnan(batch.snr).all()
    assert (batch.coverage == 0).all()


def test_one_absurd_pixel_does_not_spoil_the_others(make_spectrum: Maker) -> None:
    spectrum = make_spectrum(BOSS)
    clean = prepare([spectrum], COMMON_GRID)
    spectrum.flux[2000] = 3e38
    spoiled = prepare([spectrum], COMMON_GRID)
    assert np.isfinite(spoiled.flux).all()
    np.testing.assert_allclose(np.delete(spoiled.flux[0], 667), np.delete(clean.flux[0], 667), rtol=1e-2)


def test_the_byte_order_and_the_layout_of_arrays_change_nothing(make_spectrum: Maker) -> None:
    plain = make_spectrum(BOSS)
    swapped = replace(plain, flux=plain.flux.astype(">f4"), uncertainty=plain.uncertainty.astype(np.float64))
    spaced = replace(plain, flux=np.repeat(plain.flux, 2)[::2], quality=np.repeat(plain.quality, 2)[::2])
    first, *others = prepare([plain, swapped, spaced], COMMON_GRID).flux
    assert all(other.tobytes() == first.tobytes() for other in others)


def test_an_unknown_unit_is_refused(make_spectrum: Maker) -> None:
    with pytest.raises(UnitError, match="ampere"):
        prepare([make_spectrum(BOSS, flux_unit="erg/cm^2/s/A")], COMMON_GRID)


@given(
    start=st.floats(3000, 9000), step=st.floats(0.05, 60), n=st.integers(1, 400), seed=st.integers(0, 99),
    special=st.lists(st.tuples(st.integers(0, 399), st.sampled_from([np.nan, np.inf, -np.inf, 0, -1, 1e38, 1e-38]))),
    kind=st.sampled_from(["SIGMA", "VARIANCE", "IVAR"]), log10_size=st.floats(-18, 18),
)  # fmt: skip
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_output_is_finite_and_masked_pixels_are_zero_for_any_input(
    make_spectrum: Maker, start: float, step: float, n: int, seed: int,
    special: list[tuple[int, float]], kind: str, log10_size: float,
) -> None:  # fmt: skip
    spectrum = make_spectrum(GridAxis("LINEAR", start, step, n), seed=seed, uncertainty_kind=kind)
    spectrum = replace(spectrum, flux=(spectrum.flux * 10.0**log10_size).astype(np.float32))
    for index, (pixel, value) in enumerate(special):
        (spectrum.flux, spectrum.uncertainty)[index % 2][pixel % n] = value
    batch = prepare([spectrum, spectrum], COMMON_GRID)
    assert np.isfinite(batch.flux).all()
    assert np.isfinite(batch.inverse_variance).all()
    assert (batch.inverse_variance >= 0).all()
    assert not batch.flux[batch.inverse_variance == 0].any()
    assert np.isfinite(batch.scale).all()
    assert same(batch, 0, batch, 1)


def test_real_spectra_keep_their_signal_to_noise_and_finite_values(make_spectrum: Maker, data_dir: Path) -> None:
    with np.load(data_dir / "spectra" / "real_spectra.npz") as real:
        scale = real["scale"].astype(np.float32)[:64, None]
        flux = real["flux"][:64].astype(np.float32) * scale
        ivar = real["ivar"][:64].astype(np.float32) / scale**2
    axis = GridAxis("LOG10", 3.55, 1e-4, 4671)
    spectra = [make_spectrum(axis, flux=f, uncertainty=v, quality=None) for f, v in zip(flux, ivar, strict=True)]
    batch = prepare(spectra, COMMON_GRID)
    binned = ivar.reshape(64, 1557, 3).sum(axis=2)
    np.testing.assert_array_equal(batch.inverse_variance > 0, binned > 0)
    np.testing.assert_allclose(batch.inverse_variance / batch.scale[:, None] ** 2, binned, rtol=1e-5)
    assert np.isfinite(batch.snr).all()


def test_another_grid_is_served_by_the_same_code(make_spectrum: Maker, slow_prepare: Callable[..., tuple]) -> None:
    grid = CommonGrid(3.6, 2e-4, 500)
    spectrum = make_spectrum(BOSS)
    slow = slow_prepare(spectrum, grid)
    np.testing.assert_allclose(prepare([spectrum], grid).flux[0], slow[0], atol=1e-4)
