"""Real spectra through the J-PAS bands: photometry as it should be, and the shipped bundle right on most of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.training.narrowband.bands import NAMES
from classifiers.training.narrowband.real import evaluate_real, items_at, real_photometry
from classifiers.training.narrowband.simulator import NarrowbandSimulator

MODELS = Path(__file__).resolve().parents[4] / "classifiers" / "models"


@pytest.mark.slow
def test_photometry_of_real_spectra_is_at_the_wanted_magnitude_in_the_bands_that_they_cover(data_dir: Path) -> None:
    """The band uJava lies beyond all of them; no sky; errors as at r = 21, and fainter sources have larger ones."""
    simulator = NarrowbandSimulator.load()
    real = real_photometry(data_dir / "spectra", simulator.photometry)
    assert not real.covered[:, NAMES.index("uJava")].any()
    assert real.covered[:, NAMES.index("J0660")].mean() > 0.95
    assert {label.group for label in real.labels} == {"GALAXY", "QSO", "STAR", "OTHER"}
    bright, faint = (items_at(real, r, simulator.pivot_angstrom, np.random.default_rng(1)) for r in (19.0, 22.0))
    middle = NAMES.index("J0630")
    ratio = [one.flux[middle] / one.uncertainty[middle] for one in bright]
    weaker = [one.flux[middle] / one.uncertainty[middle] for one in faint]
    assert np.median(ratio) > 4 * np.median(weaker) > 20


@pytest.mark.slow
def test_the_shipped_bundle_holds_on_real_spectra(data_dir: Path) -> None:
    """Measured 2026-11-21 and left room: quasars at r = 21 are found, with redshifts, few others taken for them."""
    found = evaluate_real(MODELS / "jpas-qso-finder", data_dir / "spectra")["by_r"]["21"]
    assert found["QSO"]["right"] >= 0.93 * found["QSO"]["n"]
    assert found["STAR"]["right"] >= 0.85 * found["STAR"]["n"]
    assert found["others taken for quasars"]["right"] <= 0.12 * found["others taken for quasars"]["n"]
    assert found["quasar redshifts"]["nmad"] < 0.01
    assert found["unknown"]["right"] <= 0.1 * found["unknown"]["n"]
