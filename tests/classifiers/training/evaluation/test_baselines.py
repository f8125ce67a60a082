"""The classical fits: they find what their own templates were shifted and scaled to, and do well on real spectra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.training.evaluation.cross_correlation import best_redshifts
from classifiers.training.evaluation.real_spectra import real_spectra
from classifiers.training.evaluation.star_fit import star_types
from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, PIXELS, native_log10


@pytest.mark.slow
def test_a_template_under_a_smooth_throughput_and_noise_is_found(data_dir: Path) -> None:
    rng = np.random.default_rng(5)
    wanted = ["A0", "F5", "G2", "K3", "K5"]
    with np.load(data_dir / "spectra" / "sdss_speigen.npz") as stored:
        names = [str(name) for name in stored["spEigenStar-53724__names"]]
        templates = stored["spEigenStar-53724__flux"].astype(float)
    first = round((3.578 - LOG10_START) / LOG10_STEP)
    flux = np.zeros((len(wanted), PIXELS))
    for row, name in enumerate(wanted):
        shift = int(rng.integers(-4, 5))
        template = templates[names.index(name)]
        flux[row, first + shift : first + shift + template.size] = template / np.median(template)
    flux *= 1.0 + 0.3 * np.linspace(-1.0, 1.0, PIXELS) ** 2
    weight = np.where(flux > 0, 400.0, 0.0)
    noisy = np.where(flux > 0, flux + 0.05 * rng.standard_normal(flux.shape), 0.0)
    found = star_types(data_dir / "spectra", noisy.astype(np.float32), weight.astype(np.float32))
    assert found == wanted


@pytest.mark.slow
def test_a_shifted_eigenspectrum_is_found_at_its_redshift(data_dir: Path) -> None:
    rng = np.random.default_rng(6)
    with np.load(data_dir / "spectra" / "sdss_speigen.npz") as stored:
        galaxy, quasar = (stored[f"{name}__flux"][0].astype(float) for name in ("spEigenGal-56436", "spEigenQSO-55732"))
        starts = [float(stored[f"{name}__loglam"][0]) for name in ("spEigenGal-56436", "spEigenQSO-55732")]
    truth = [("GALAXY", 0.1234), ("GALAXY", 0.567), ("QSO", 0.81), ("QSO", 2.345), ("QSO", 4.0)]
    rows = []
    for kind, z in truth:
        vector, start = (galaxy, starts[0]) if kind == "GALAXY" else (quasar, starts[1])
        rest = start + LOG10_STEP * np.arange(vector.size)
        row = np.interp(native_log10() - np.log10(1.0 + z), rest, vector)
        rows.append(row / np.median(np.abs(row)))
    flux = np.array(rows) + 0.1 * rng.standard_normal((len(truth), PIXELS))
    kinds, found = best_redshifts(data_dir / "spectra", flux.astype(np.float32), np.full(flux.shape, 100.0, np.float32))
    assert kinds == [kind for kind, _ in truth]
    np.testing.assert_allclose(found, [z for _, z in truth], atol=5e-4)


@pytest.mark.slow
def test_real_quasars_and_galaxies_get_the_surveys_redshift(data_dir: Path) -> None:
    spectra, labels = real_spectra(data_dir / "spectra")
    rows = [row for row, label in enumerate(labels) if label.group in ("GALAXY", "QSO")][:40]
    flux, weight = (np.stack([getattr(spectra[row], name) for row in rows]) for name in ("flux", "uncertainty"))
    _, found = best_redshifts(data_dir / "spectra", flux, weight)
    truth = np.array([labels[row].redshift for row in rows])
    assert (np.abs(found - truth) / (1 + truth) < 0.0033).mean() > 0.8
