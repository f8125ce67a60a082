"""The size of the flux unit decides nothing: a spectrum in units of any size is the same object, and is told as one.

Powers of two leave every bit of a float32 mantissa: the answers are the same bits. Any other factor rounds each pixel
anew, by 6e-8 of it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from classifiers.classifier import Classifier, Verdicts
from classifiers.items import Spectrum
from classifiers.suite import MODELS, open_suites
from classifiers.training.evaluation.real_spectra import native_spectra, real_spectra
from classifiers.training.simulation.simulator import Simulator

REAL, SIMULATED = 16, 16
PROBABILITIES = {"p_qso": 1e-4, "p_qso_high_z": 1e-4, "p_bal": 1e-4, "p_other": 3e-3}
"""By how much each may differ. ``p_other`` of a star weighs fits of templates against each other: of a bright A star
8e-4 of it hang on the rounding."""
P_VALUES = {"anomaly_p_value": 1e-3, "unknown_p_value": 1e-3}
"""Ranks among thousands: the last bit of a score may change one of them."""
LINE_SIGMAS = 0.02
"""By how much of its error a line's flux may differ, or by a thousandth of itself."""
REDSHIFTS = ("redshift", "redshift_qso")
UNCERTAINTY_POWER = {"SIGMA": 1, "VARIANCE": 2, "IVAR": -2}


@pytest.fixture(scope="module")
def spectra(data_dir: Path) -> list[Spectrum]:
    """Return real spectra of all kinds that there are labels of, and simulated ones of all kinds."""
    real = real_spectra(data_dir / "spectra")[0]
    drawn = Simulator.load().draw(SIMULATED, np.random.default_rng(31))
    return [*real[:: len(real) // REAL][:REAL], *native_spectra(drawn.flux, drawn.inverse_variance)]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    names = ("spectral-classifier", "spectral-anomaly", "qso-finder")
    return open_suites([MODELS / name for name in names])["spectrum"]


@pytest.fixture(scope="module")
def plain(classifier: Classifier, spectra: list[Spectrum]) -> Verdicts:
    return classifier.classify(spectra)


def in_units(spectrum: Spectrum, factor: float) -> Spectrum:
    """Return a spectrum whose numbers are ``factor`` times as large, flux and errors together."""
    power = factor ** UNCERTAINTY_POWER[spectrum.uncertainty_kind]
    flux = (spectrum.flux.astype(np.float64) * factor).astype(np.float32)
    uncertainty = (spectrum.uncertainty.astype(np.float64) * power).astype(np.float32)
    return replace(spectrum, flux=flux, uncertainty=uncertainty)


def assert_same_decisions(scaled: Verdicts, plain: Verdicts) -> None:
    """Everything that is no real number: classes, the unknown flag and why, the bits of quality, what is absent."""
    for name in ("top_class", "zwarn", "unknown", "quality_flags"):
        np.testing.assert_array_equal(getattr(scaled, name), getattr(plain, name), err_msg=name)
    assert list(scaled.unknown_reason) == list(plain.unknown_reason)
    assert list(scaled.other_type) == list(plain.other_type)
    assert scaled.columns.keys() == plain.columns.keys()
    for name, column in plain.columns.items():
        np.testing.assert_array_equal(np.isnan(scaled.columns[name]), np.isnan(column), err_msg=name)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.floats(-14, 14))
@example(-14.0)
@example(14.0)
def test_no_answer_depends_on_the_size_of_the_flux_unit(
    classifier: Classifier, spectra: list[Spectrum], plain: Verdicts, decades: float
) -> None:
    """Over 28 decades, through the whole lane: classes, probabilities, redshifts, p-values, flags; lines follow it."""
    factor = 10.0**decades
    scaled = classifier.classify([in_units(each, factor) for each in spectra])
    assert_same_decisions(scaled, plain)
    np.testing.assert_allclose(scaled.class_probabilities, plain.class_probabilities, rtol=0, atol=1e-4)
    for name, tolerance in {**PROBABILITIES, **P_VALUES}.items():
        np.testing.assert_allclose(scaled.columns[name], plain.columns[name], rtol=0, atol=tolerance, err_msg=name)
    for name in REDSHIFTS:
        np.testing.assert_allclose(1 + scaled.columns[name], 1 + plain.columns[name], rtol=1e-4, err_msg=name)
    assert plain.lines is not None
    assert scaled.lines is not None
    difference = np.abs(scaled.lines.flux / factor - plain.lines.flux)
    allowed = np.maximum(LINE_SIGMAS * plain.lines.flux_error, 1e-3 * np.abs(plain.lines.flux))
    measured = ~np.isnan(plain.lines.flux)
    np.testing.assert_array_equal(~np.isnan(scaled.lines.flux), measured)
    assert (difference[measured] <= allowed[measured]).all()


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.integers(-45, 45))
def test_a_power_of_two_changes_no_bit(
    classifier: Classifier, spectra: list[Spectrum], plain: Verdicts, exponent: int
) -> None:
    factor = 2.0**exponent
    scaled = classifier.classify([in_units(each, factor) for each in spectra])
    assert_same_decisions(scaled, plain)
    assert scaled.class_probabilities.tobytes() == plain.class_probabilities.tobytes()
    for name, column in plain.columns.items():
        assert scaled.columns[name].tobytes() == column.tobytes(), name
    assert plain.lines is not None
    assert scaled.lines is not None
    np.testing.assert_array_equal(scaled.lines.flux, plain.lines.flux * factor)
