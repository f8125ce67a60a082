"""A spectrum is split into exposures whose mean it is, with noise of a part of the time; what right errors give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from classifiers.items import Spectrum
from classifiers.training.evaluation.answers import Answers, Scored
from classifiers.training.evaluation.document import Number, Table
from classifiers.training.evaluation.exposures import coadded, exposures, split
from classifiers.training.evaluation.real_spectra import native_spectra
from classifiers.training.simulation.grid import PIXELS
from tests.classifiers.training.evaluation.answered import label, verdicts

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


def test_right_errors_have_the_width_that_the_table_expects() -> None:
    """A measurement of the mean flux stands for the redshift: its error is known for exposure and coadd alike."""
    n, rng = 400, np.random.default_rng(4)
    noise = rng.standard_normal((n, PIXELS)).astype(np.float32)
    items = native_spectra(2.0 + noise, np.ones((n, PIXELS), np.float32))
    labels = [label(row, "GALAXY_AGN", 2.0) for row in range(n)]

    def classify(spectra: list[Spectrum], stage: str) -> Answers:
        del stage
        flux = np.array([item.flux.mean(dtype=np.float64) for item in spectra])
        error = np.array([float(item.uncertainty[0]) ** -0.5 / np.sqrt(PIXELS) for item in spectra])
        return Answers.of([verdicts(["GALAXY_AGN"] * len(spectra), redshift=flux, redshift_error=error)])

    section = exposures({"real": (Scored(labels, classify(items, "")), items)}, classify, rng)
    table = section.items[0]
    assert isinstance(table, Table)
    (row,) = table.rows
    cells = dict(zip(table.columns, row, strict=True))
    width, expected = cells["width of redshift differences over their error"], cells["width if errors were right"]
    assert isinstance(width, Number)
    assert expected == pytest.approx(np.sqrt(2.0 / 3.0), abs=1e-3)
    assert width.value == pytest.approx(np.sqrt(2.0 / 3.0), rel=0.06)
    assert "made-up Gaussian noise" in section.text
    assert "width of 0.82" in section.text
