"""The stellar components below the lines are made again from the simulator's basis, the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.lines.continuum import FILE
from classifiers.training.line_continuum import build


@pytest.mark.slow
def test_components_are_made_alike_each_time_and_span_what_ships(tmp_path: Path) -> None:
    for name in ("one.npz", "two.npz"):
        build(tmp_path / name, count=500)
    with np.load(tmp_path / "one.npz") as one, np.load(tmp_path / "two.npz") as two, np.load(FILE) as shipped:
        for name in shipped.files:
            np.testing.assert_array_equal(one[name], two[name])
            assert one[name].shape == shipped[name].shape
        mean, expected = one["mean"].ravel(), shipped["mean"].ravel()
        assert np.corrcoef(mean, expected)[0, 1] > 0.99
