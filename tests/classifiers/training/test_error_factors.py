"""Factors on redshift errors bring pulls to a width of one, at each S/N."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.bundle.calibration import Calibration
from classifiers.training.error_factors import classifier_error_factor, error_factor, galaxy_error_factors
from classifiers.training.samples import Samples
from classifiers.training.simulation.scheme import CLASSES, KINDS
from classifiers.verdict.redshift import error_factors

N, PIXELS = 6000, 64


@pytest.fixture
def galaxies() -> tuple[Samples, dict[str, np.ndarray], np.ndarray]:
    """Return galaxies without lines, what a network says of them, and by how much its errors are too small."""
    rng = np.random.default_rng(1)
    snr = np.exp(rng.uniform(np.log(1.0), np.log(90.0), N))
    wrong = 8.0 / snr
    redshift = rng.uniform(0.1, 0.5, N)
    samples = Samples(
        flux=np.ones((N, PIXELS), np.float16),
        significance=np.repeat(snr[:, None], PIXELS, axis=1).astype(np.float16),
        class_target=np.zeros((N, len(CLASSES) + 1), np.float32),
        class_index=np.full(N, CLASSES.index("GALAXY_nan")),
        other_type=np.full(N, -1),
        kind=np.full(N, KINDS.index("GALAXY")),
        redshift=redshift,
        snr=snr,
        broad_absorption=np.zeros(N, np.bool_),
    )
    logits = np.zeros((N, len(CLASSES) + 1), np.float32)
    logits[:, CLASSES.index("GALAXY_nan")] = 5.0
    found = {
        "class_logits": logits,
        "redshift": (redshift + 0.01 * wrong * rng.standard_normal(N)).astype(np.float32),
        "redshift_error": np.full(N, 0.01, np.float32),
    }
    return samples, found, wrong


def test_errors_that_are_as_wrong_as_the_signal_is_weak_are_mended_at_each_snr(galaxies: tuple) -> None:  # type: ignore[type-arg]
    samples, found, wrong = galaxies
    by_snr = galaxy_error_factors(samples, found)
    assert len(by_snr) == 9
    calibration = Calibration(id="c", n=1, redshift_error_by_snr=by_snr)
    factors = error_factors(calibration, np.full(N, "GALAXY"), samples.snr)
    inside = (samples.snr > by_snr[0][0]) & (samples.snr < by_snr[-1][0])
    assert np.abs(np.log(factors / wrong))[inside].max() < 0.35
    one = classifier_error_factor(samples, found)
    pull = np.abs(found["redshift"] - samples.redshift) / found["redshift_error"]
    assert np.mean(pull < one) == pytest.approx(0.6827, abs=0.001)


def test_spectra_with_lines_and_thin_bins_say_nothing(galaxies: tuple) -> None:  # type: ignore[type-arg]
    samples, found, _ = galaxies
    samples.class_index[:] = CLASSES.index("GALAXY_STARBURST")
    assert galaxy_error_factors(samples, found) == ()
    samples.class_index[:99] = CLASSES.index("GALAXY_nan")
    assert galaxy_error_factors(samples, found) == ()


def test_no_object_gives_no_factor() -> None:
    nothing = np.empty(0, np.float32)
    assert error_factor(nothing, nothing, np.empty(0)) == 1.0
