"""The samples beside the real labelled spectra: how many, what they say, and that seeds repeat."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.training.evaluation.other_samples import (
    desi_coadds,
    double_redshifts,
    in_host_light,
    ozdes_transients,
    simulated,
    supernova_templates,
    supernovae,
)
from classifiers.training.evaluation.real_spectra import native_spectra, real_spectra
from classifiers.training.evaluation.tidal import tidal_disruptions
from classifiers.training.simulation.grid import native_wavelength
from classifiers.training.simulation.scheme import CLASSES


def test_each_desi_target_comes_once_with_its_arms_joined(data_dir: Path) -> None:
    spectra, labels = desi_coadds(data_dir / "spectra")
    assert len(spectra) == len({label.object_id for label in labels}) == 14
    assert Counter(label.group for label in labels) == {"QSO": 12, "": 2}
    prepared = prepare(spectra, COMMON_GRID)
    assert prepared.coverage.min() > 0.9
    assert np.isfinite(prepared.snr).all()


def test_supernovae_have_the_noise_that_was_asked_for_and_no_models_are_among_them(data_dir: Path) -> None:
    names, templates = supernova_templates(data_dir / "spectra")
    assert len(names) == 104
    assert not any("theory" in name for name in names)
    np.testing.assert_allclose(np.nanmedian(templates, axis=1), 1.0, rtol=1e-5)
    spectra, _ = supernovae(data_dir / "spectra", 10.0, np.random.default_rng(1))
    again, _ = supernovae(data_dir / "spectra", 10.0, np.random.default_rng(1))
    np.testing.assert_array_equal(spectra[5].flux, again[5].flux)
    assert np.median(prepare(spectra, COMMON_GRID).snr) == pytest.approx(10.0 * np.sqrt(3.0), rel=0.1)


def test_supernovae_are_seen_as_an_instrument_would_see_them(data_dir: Path) -> None:
    _, templates = supernova_templates(data_dir / "spectra")
    spectra, labels = supernovae(data_dir / "spectra", 10.0, np.random.default_rng(1), "4MOST_LRS")
    again, _ = supernovae(data_dir / "spectra", 10.0, np.random.default_rng(1), "4MOST_LRS")
    np.testing.assert_array_equal(spectra[5].flux, again[5].flux)
    assert [label.snr for label in labels] == [10.0] * 104
    assert len({label.object_id for label in labels}) == 63  # many were seen at several ages
    wavelength = native_wavelength()
    flux, weight = (np.stack([getattr(item, name) for item in spectra]) for name in ("flux", "uncertainty"))
    seen = weight > 0
    outside = (wavelength < 3700.0) | (wavelength > 9505.0)
    assert not seen[:, outside].any()
    assert not seen[np.isnan(templates)].any()
    assert (flux[~seen] == 0).all()
    assert np.isfinite(flux).all()
    depth = [np.median(f[s]) * np.median(np.sqrt(w[s])) for f, w, s in zip(flux, weight, seen, strict=True)]
    assert np.median(depth) == pytest.approx(10.0, rel=0.1)
    middle = (wavelength > 5600.0) & (wavelength < 7400.0)
    blue = (wavelength > 3750.0) & (wavelength < 3950.0)
    noise = [np.median(1.0 / np.sqrt(weight[:, part][seen[:, part]])) for part in (blue, middle)]
    assert noise[0] > 1.5 * noise[1], "the spectrograph is less sensitive in the blue"


def test_transients_with_hosts_are_read_whole(data_dir: Path) -> None:
    spectra, labels = ozdes_transients(data_dir / "spectra")
    assert len(spectra) == len(labels) == 69
    assert len({label.object_id for label in labels}) == 67  # two were seen twice
    assert np.median([label.snr for label in labels]) > 1.0


def test_a_supernova_without_a_share_of_the_light_leaves_the_galaxy_as_it_was(data_dir: Path) -> None:
    spectra, labels = real_spectra(data_dir / "spectra")
    row = next(row for row, label in enumerate(labels) if label.group == "GALAXY")
    flux, weight = spectra[row].flux[None, :], spectra[row].uncertainty[None, :]
    _, templates = supernova_templates(data_dir / "spectra")
    redshift = np.array([0.05])

    def mixed(fraction: float) -> list[np.ndarray]:
        rng = np.random.default_rng(3)
        made, hosts = in_host_light(flux, weight, redshift, templates, fraction, rng, 4)
        assert hosts.tolist() == [0] * 4
        return [np.where(item.uncertainty > 0, item.flux, np.nan) for item in made]

    host, half, alone = mixed(0.0), mixed(0.5), mixed(1.0)
    assert len(host) == len(half) == len(alone) == 4
    seen = np.isfinite(host[0])
    np.testing.assert_allclose(host[0][seen], flux[0][seen], rtol=1e-6)
    np.testing.assert_allclose(half[0][seen], 0.5 * (host[0][seen] + alone[0][seen]), rtol=1e-4, atol=1e-3)


def test_hosts_are_named_where_a_galaxy_takes_fewer_supernovae_than_it_should(data_dir: Path) -> None:
    """The first sees all templates; the second sees one alone, which covers what is left of it."""
    flux, weight = np.ones((2, 4671), np.float32), np.ones((2, 4671), np.float32)
    weight[1, 1000:] = 0.0
    templates = np.ones((3, 4671), np.float32)
    templates[1:, :1500] = np.nan
    weight[0, :2000] = 0.0
    made, hosts = in_host_light(flux, weight, np.zeros(2), templates, 0.5, np.random.default_rng(5), 3)
    assert len(made) == 4
    assert hosts.tolist() == [0, 0, 0, 1]


def test_two_redshifts_in_one_fibre_are_of_each_object_once_as_its_own_and_once_as_partner() -> None:
    """Fifty epochs of one quasar are one object; galaxies of one redshift have no partner among themselves."""
    objects = ["often"] * 50 + [f"far-{row}" for row in range(20)] + [f"near-{row}" for row in range(20)]
    redshift = np.concatenate([np.full(50, 2.0), np.linspace(1.0, 1.4, 20), np.full(20, 0.1)])
    levels = 2.0 + np.arange(90, dtype=np.float32)
    pixel = np.random.default_rng(6).normal(1.0, 0.1, (90, 4671)).astype(np.float32)
    flux = pixel / np.median(pixel, axis=1, keepdims=True) * levels[:, None]
    spectra = native_spectra(flux, np.ones_like(flux))
    pairs = double_redshifts(spectra, redshift, objects, np.random.default_rng(7))
    again = double_redshifts(spectra, redshift, objects, np.random.default_rng(7))
    assert [item.flux.tobytes() for item in pairs] == [item.flux.tobytes() for item in again]
    unit = flux / levels[:, None]
    assert 30 <= len(pairs) <= 41
    members = [_members(item.flux, unit) for item in pairs]
    assert all(abs(redshift[a] - redshift[b]) > 0.05 * (1.0 + min(redshift[a], redshift[b])) for a, b in members)
    assert len({tuple(sorted(pair)) for pair in members}) == len(members)
    assert max(Counter(objects[row] for pair in members for row in pair).values()) <= 2
    assert sum("often" in (objects[a], objects[b]) for a, b in members) == 2


def test_two_objects_make_one_pair() -> None:
    """The second does not take the first for its partner again, which would be the same light."""
    spectra = native_spectra(np.ones((2, 4671), np.float32), np.ones((2, 4671), np.float32))
    pairs = double_redshifts(spectra, np.array([0.1, 1.0]), ["near", "far"], np.random.default_rng(8))
    assert len(pairs) == 1


def _members(blend: np.ndarray, unit: np.ndarray) -> tuple[int, int]:
    """Return the two of the spectra, (n, pixel) of median 1, that a blend is the sum of."""
    parts = (unit - 1.0) @ (blend / np.median(blend) - 1.0)
    one, other = np.argsort(parts)[-2:].tolist()
    return one, other


@pytest.mark.slow
def test_simulations_repeat_with_their_seed_and_carry_the_truth() -> None:
    spectra, labels = simulated(256, 9)
    again, _ = simulated(256, 9)
    other, _ = simulated(256, 10)
    np.testing.assert_array_equal(spectra[7].flux, again[7].flux)
    assert not np.array_equal(spectra[7].flux, other[7].flux)
    assert {label.class_name for label in labels} <= {None, *CLASSES}
    assert all((label.class_name is None) == (label.other_type is not None) for label in labels)
    assert all((label.group == "SKY") == (label.other_type == "SKY") for label in labels)


@pytest.mark.slow
def test_simulations_of_one_instrument_and_of_some_kinds_are_of_these_alone() -> None:
    _, labels = simulated(64, 9, "4MOST_LRS", {"OTHER": 1.0})
    assert {label.survey for label in labels} == {"4MOST_LRS"}
    assert {label.group for label in labels} == {"OTHER", "SKY"}


def test_tidal_disruptions_are_hot_and_have_lines_broader_than_quasars() -> None:
    """Bluer than 9,000 K; more than half have a line of hydrogen; the same from the same seed."""
    made, wavelength = tidal_disruptions(200, np.random.default_rng(4)), native_wavelength()
    assert np.isfinite(made).all()
    assert made.tobytes() == tidal_disruptions(200, np.random.default_rng(4)).tobytes()
    np.testing.assert_allclose(np.median(made, axis=1), 1.0, rtol=1e-5)

    def level(low: float, high: float) -> np.ndarray:
        return np.asarray(made[:, (wavelength > low) & (wavelength < high)].mean(axis=1))

    assert (level(3900.0, 4000.0) > 2.0 * level(7900.0, 8100.0)).all()
    above = level(6500.0, 6630.0) / (0.5 * (level(5600.0, 5700.0) + level(7400.0, 7500.0)))
    assert 0.5 < np.mean(above > 1.08) < 0.8
    slow = np.abs(wavelength / 6564.61 - 1.0) * 299_792.458
    core, wing = made[:, slow < 1000.0].mean(axis=1), made[:, (slow > 2500.0) & (slow < 3000.0)].mean(axis=1)
    assert np.median((wing / core)[above > 1.08]) > 0.8
