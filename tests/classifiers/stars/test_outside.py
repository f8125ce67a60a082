"""Templates outside the scheme against those inside: each fits itself best, and rows say nothing of each other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.stars.evidence import OUTSIDE, WEIGHT, outside_probability
from classifiers.stars.measure import LEAST_BINS
from classifiers.stars.outside import outside_misfits
from classifiers.stars.templates import OUTSIDE_TYPES, Templates, outside, templates

Float32 = NDArray[np.float32]


def seen(known: Templates, snr: float, bins_to_the_red: float = 0.0, seed: int = 1) -> tuple[Float32, Float32]:
    """Return all templates of a group, sloping, with white noise."""
    bins = slice(known.covered().start + 3, known.covered().stop - 3)
    rows = known.binned(np.arange(len(known.names)), bins, np.array([bins_to_the_red]))[:, 0]
    rows = rows * np.linspace(0.6, 1.5, rows.shape[1])
    flux, weight = np.zeros((2, len(rows), 1557), np.float32)
    flux[:, bins] = rows + np.random.default_rng(seed).standard_normal(rows.shape) / snr
    weight[:, bins] = snr**2
    return flux, weight


@pytest.mark.parametrize("shift", [0.0, -1.5, 0.5, 2.0])
def test_templates_are_told_apart_at_any_velocity_of_ordinary_stars(shift: float) -> None:
    inside, others = (outside_misfits(*seen(group(), 20.0, shift)) for group in (templates, outside))
    assert (inside.min(axis=1) > 0.5).all()
    assert (others.min(axis=1) < -2.0).all()
    assert (others.argmin(axis=1) == outside().star_type).all()


def test_no_slope_tells_types_apart() -> None:
    slope = np.exp(np.linspace(-0.4, 0.4, 1557)).astype(np.float32)
    for group in (templates, outside):
        flux, weight = seen(group(), 30.0)
        sloping = outside_misfits(flux * slope, weight / slope**2)
        np.testing.assert_allclose(sloping, outside_misfits(flux, weight), rtol=0.3, atol=3.0)


def test_the_scale_of_the_flux_changes_nothing() -> None:
    flux, weight = seen(outside(), 10.0)
    factor = np.float32(8.0)
    np.testing.assert_allclose(
        outside_misfits(flux * factor, weight / factor**2), outside_misfits(flux, weight), rtol=1e-4, atol=1e-3
    )


def test_rows_do_not_depend_on_each_other_bit_for_bit() -> None:
    flux, weight = (np.tile(each, (5, 1)) for each in seen(outside(), 3.0))
    flux += np.random.default_rng(2).standard_normal(flux.shape).astype(np.float32) / 3
    found = outside_misfits(flux, weight)
    order = np.random.default_rng(3).permutation(len(flux))
    np.testing.assert_array_equal(outside_misfits(flux[order], weight[order]), found[order])
    for rows in (slice(0, 1), slice(3, 5), slice(15, 18), slice(0, 33)):
        np.testing.assert_array_equal(outside_misfits(flux[rows], weight[rows]), found[rows])


def test_noise_says_less_the_fainter_a_star_is() -> None:
    bright, faint = (np.abs(outside_misfits(*seen(outside(), snr))).mean() for snr in (30.0, 1.0))
    assert faint < 0.2 * bright


def test_what_shows_too_little_is_not_fitted() -> None:
    flux, weight = seen(outside(), 10.0)
    weight[:, 400 + LEAST_BINS - 10 :] = 0.0
    weight[:, :400] = 0.0
    assert np.isnan(outside_misfits(flux, weight)).all()


@pytest.mark.parametrize(
    ("flux", "weight"), [(0.0, 1.0), (1.0, 1.0), (1e6, 1e10), (-1e6, 1e10), (1e-6, 1e-8), (6e4, 3.6e9)]
)
def test_featureless_spectra_give_numbers_and_no_warning(flux: float, weight: float) -> None:
    found = outside_misfits(np.full((3, 1557), flux, np.float32), np.full((3, 1557), weight, np.float32))
    assert found.shape == (3, len(OUTSIDE_TYPES))
    assert np.isfinite(found).all()


def test_templates_speak_only_against_another_type() -> None:
    network, kind = np.array([0.3, 0.6, 0.9, 0.6, 0.6]), np.full(5, OUTSIDE_TYPES.index("WD"))
    found = outside_probability(network, np.array([-50.0, -50.0, 200.0, 0.0, np.nan]), kind)
    np.testing.assert_array_equal(found[[0, 1, 4]], network[[0, 1, 4]])
    assert found[2] == pytest.approx((1.0 - WEIGHT) * 0.9, abs=1e-6)
    assert (1.0 - WEIGHT) * 0.6 < found[3] < 0.6


def test_templates_say_nothing_of_m_dwarfs_whose_first_type_they_lack() -> None:
    assert tuple(OUTSIDE) == OUTSIDE_TYPES
    one_each = outside_probability(np.full(4, 0.8), np.full(4, 60.0), np.arange(4))
    dwarf = OUTSIDE_TYPES.index("M")
    assert one_each[dwarf] == 0.8
    assert np.delete(one_each, dwarf).max() < 0.2
