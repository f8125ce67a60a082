"""Measured lines: true on spectra whose lines are known, the same in any batch, finite on anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.items import GridAxis, quality_of
from classifiers.lines.measure import MeasuredLines, measure_lines
from classifiers.lines.table import C_KM_S, NAMES
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.plain import plain_means

pytestmark = pytest.mark.slow

EmitterMaker = Callable[..., Any]


def measured(
    made: Any, quasar: bool = False, offset_km_s: float = 100.0, power: float = np.nan, order: Any = None
) -> MeasuredLines:
    n = len(made.spectra)
    rows = np.arange(n) if order is None else np.asarray(order)
    means = plain_means(made.spectra, COMMON_GRID, np.ones(n))
    start = made.redshift + offset_km_s / C_KM_S * (1 + made.redshift) * np.random.default_rng(0).standard_normal(n)
    return measure_lines(
        means.flux[rows],
        means.inverse_variance[rows],
        start[rows],
        np.full(rows.size, quasar),
        np.full(rows.size, power),
    )


def width(pull: np.ndarray) -> float:
    return float(np.quantile(np.abs(pull), 0.6827))


@pytest.fixture(scope="module")
def narrow(emitters: EmitterMaker) -> Any:
    return emitters(800, 5, snr=(3.0, 15.0))


@pytest.mark.parametrize("name", ["H alpha", "[N II] 6583", "H beta", "[O III] 5007", "[S II] 6716", "H gamma"])
def test_pulls_of_line_fluxes_have_a_width_of_one(narrow: Any, name: str) -> None:
    lines, column = measured(narrow, quasar=True), NAMES.index(name)
    pull = (lines.flux[:, column] - narrow.flux[name]) / lines.flux_error[:, column]
    assert 0.9 < width(pull) < 1.1
    assert abs(np.median(pull)) < 0.2


@pytest.mark.parametrize("name", ["H beta", "[O III] 5007"])
def test_pulls_of_widths_have_a_width_of_one(narrow: Any, name: str) -> None:
    lines, column = measured(narrow, quasar=True), NAMES.index(name)
    pull = (lines.sigma[:, column] - narrow.sigma_km_s) / lines.sigma_error[:, column]
    assert 0.9 < width(pull) < 1.1


def test_pulls_of_the_redshift_have_a_width_of_one(narrow: Any) -> None:
    lines = measured(narrow, quasar=True)
    assert 0.9 < width((lines.redshift - narrow.redshift) / lines.redshift_error) < 1.1


def test_broad_lines_are_found_broad(emitters: EmitterMaker) -> None:
    wanted = {"Mg II 2799": 60.0, "C III] 1909": 60.0}
    made = emitters(500, 6, sigma_km_s=(1200.0, 3000.0), snr=(8.0, 30.0), redshift=(1.0, 1.8), line_flux=wanted)
    lines, column = measured(made, quasar=True, offset_km_s=400.0), NAMES.index("Mg II 2799")
    pull = (lines.sigma[:, column] - made.sigma_km_s) / lines.sigma_error[:, column]
    assert 0.9 < width(pull) < 1.1
    pull = (lines.flux[:, column] - made.flux["Mg II 2799"]) / lines.flux_error[:, column]
    assert 0.9 < width(pull) < 1.1


def test_equivalent_widths_are_of_the_rest_frame(narrow: Any) -> None:
    lines, column = measured(narrow, quasar=True), NAMES.index("H alpha")
    pull = (lines.equivalent_width[:, column] - 60.0) / lines.equivalent_width_error[:, column]
    assert abs(np.median(lines.equivalent_width[:, column]) - 60.0) < 1.0
    assert 0.9 < width(pull) < 1.2


def test_what_the_instrument_adds_is_taken_from_the_width(emitters: EmitterMaker) -> None:
    made = emitters(40, 7, sigma_km_s=(150.0, 150.0001), snr=(30.0, 40.0))
    sharp = measured(made, quasar=True, power=C_KM_S / 2.3548 / 90.0)
    assert np.median(sharp.velocity_width[:, NAMES.index("H alpha")]) == pytest.approx(120.0, abs=4.0)
    blurred = measured(made, quasar=True, power=C_KM_S / 2.3548 / 300.0)
    assert (blurred.velocity_width[:, NAMES.index("H alpha")] == 0.0).all()


FOURMOST_POWER = 6500.0
FOURMOST = GridAxis("LINEAR", 3700.0, 0.25, 23_200)
SDSS_POWER = 1900.0
AXIS = GridAxis("LOG10", 3.55, 1e-4, 4671)


def through_an_instrument(emitters: EmitterMaker, width_km_s: float, power: float, **options: Any) -> Any:
    """Return spectra whose lines have this width before an instrument of this resolving power broadens them."""
    observed = np.hypot(width_km_s, C_KM_S / 2.3548 / power)
    return emitters(30, 21, sigma_km_s=(observed, observed + 1e-6), **options)


@pytest.mark.parametrize("width_km_s", [20.0, 40.0])
@pytest.mark.parametrize("snr", [(3.0, 5.0), (20.0, 30.0)])
def test_lines_narrower_than_the_fit_can_tell_are_not_resolved(
    emitters: EmitterMaker, width_km_s: float, snr: tuple[float, float]
) -> None:
    """They are not published with what the narrowest fitted profile has beyond a sharp instrument's."""
    made = through_an_instrument(emitters, width_km_s, FOURMOST_POWER, snr=snr, axis=FOURMOST)
    for power in (FOURMOST_POWER, np.nan):
        lines, columns = measured(made, quasar=True, power=power), [NAMES.index("H alpha"), NAMES.index("[O III] 5007")]
        assert (lines.velocity_width[:, columns] == 0.0).all()
        assert (lines.velocity_width_error[:, columns] > width_km_s).all()  # they may be as wide as they are


