"""Spectra without their stated noise: which are found, and that real ones never are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.training.evaluation.damage import black_body, constant_but_for_one
from classifiers.training.evaluation.real_spectra import real_spectra
from classifiers.verdict.noiseless import LEAST_PLACES, noiseless_rows

BINS = 400


def seen(noise: float, correlation: float = 0.0, n: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Return smooth flux with noise of so many times the stated errors of 0.1, and its weights."""
    rng = np.random.default_rng(3)
    white = rng.standard_normal((n, BINS + 1))
    chi = (white[:, 1:] + correlation * white[:, :-1]) / np.hypot(1.0, correlation)
    flux = 1.0 + np.sin(np.linspace(0.0, 3.0, BINS)) + 0.1 * noise * chi
    return flux.astype(np.float32), np.full((n, BINS), 100.0, np.float32)


@pytest.mark.parametrize(("noise", "correlation"), [(1.0, 0.0), (2.0, 0.0), (0.5, 0.0), (0.5, 0.7), (0.2, 0.0)])
def test_noise_of_any_size_that_instruments_have_is_noise(noise: float, correlation: float) -> None:
    assert not noiseless_rows(*seen(noise, correlation)).any()


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.02])
def test_a_smooth_curve_with_errors_that_nothing_shows_has_none(noise: float) -> None:
    flux, weight = seen(noise)
    flux[:, 100] *= 2.0
    assert noiseless_rows(flux, weight).all()


def test_lines_are_no_noise_but_no_calm_either() -> None:
    flux, weight = seen(0.0)
    lines = np.random.default_rng(4).random(BINS) < 0.3
    assert not noiseless_rows(np.where(lines, flux * np.float32(0.7), flux), weight).any()


def test_masked_neighbours_and_few_places_are_not_judged() -> None:
    flux, weight = seen(0.0)
    weight[:, ::3] = 0.0
    assert not noiseless_rows(flux, weight).any()
    weight[:] = 0.0
    weight[:, : LEAST_PLACES + 1] = 100.0
    assert not noiseless_rows(flux, weight).any()
    weight[:, : LEAST_PLACES + 2] = 100.0
    assert noiseless_rows(flux, weight).all()


def test_a_rows_answer_depends_on_it_alone() -> None:
    flux, weight = seen(1.0)
    flux[7] = 1.0
    found = noiseless_rows(flux, weight)
    assert np.flatnonzero(found).tolist() == [7]
    np.testing.assert_array_equal(noiseless_rows(flux[::-1].copy(), weight[::-1].copy()), found[::-1])
    assert noiseless_rows(flux[:0], weight[:0]).size == 0


def test_real_spectra_have_noise_and_black_bodies_with_their_errors_have_none(data_dir: Path) -> None:
    spectra, _ = real_spectra(data_dir / "spectra")
    rng = np.random.default_rng(5)
    prepared = prepare(spectra, COMMON_GRID)
    assert not noiseless_rows(prepared.flux, prepared.inverse_variance).any()
    for damage in (black_body, constant_but_for_one):
        damaged = prepare([damage(item, rng) for item in spectra], COMMON_GRID)
        assert noiseless_rows(damaged.flux, damaged.inverse_variance).all()
