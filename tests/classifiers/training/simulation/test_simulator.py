"""The simulator: determinism, physics, and labels that obey the surveys' rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.training.simulation.basis import Basis, BasisError
from classifiers.training.simulation.emission import LINES, REST_ANGSTROM, add_lines
from classifiers.training.simulation.families import ACTIVE, PASSIVE, STARBURST
from classifiers.training.simulation.galaxies import Galaxies
from classifiers.training.simulation.grid import PIXELS, air_to_vacuum, native_wavelength, rows_at
from classifiers.training.simulation.instruments import BY_NAME, INSTRUMENTS, NAMES
from classifiers.training.simulation.scheme import CLASSES, FIRST_STAR, KINDS, OTHER_INDEX, OTHER_TYPES, SKY_INDEX
from classifiers.training.simulation.simulator import SimulatedBatch, Simulator
from classifiers.training.simulation.stars import Stars

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator.load()


@pytest.fixture(scope="module")
def batch(simulator: Simulator) -> SimulatedBatch:
    return simulator.draw(600, np.random.default_rng(5))


def test_the_same_seed_draws_the_same_bytes_and_another_seed_does_not(simulator: Simulator) -> None:
    first = simulator.draw(40, np.random.default_rng(11))
    again = simulator.draw(40, np.random.default_rng(11))
    other = simulator.draw(40, np.random.default_rng(12))
    assert first.flux.tobytes() == again.flux.tobytes()
    assert first.inverse_variance.tobytes() == again.inverse_variance.tobytes()
    assert (first.class_index == again.class_index).all()
    assert first.flux.tobytes() != other.flux.tobytes()


def test_drawn_arrays_are_finite_and_masked_pixels_are_zero(batch: SimulatedBatch) -> None:
    assert batch.flux.shape == batch.inverse_variance.shape == (600, PIXELS)
    assert batch.flux.dtype == batch.inverse_variance.dtype == np.float32
    assert np.isfinite(batch.flux).all()
    assert np.isfinite(batch.inverse_variance).all()
    assert (batch.inverse_variance >= 0).all()
    assert (batch.flux[batch.inverse_variance == 0] == 0).all()
    assert ((batch.inverse_variance > 0).mean(axis=1) > 0.5).all()


def test_every_class_kind_other_type_and_instrument_occurs(batch: SimulatedBatch) -> None:
    assert set(batch.class_index) == set(range(OTHER_INDEX + 1))
    assert set(batch.kind) == set(range(len(KINDS))) - {KINDS.index("NOVEL")}
    assert set(batch.other_type) == set(range(-1, len(OTHER_TYPES)))
    assert {NAMES[index] for index in batch.instrument} == {entry.name for entry in INSTRUMENTS if entry.weight > 0}


def test_labels_agree_with_kinds_and_soft_labels_sum_to_one(batch: SimulatedBatch) -> None:
    names = np.array([*CLASSES, "OTHER"])[batch.class_index]
    prefix = np.array([name.split("_")[0] for name in names])
    assert (prefix == np.array(KINDS)[batch.kind]).all()
    np.testing.assert_allclose(batch.class_target.sum(axis=1), 1.0, atol=1e-5)
    drawn = (batch.class_index >= FIRST_STAR) & (batch.class_target.max(axis=1) < 1.0)  # stars: from the probabilities
    assert (batch.class_target.argmax(axis=1) == batch.class_index)[~drawn].all()
    assert (batch.class_target[np.arange(len(batch)), batch.class_index] > 0).all()


def test_blank_sky_has_no_signal_beyond_its_noise(simulator: Simulator) -> None:
    drawn = simulator.draw(300, np.random.default_rng(3), kinds={"OTHER": 1.0})
    sky = drawn.other_type == SKY_INDEX
    significance = drawn.flux * np.sqrt(drawn.inverse_variance)
    medians = np.array([np.median(row[row != 0]) for row in significance[sky]])
    assert np.abs(medians).max() < 1.0
    assert (drawn.redshift[sky] == 0).all()


@pytest.mark.parametrize("instrument", ["WEAVE", "4MOST_HRS"])
def test_gaps_between_detectors_and_windows_have_no_weight(simulator: Simulator, instrument: str) -> None:
    drawn = simulator.draw(20, np.random.default_rng(12), instrument, kinds={"STAR": 1.0})
    wavelength = native_wavelength()
    for low, high in BY_NAME[instrument].gaps_angstrom:
        assert (drawn.inverse_variance[:, (wavelength > low) & (wavelength < high)] == 0).all()
        beside = ((wavelength > low - 40) & (wavelength < low - 1)) | (
            (wavelength > high + 1) & (wavelength < high + 40)
        )
        assert (drawn.inverse_variance[:, beside] > 0).mean() > 0.9


def test_measured_signal_to_noise_is_what_was_aimed_at(simulator: Simulator) -> None:
    drawn = simulator.draw(200, np.random.default_rng(4), instrument="SDSS", kinds={"STAR": 1.0})
    measured = []
    for flux, weight in zip(drawn.flux, drawn.inverse_variance, strict=True):
        good = weight > 0
        measured.append(np.median(flux[good]) * np.median(np.sqrt(weight[good])))
    assert abs(np.median(np.log(np.array(measured) / drawn.snr))) < 0.15


@pytest.mark.parametrize("redshift", [0.02, 0.11, 0.3])
def test_lines_appear_at_their_wavelength_times_one_plus_z(redshift: float) -> None:
    flux = np.zeros((1, PIXELS), dtype=np.float32)
    strengths = np.zeros((1, len(LINES)))
    strengths[0, LINES.index("H alpha")] = 100.0
    add_lines(flux, strengths, np.array([redshift]), np.full((1, len(LINES)), 120.0))
    wavelength = native_wavelength()
    centroid = float((flux[0] * wavelength).sum() / flux[0].sum())
    assert centroid == pytest.approx(REST_ANGSTROM["H alpha"] * (1 + redshift), rel=2e-5)


@pytest.mark.parametrize("sigma_km_s", [20.0, 40.0, 150.0])
def test_line_flux_is_conserved_in_rest_frame_angstrom(sigma_km_s: float) -> None:
    flux = np.zeros((1, PIXELS), dtype=np.float32)
    strengths = np.zeros((1, len(LINES)))
    strengths[0, LINES.index("[O III] 5007")] = 42.0
    add_lines(flux, strengths, np.array([0.2]), np.full((1, len(LINES)), sigma_km_s))
    rest = native_wavelength() / 1.2
    assert float(np.sum(flux[0] * np.gradient(rest))) == pytest.approx(42.0, rel=0.02)


def test_simulated_starburst_peaks_at_redshifted_halpha() -> None:
    galaxies = Galaxies(Basis.load())
    redshift = np.linspace(0.02, 0.3, 12)
    flux, truth = galaxies.at(redshift, np.full(12, STARBURST), np.random.default_rng(1))
    wavelength = native_wavelength()
    for row, z in enumerate(truth.redshift):
        near = np.abs(wavelength / (1 + z) - 6564.6) < 12
        around = (np.abs(wavelength / (1 + z) - 6564.6) < 90) & ~near & (np.abs(wavelength / (1 + z) - 6567) > 30)
        assert flux[row, near].max() > 2.0 * np.median(flux[row, around])


def test_passive_galaxies_break_at_4000_angstrom() -> None:
    galaxies = Galaxies(Basis.load())
    flux, _ = galaxies.at(np.full(30, 0.1), np.full(30, PASSIVE), np.random.default_rng(2))
    rest = native_wavelength() / 1.1
    red = flux[:, (rest > 4050) & (rest < 4250)].mean(axis=1)
    blue = flux[:, (rest > 3750) & (rest < 3950)].mean(axis=1)
    assert np.median(red / blue) > 1.35


def test_line_free_labels_dominate_at_low_signal_to_noise(simulator: Simulator) -> None:
    drawn = simulator.draw(500, np.random.default_rng(8), kinds={"GALAXY": 1.0})
    unlabelled = drawn.class_index == CLASSES.index("GALAXY_nan")
    assert unlabelled[drawn.snr < 3].mean() > unlabelled[drawn.snr > 25].mean() + 0.15


def test_bright_quasars_are_broadline_and_faint_ones_often_are_not(simulator: Simulator) -> None:
    drawn = simulator.draw(500, np.random.default_rng(9), kinds={"QSO": 1.0})
    broad = drawn.class_index == CLASSES.index("QSO_BROADLINE")
    assert broad[drawn.snr > 10].mean() > 0.9
    assert broad[drawn.snr < 1.2].mean() < 0.5


def test_unknown_instrument_and_kind_are_refused_by_name(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match=r"SDSS.*'HUBBLE'"):
        simulator.draw(2, np.random.default_rng(0), instrument="HUBBLE")
    with pytest.raises(ValueError, match="COMET"):
        simulator.draw(2, np.random.default_rng(0), kinds={"COMET": 1.0})


def test_fractional_offsets_interpolate_between_pixels() -> None:
    ramp = np.arange(PIXELS + 20, dtype=np.float32)[None, :]
    np.testing.assert_allclose(rows_at(ramp, np.array([3.25]))[0, :4], [3.25, 4.25, 5.25, 6.25])


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 0.8])
def test_shifts_by_fractions_of_a_pixel_do_not_widen_lines(fraction: float) -> None:
    at = np.arange(PIXELS + 20, dtype=np.float64)
    line = np.exp(-0.5 * ((at - 2000.0) / 1.2) ** 2).astype(np.float32)[None, :]
    shifted = rows_at(line, np.array([3.0 + fraction]))[0].astype(np.float64)
    pixel = np.arange(PIXELS)
    mean = (shifted * pixel).sum() / shifted.sum()
    assert mean == pytest.approx(1997.0 - fraction, abs=0.01)
    assert (shifted * (pixel - mean) ** 2).sum() / shifted.sum() == pytest.approx(1.2**2, abs=0.03)


def test_lines_are_as_wide_as_the_instrument_makes_them() -> None:
    galaxies = Galaxies(Basis.load())
    redshift, family = np.full(8, 0.1), np.full(8, STARBURST)
    seen = [NAMES.index(name) for name in ("SDSS", "DESI", "4MOST_LRS")]
    drawn = [galaxies.at(redshift, family, np.random.default_rng(1), np.full(8, index)) for index in seen]
    column = LINES.index("H alpha")
    gas = np.sqrt(drawn[0][1].sigma_km_s[:, column] ** 2 - 55.5**2)  # SDSS at 7221 Angstrom
    for (_, truth), spread in zip(drawn, (55.5, 38.7, 28.0), strict=True):
        np.testing.assert_allclose(truth.sigma_km_s[:, column], np.hypot(gas, spread), rtol=0.01)
    peaks = [flux[:, np.abs(native_wavelength() / 1.1 - 6564.6) < 12].max(axis=1) for flux, _ in drawn]
    assert (peaks[2] > peaks[1]).all()
    assert (peaks[1] > peaks[0]).all()


def test_a_few_cosmic_rays_are_many_times_as_high_as_most(simulator: Simulator) -> None:
    drawn = simulator.draw(600, np.random.default_rng(5), instrument="DESI", kinds={"STAR": 1.0})
    seen = drawn.inverse_variance > 0
    above = drawn.flux[:, 1:-1] - np.maximum(drawn.flux[:, :-2], drawn.flux[:, 2:])
    step = (above * np.sqrt(drawn.inverse_variance[:, 1:-1]))[seen[:, :-2] & seen[:, 1:-1] & seen[:, 2:]]
    above_10, above_50 = (step > 10).sum(), (step > 50).sum()
    assert 100 < above_10 < 800
    assert 0.02 < above_50 / above_10 < 0.3


def test_most_m_dwarfs_are_early_but_late_ones_are_there() -> None:
    wavelength = native_wavelength()
    far, near = ((wavelength > low) & (wavelength < high) for low, high in ((8400, 9000), (5800, 6400)))
    stars = Stars(Basis.load())
    dwarfs, _ = stars.draw_other(np.full(400, OTHER_TYPES.index("M")), np.random.default_rng(2))
    colour = np.log(np.median(dwarfs[:, far], axis=1) / np.median(dwarfs[:, near], axis=1))
    assert 0.3 < np.median(colour) < 0.9
    assert np.percentile(colour, 95) > 1.8


def test_air_to_vacuum_agrees_with_published_lines() -> None:
    air = np.array([4861.333, 6562.819, 5006.843])
    np.testing.assert_allclose(air_to_vacuum(air), [4862.69, 6564.61, 5008.24], atol=0.03)


def test_foreign_files_are_no_basis(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BasisError, match="does not exist"):
        Basis.load(tmp_path / "absent.npz")
    np.savez(tmp_path / "foreign.npz", x=np.zeros(3))
    with pytest.raises(BasisError, match="provenance"):
        Basis.load(tmp_path / "foreign.npz")


def test_active_galaxies_lie_above_the_star_forming_sequence() -> None:
    galaxies = Galaxies(Basis.load())
    _, truth = galaxies.at(np.full(2000, 0.1), np.full(2000, ACTIVE), np.random.default_rng(6))
    index = {name: LINES.index(name) for name in ("[O III] 5007", "H beta", "H alpha", "[N II] 6583")}
    flux = truth.line_flux
    oiii = np.log10(flux[:, index["[O III] 5007"]] / flux[:, index["H beta"]])
    nii = np.log10(flux[:, index["[N II] 6583"]] / flux[:, index["H alpha"]])
    assert (oiii > 0.22 - 1.2 * nii).mean() > 0.8


@pytest.mark.parametrize("name", ["LAMOST", "LAMOST_BRIGHT"])
def test_arms_of_faint_lamost_spectra_disagree_more_than_those_of_bright_ones(simulator: Simulator, name: str) -> None:
    """Beyond what noise and steps of SDSS do: flux just redward of the dichroic over flux well redward of it."""

    def scatter(snr: float, instrument: str) -> float:
        rng = np.random.default_rng(11)
        clean = np.ones((400, PIXELS), np.float32)
        entry = BY_NAME[instrument]
        seen = simulator.expose_at(clean, np.full(400, snr), entry, rng)
        simulator.noise_model.add_residuals(seen.flux, seen.sigma, entry, rng)
        wavelength = native_wavelength()
        near, far = ((wavelength > low) & (wavelength < high) for low, high in ((5910, 5990), (6600, 6900)))
        return float(np.std(seen.flux[:, near].mean(axis=1) / seen.flux[:, far].mean(axis=1)))

    assert scatter(3.0, name) > 1.4 * scatter(60.0, name)
    assert scatter(3.0, "LAMOST_BRIGHT") > 1.5 * scatter(3.0, "SDSS")


def test_noise_of_lamosts_first_release_repeats_every_seventh_pixel_or_so_in_the_far_red(simulator: Simulator) -> None:
    """As in its spectra: fringes beyond 7230 A; by 0.4 with the next pixel in the blue; far ones of sky."""
    entry, rng = BY_NAME["LAMOST"], np.random.default_rng(12)
    chi, wavelength = _deviations(simulator, 10.0, rng), native_wavelength()

    def correlation(low: float, high: float, lag: int) -> float:
        """Of neighbours' differences, which slow waves that sky subtraction leaves do not reach."""
        part = chi[:, (wavelength > low) & (wavelength < high)]
        apart = part[:, 40:] - part[:, :-40]
        return float((apart[:, lag:] * apart[:, : apart.shape[1] - lag]).mean() / (apart**2).mean())

    taps = np.array([1.0, *entry.red_correlation])
    expected = {lag: taps[lag:] @ taps[: taps.size - lag] / (taps @ taps) for lag in range(1, taps.size)}
    assert expected[1] > 0.5
    assert expected[3] < -0.2
    assert expected[6] > 0.1
    assert correlation(4300, 5600, 1) == pytest.approx(0.38, abs=0.06)
    for lag, value in expected.items():
        assert correlation(7300, 8180, lag) == pytest.approx(value, abs=0.06)
    assert correlation(8300, 8900, 4) > 0.4
    assert correlation(8300, 8900, 12) == pytest.approx(0.0, abs=0.1)


