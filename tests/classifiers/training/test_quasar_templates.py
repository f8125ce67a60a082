"""The eigenspectra that ship are made again from the survey's, the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.quasars.eigenspectra import FILE
from classifiers.training.quasar_templates import GALAXY_SET, INPUT, SET, build


def test_the_eigenspectra_that_ship_are_made_again(data_dir: Path, tmp_path: Path) -> None:
    for name in ("one.npz", "two.npz"):
        build(data_dir / "spectra", tmp_path / name)
    with np.load(tmp_path / "one.npz") as one, np.load(tmp_path / "two.npz") as two, np.load(FILE) as shipped:
        assert set(one.files) == set(shipped.files)
        for name in shipped.files:
            np.testing.assert_array_equal(one[name], two[name])
            if name.endswith("flux"):
                np.testing.assert_allclose(one[name], shipped[name], rtol=1e-4, atol=1e-5)
            else:
                np.testing.assert_array_equal(one[name], shipped[name])


@pytest.mark.parametrize(("prefix", "name"), [("", SET), ("galaxy_", GALAXY_SET)])
def test_they_span_what_the_surveys_do(data_dir: Path, prefix: str, name: str) -> None:
    with np.load(data_dir / "spectra" / INPUT) as stored, np.load(FILE) as shipped:
        first = round((float(shipped[f"{prefix}log10_start"]) - float(stored[f"{name}__loglam"][0])) / 1e-4)
        ours = shipped[f"{prefix}flux"].astype(np.float64)
        theirs = stored[f"{name}__flux"].astype(np.float64)[:, first : first + ours.shape[1]]
    left = theirs - theirs @ ours.T @ np.linalg.inv(ours @ ours.T) @ ours
    assert np.abs(left).max() < 1e-4 * np.abs(theirs).max()


def test_a_folder_without_the_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"sdss_speigen\.npz"):
        build(tmp_path, tmp_path / "eigenspectra.npz")
