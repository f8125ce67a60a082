"""The star templates that ship are made again from the survey's, the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.stars.templates import FILE
from classifiers.training.star_templates import build


def test_the_templates_that_ship_are_made_again(data_dir: Path, tmp_path: Path) -> None:
    for name in ("one.npz", "two.npz"):
        build(data_dir / "spectra", tmp_path / name)
    with np.load(tmp_path / "one.npz") as one, np.load(tmp_path / "two.npz") as two, np.load(FILE) as shipped:
        assert set(one.files) == set(shipped.files)
        for name in shipped.files:
            np.testing.assert_array_equal(one[name], two[name])
            if name.endswith("flux"):
                np.testing.assert_allclose(one[name], shipped[name], rtol=1e-5)
            else:
                np.testing.assert_array_equal(one[name], shipped[name])


def test_a_folder_without_the_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"sdss_speigen\.npz"):
        build(tmp_path, tmp_path / "templates.npz")
