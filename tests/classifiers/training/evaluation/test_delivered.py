"""Samples on an instrument's own pixels: their axis, their truth, their depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.items import GridAxis
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.training.evaluation.delivered import simulated_as_delivered, supernovae_as_delivered
from classifiers.training.evaluation.other_samples import supernovae
from classifiers.training.simulation.scheme import CLASSES


@pytest.mark.slow
def test_records_of_a_form_lie_on_its_own_pixels_and_carry_the_truth() -> None:
    spectra, labels = simulated_as_delivered(64, 9, "4MOST_LRS")
    assert {item.axis for item in spectra} == {GridAxis("LINEAR", 3700.0, 0.25, 23_201)}
    assert {item.medium for item in spectra} == {"AIR"}
    assert prepare(spectra, COMMON_GRID).coverage.min() > 0.6
    assert {label.class_name for label in labels} <= {None, *CLASSES}
    assert all((label.group == "SKY") == (label.other_type == "SKY") for label in labels)
    assert all((label.class_name is None) == (label.group in ("SKY", "OTHER")) for label in labels)
    assert {label.group for label in labels} >= {"GALAXY", "QSO", "STAR"}


def test_supernovae_are_as_deep_on_own_pixels_as_on_native_ones(data_dir: Path) -> None:
    own, labels = supernovae_as_delivered(data_dir / "spectra", 10.0, np.random.default_rng(1), "4MOST_LRS")
    native, _ = supernovae(data_dir / "spectra", 10.0, np.random.default_rng(1), "4MOST_LRS")
    assert [label.group for label in labels] == ["TRANSIENT"] * 104
    assert {item.axis for item in own} == {GridAxis("LINEAR", 3700.0, 0.25, 23_201)}
    depth = [prepare(items, COMMON_GRID).snr for items in (own, native)]
    np.testing.assert_allclose(np.median(depth[0]), np.median(depth[1]), rtol=0.1)
    assert np.median(depth[1]) == pytest.approx(10.0 * np.sqrt(3.0), rel=0.15)


def test_a_form_with_native_pixels_is_refused(data_dir: Path) -> None:
    with pytest.raises(ValueError, match="pixels of its own"):
        supernovae_as_delivered(data_dir / "spectra", 10.0, np.random.default_rng(1), "SDSS")
