"""Flux 0 up to an end is no measurement, whatever its error says; everything else stays as it came."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from classifiers.preprocess.padding import without_padding
from classifiers.training.evaluation.real_spectra import real_spectra


def float32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_zeros_that_claim_to_be_known_are_masked_at_both_ends() -> None:
    flux, known = float32(0, 0, 3, 0, -1, 0), np.ones(6, np.float32)
    assert np.array_equal(without_padding(flux, known, None), [1, 1, 0, 0, 0, 1])
    given_quality = np.array([0, 4, 0, 8, 0, 0], np.int32)
    assert np.array_equal(without_padding(flux, known, given_quality), [1, 5, 0, 8, 0, 1])
    assert given_quality.tolist() == [0, 4, 0, 8, 0, 0]


def test_zeros_behind_pixels_of_no_weight_are_found() -> None:
    """Padding with an error, then a grid that is wider than the file: later LAMOST spectra on a common grid."""
    flux, uncertainty = float32(2, 1, 0, 0, 0), float32(1, 1, 50, 50, 0)
    assert np.array_equal(without_padding(flux, uncertainty, None), [0, 0, 1, 1, 1])


def test_what_says_itself_that_it_is_unknown_is_left_as_it_is() -> None:
    flux, uncertainty = float32(0, 1, 0), float32(0, 1, 0)
    assert without_padding(flux, uncertainty, None) is None
    quality = np.zeros(3, np.int32)
    assert without_padding(flux, uncertainty, quality) is quality


def test_a_spectrum_of_zeros_is_not_padding_alone() -> None:
    assert without_padding(np.zeros(4, np.float32), np.ones(4, np.float32), None) is None


@given(
    flux=arrays.arrays(np.float32, st.integers(1, 12), elements=st.sampled_from([0.0, -0.0, 1.0, -2.0, np.nan])),
    data=st.data(),
)
def test_only_zeros_of_the_ends_are_ever_masked(flux: np.ndarray, data: st.DataObject) -> None:
    uncertainty = data.draw(arrays.arrays(np.float32, flux.size, elements=st.sampled_from([0.0, 1.0, np.inf])))
    masked = without_padding(flux, uncertainty, None)
    if masked is None:
        return
    good = np.flatnonzero(masked == 0)
    assert good.size
    assert flux[good[0]] != 0
    assert flux[good[-1]] != 0
    assert np.all(np.diff(good) == 1)
    assert not np.any(flux[masked != 0])


def test_later_lamost_spectra_end_in_padding_and_no_others_do(data_dir: Path) -> None:
    items, labels = real_spectra(data_dir / "spectra")
    padded = {
        label.survey
        for item, label in zip(items, labels, strict=True)
        if item.quality is not None and np.any((item.uncertainty > 0) & (item.quality != 0))
    }
    assert padded == {"LAMOST"}
