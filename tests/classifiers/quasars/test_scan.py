"""The scan finds the least chi-square that plain least squares at every shift would find."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.preprocess.grid import COMMON_GRID
from classifiers.quasars.eigenspectra import eigenspectra
from classifiers.quasars.scan import STRIDE, TERMS, scan

REACH = 6 * STRIDE


def templates_at(pixel: int) -> NDArray[np.float64]:
    """Return the eigenspectra on the common grid at log10(1 + z) of so many pixels, zero where there is none."""
    given = eigenspectra()
    flat = np.moveaxis(given.binned, 0, 2).reshape(given.binned.shape[1], -1)
    places = given.origin - pixel + 3 * np.arange(COMMON_GRID.n)
    inside = (places >= 1) & (places <= given.pixels - 2)
    return np.where(inside, flat[:, np.clip(places, 0, flat.shape[1] - 1)], np.nan)


def plain_chi2(flux: NDArray[np.float32], weight: NDArray[np.float32], pixel: int, guess: int) -> float:
    """Fit with the library where the eigenspectra reach at every shift within reach of the guess."""
    ends = [templates_at(guess + end) for end in (-REACH - STRIDE - 1, REACH + STRIDE + 1)]
    rows = np.flatnonzero(np.isfinite(ends).all(axis=(0, 1)) & (weight > 0))
    x = np.linspace(-1.0, 1.0, COMMON_GRID.n)
    design = np.vstack([np.vander(x, TERMS).T, templates_at(pixel)])[:, rows].T
    root = np.sqrt(weight[rows].astype(np.float64))
    solution = np.linalg.lstsq(design * root[:, None], flux[rows] * root, rcond=None)[0]
    return float((((flux[rows] - design @ solution) * root) ** 2).sum())


def quasar(pixel: int, seed: int, noise: float = 0.05) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    model = np.nan_to_num(np.array([1.0, 0.3, -0.2, 0.1]) @ templates_at(pixel))
    flux = model / np.abs(model).mean() + noise * rng.standard_normal(COMMON_GRID.n)
    weight = np.where(rng.random(COMMON_GRID.n) < 0.1, 0.0, noise**-2.0)
    return (flux * (weight > 0)).astype(np.float32), weight.astype(np.float32)


def scanned(
    flux: NDArray[np.float32], weight: NDArray[np.float32], guess: NDArray[np.int64]
) -> tuple[NDArray[np.float64], ...]:
    n, given = len(flux), eigenspectra()
    place, bins, chi2, elsewhere = np.empty(n, np.int64), np.empty(n, np.int64), np.empty((n, 3)), np.empty(n)
    scan(given.binned, given.origin, given.pixels, flux, weight, guess, REACH, 1.0, place, chi2, elsewhere, bins)
    return place, chi2, elsewhere, bins


@pytest.mark.parametrize("pixel", [60, 1_500, 3_333, 5_000, 7_302])
def test_the_scan_is_plain_least_squares_at_every_shift(pixel: int) -> None:
    guess = pixel + 7
    flux, weight = quasar(pixel, pixel)
    place, chi2, _, bins = scanned(flux[None], weight[None], np.array([guess]))
    expected = {each: plain_chi2(flux, weight, each, guess) for each in range(pixel - 3, pixel + 4)}
    best = min(expected, key=expected.__getitem__)
    assert place[0] == best
    np.testing.assert_allclose(chi2[0], [expected[best + step] for step in (-1, 0, 1)], rtol=1e-6)
    assert bins[0] > 1_000


def test_another_minimum_that_fits_as_well_widens_the_error() -> None:
    """Noise alone has its least anywhere; a bright quasar has one."""
    sharp, weight = quasar(2_000, 1)
    faint = (sharp * 1e-3 + np.random.default_rng(2).standard_normal(COMMON_GRID.n)).astype(np.float32)
    elsewhere = scanned(np.stack([sharp, faint]), np.stack([weight, np.ones_like(weight)]), np.array([2_000, 2_000]))[2]
    assert elsewhere[0] < 1e-6
    assert elsewhere[1] > STRIDE**2


def test_nothing_to_fit_is_said_so() -> None:
    """No weight at all, and redshifts at which the eigenspectra are elsewhere."""
    flux, weight = quasar(2_000, 3)
    place, chi2, _, bins = scanned(np.stack([flux] * 2), np.stack([weight * 0, weight]), np.array([2_000, 13_700]))
    assert place.tolist() == [2_000, 13_700]
    assert np.isnan(chi2).all()
    assert bins[0] == 0