def test_faint_spectra_of_lamosts_first_release_have_less_noise_than_their_errors_say(simulator: Simulator) -> None:
    """Differences of neighbours beside their errors, 3900-4500 A: 0.57 below S/N 15, 0.73 above 40 in its spectra."""
    blue = (native_wavelength() > 3900) & (native_wavelength() < 4500)

    def power(snr: float) -> float:
        chi = _deviations(simulator, snr, np.random.default_rng(13))[:, blue]
        return float(np.median(np.abs(np.diff(chi, n=2, axis=1))) * 1.4826 / np.sqrt(6.0))

    assert power(10.0) == pytest.approx(0.55, abs=0.06)
    assert power(60.0) == pytest.approx(0.70, abs=0.06)


def _deviations(simulator: Simulator, snr: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return (200, 4671) noise of LAMOST's first release in units of its errors, on spectra of flux 1."""
    entry = BY_NAME["LAMOST"]
    seen = simulator.expose_at(np.ones((200, PIXELS), np.float32), np.full(200, snr), entry, rng)
    before = seen.flux.copy()
    simulator.noise_model.add_noise(seen.flux, seen.sigma, replace(entry, sky_residual=0.0, cosmic_rays=0.0), rng)
    return np.asarray((seen.flux - before) / seen.sigma)
