"""A spectrum is split into exposures whose mean it is, with the noise of a part of the time each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from classifiers.training.evaluation.exposures import coadded, split
from classifiers.training.evaluation.real_spectra import native_spectra
from classifiers.training.simulation.grid import PIXELS

ONES = np.ones((1, PIXELS), np.float32)


def test_exposures_have_the_noise_of_their_time_and_the_spectrum_as_their_coadd() -> None:
    rng = np.random.default_rng(1)
    truth, sigma = np.float32(5.0), np.float32(0.5)
    (item,) = native_spectra(truth + sigma * rng.standard_normal(ONES.shape).astype(np.float32), ONES / sigma**2)
    parts = split(item, 3, rng)
    noise = np.stack([part.flux for part in parts]) - truth
    np.testing.assert_allclose(noise.std(axis=1), np.sqrt(3.0) * sigma, rtol=0.05)
    np.testing.assert_allclose([np.median(part.uncertainty) for part in parts], 1.0 / (3.0 * sigma**2), rtol=1e-5)
    np.testing.assert_allclose(np.corrcoef(noise)[np.triu_indices(3, 1)], 0.0, atol=0.06)
    together = coadded(parts)
    np.testing.assert_allclose(together.flux, item.flux, rtol=1e-4)
    np.testing.assert_allclose(together.uncertainty, item.uncertainty, rtol=1e-5)


def test_masked_pixels_stay_masked_and_as_they_are() -> None:
    weight = ONES.copy()
    weight[0, 100:200] = 0.0
    (item,) = native_spectra(2.0 * ONES, weight)
    for part in split(item, 4, np.random.default_rng(2)):
        assert (part.uncertainty[100:200] == 0).all()
        np.testing.assert_array_equal(part.flux[100:200], 2.0)
    other = replace(item, flux=4.0 * ONES[0], uncertainty=3.0 * ONES[0])
    both = coadded([item, other])
    assert both.flux[50] == pytest.approx(3.5)
    assert both.flux[150] == pytest.approx(4.0)
    assert both.uncertainty[150] == pytest.approx(3.0)


def test_a_spectrum_with_other_uncertainties_is_refused() -> None:
    (item,) = native_spectra(ONES, ONES)
    with pytest.raises(ValueError, match="expected inverse variances, got SIGMA"):
        split(replace(item, uncertainty_kind="SIGMA"), 2, np.random.default_rng(3))
