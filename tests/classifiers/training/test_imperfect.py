"""What training spectra lose, and arms that do not join."""

from __future__ import annotations

import numpy as np

from classifiers.training.imperfect import LEAST_LEFT, LOSING, STEPPING, kept, spoil

BINS = 1557


def _spectra(n: int) -> tuple[np.ndarray, np.ndarray]:
    significance = np.full((n, BINS), 4.0, np.float16)
    significance[:, :60] = significance[:, -150:] = 0
    return np.where(significance > 0, 1.0, 0.0).astype(np.float16), significance


def test_a_fifth_of_the_spectra_loses_bins_and_none_loses_too_many() -> None:
    _, significance = _spectra(3000)
    left = kept(significance, np.random.default_rng(1))
    losing = ~left.all(axis=1)
    assert abs(losing.mean() - LOSING) < 0.03
    assert ((left & (significance > 0)).sum(axis=1) >= LEAST_LEFT * BINS).all()
    share = 1.0 - left[losing][:, 60:-150].mean(axis=1)
    assert share.max() > 0.5
    assert np.median(share) > 0.1
    assert not left[:, 60].all()
    assert not left[:, -151].all()


def test_all_lose_bins_where_that_is_asked_for() -> None:
    _, significance = _spectra(500)
    left = kept(significance, np.random.default_rng(1), losing=1.0)
    assert (~left.all(axis=1)).mean() > 0.95


def test_a_spectrum_that_has_little_stays_as_it_is() -> None:
    significance = np.zeros((500, BINS), np.float16)
    significance[:, 700 : 700 + int(LEAST_LEFT * BINS)] = 4.0
    assert kept(significance, np.random.default_rng(2)).all()


def test_arms_that_do_not_join_keep_their_signal_to_noise() -> None:
    flux, significance = _spectra(2000)
    spoil(flux, significance, np.random.default_rng(3))
    whole = (significance > 0).sum(axis=1) == BINS - 210
    stepped = whole & (flux[:, 100] != flux[:, -200])
    assert abs(stepped.sum() / whole.sum() - STEPPING) < 0.02
    good = significance > 0
    np.testing.assert_allclose((flux * significance)[good].astype(np.float64), 4.0, rtol=3e-3)
    assert (flux[~good] == 0).all()


def test_the_same_generator_spoils_the_same() -> None:
    first, second = _spectra(200), _spectra(200)
    spoil(*first, np.random.default_rng(4))
    spoil(*second, np.random.default_rng(4))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_brightest_spectra_stay_finite_whatever_their_arms_do() -> None:
    largest = np.full((400, BINS), np.finfo(np.float16).max)
    flux, significance = largest.copy(), largest.copy()
    spoil(flux, significance, np.random.default_rng(4), losing=0.0)
    assert np.isfinite(flux).all()
    assert np.isfinite(significance).all()
    assert (flux < largest).any(axis=1).mean() > STEPPING / 4