@pytest.mark.parametrize(
    ("power", "axis", "width_km_s"),
    [(SDSS_POWER, AXIS, width_km_s) for width_km_s in (20.0, 40.0, 70.0, 120.0, 200.0)]
    + [(FOURMOST_POWER, FOURMOST, width_km_s) for width_km_s in (70.0, 120.0, 200.0)],
)
def test_widths_of_resolved_lines_are_those_before_the_instrument(
    emitters: EmitterMaker, power: float, axis: GridAxis, width_km_s: float
) -> None:
    made = through_an_instrument(emitters, width_km_s, power, snr=(20.0, 30.0), axis=axis)
    width = measured(made, quasar=True, power=power).velocity_width[:, NAMES.index("[O III] 5007")]
    assert np.median(width) == pytest.approx(width_km_s, abs=6.0)


def test_a_width_within_its_error_of_the_instruments_is_none_and_its_bound_is_given(emitters: EmitterMaker) -> None:
    """Weak lines as wide as the instrument: none is published whose error exceeds it."""
    weak = {"[O III] 5007": 6.0, "H beta": 3.0}
    made = through_an_instrument(emitters, 20.0, SDSS_POWER, snr=(3.0, 4.0), line_flux=weak)
    lines, column = measured(made, quasar=True, power=SDSS_POWER), NAMES.index("[O III] 5007")
    width, error = lines.velocity_width[:, column], lines.velocity_width_error[:, column]
    assert (width == 0.0).any()
    assert ((width == 0.0) | (width > error)).all()
    assert (width + 4.0 * error > 20.0).all()


def test_pulls_of_widths_before_the_instrument_have_a_width_of_one(emitters: EmitterMaker) -> None:
    made = emitters(400, 22, sigma_km_s=(120.0, 250.0), snr=(3.0, 8.0))
    lines, column = measured(made, quasar=True, power=SDSS_POWER), NAMES.index("[O III] 5007")
    truth = np.sqrt(made.sigma_km_s**2 - (C_KM_S / 2.3548 / SDSS_POWER) ** 2)
    assert 0.85 < width((lines.velocity_width[:, column] - truth) / lines.velocity_width_error[:, column]) < 1.15


def test_a_line_outside_the_grid_or_under_a_mask_is_not_measured(emitters: EmitterMaker) -> None:
    made = emitters(2, 8, redshift=(0.1, 0.1001))
    good = np.ones(made.spectra[1].axis.n, np.bool_)
    middle = round((np.log10(6564.6 * 1.1) - 3.55) / 1e-4)
    good[middle - 12 : middle + 13] = False
    made.spectra[1] = replace(made.spectra[1], quality=quality_of(good))
    lines = measured(made)
    assert np.isfinite(lines.flux[0, NAMES.index("H alpha")])
    assert np.isnan(lines.flux[1, NAMES.index("H alpha")])
    assert np.isnan(lines.flux[:, [NAMES.index("Ly alpha"), NAMES.index("Mg II 2799")]]).all()


def test_a_rows_lines_are_the_same_bits_in_any_batch(narrow: Any) -> None:
    def columns(lines: MeasuredLines) -> list[np.ndarray]:
        return [np.ascontiguousarray(getattr(lines, field.name)) for field in fields(lines)]

    for quasar in (False, True):
        whole = columns(measured(narrow, quasar))
        for seed, size in ((1, 800), (2, 77), (3, 2), (4, 1)):
            order = np.random.default_rng(seed).permutation(800)[:size]
            for values, found in zip(whole, columns(measured(narrow, quasar, order=order)), strict=True):
                assert values[order].tobytes() == found.tobytes()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["noise", "one pixel", "gap", "ends", "huge", "zero weight", "constant", "spikes"]),
    st.floats(-0.05, 7.5),
    st.booleans(),
)
def test_nothing_infinite_and_no_negative_error_comes_of_damaged_spectra(
    seed: int, damage: str, redshift: float, quasar: bool
) -> None:
    rng = np.random.default_rng(seed)
    flux, weight = rng.standard_normal((2, COMMON_GRID.n)).astype(np.float32), np.ones((2, COMMON_GRID.n), np.float32)
    if damage == "one pixel":
        weight[:, np.arange(COMMON_GRID.n) != rng.integers(COMMON_GRID.n)] = 0
    elif damage == "gap":
        start = rng.integers(COMMON_GRID.n)
        weight[:, start : start + 400] = 0
    elif damage == "ends":
        weight[:, rng.integers(1, 60) : -rng.integers(1, 60)] = 0
    elif damage == "huge":
        flux, weight = flux * np.float32(1e6), weight * np.float32(1e10)
    elif damage == "zero weight":
        weight[:] = 0
    elif damage == "constant":
        flux[:] = 1
    elif damage == "spikes":
        flux[:, rng.integers(0, COMMON_GRID.n, 9)] += np.float32(1e4)
    flux[weight == 0] = 0
    lines = measure_lines(flux, weight, np.full(2, redshift), np.full(2, quasar), np.array([2000.0, np.nan]))
    for name in ("flux", "flux_error", "published_error", "equivalent_width", "velocity_width", "sigma", "redshift"):
        assert not np.isinf(getattr(lines, name)).any(), name
    there = np.isfinite(lines.flux)
    assert (there == np.isfinite(lines.flux_error)).all()
    assert (lines.flux_error[there] > 0).all()
    assert (lines.velocity_width[there] >= 0).all()
    assert np.abs(np.log((1 + lines.redshift) / (1 + redshift)) * C_KM_S).max() < 1600.0
