"""The section on pseudo-spectra holds what the shipped bundle's training measured."""

from __future__ import annotations

from typing import Any

from classifiers.bundle.folder import load_bundle
from classifiers.suite import MODELS
from classifiers.training.evaluation.document import Matrix, Plot, Table
from classifiers.training.narrowband.real import mock_depths
from classifiers.training.narrowband.section import PUBLISHED_DEPTHS_AB, narrowband

SHARE = {"n": 4, "right": 3, "interval_95": [0.2, 0.99]}
REAL: dict[str, Any] = {
    "by_r": {"21": {"QSO": SHARE, "unknown": SHARE, "quasar redshifts": {"n": 4, "nmad": 0.1, "within_0.05": SHARE}}},
    "colours_among_mocks": {
        "QSO": {"J0450-J0560": {"n": 9, "median_difference_mag": 0.1, "within_middle_68_percent": 0.6}}
    },
}


def test_the_section_shows_purity_at_fixed_completeness_with_and_without_extended_sources() -> None:
    metrics = load_bundle(MODELS / "jpas-qso-finder").manifest.metrics
    items = {item.title: item for item in narrowband(metrics, REAL, mock_depths()).items}
    purity, needles = (
        items[f"Purity at fixed completeness, {n} quasars per deg2 at z > 2.2 (mocks wrongly taken)"] for n in (75, 5)
    )
    assert isinstance(purity, Table)
    assert isinstance(needles, Table)
    assert len(purity.columns) == len(needles.columns) == 10
    assert [row[0] for row in purity.rows][-1] == "r 16 to 23.5"
    picture = items["Purity of quasars at z >= 2.1 at fixed completeness, on the sky"]
    assert isinstance(picture, Plot)
    assert len(picture.curves) == 6
    assert all(len(curve.y) == len(picture.x_names) == len(purity.rows) - 1 for curve in picture.curves)
    assert sum(isinstance(item, Matrix) for item in items.values()) == 2
    depths = items["Depth of the mocks by their stated errors"]
    assert isinstance(depths, Plot)
    assert len(depths.curves[0].y) == 56
    low, high = PUBLISHED_DEPTHS_AB
    assert all(low - 0.3 < depth < high + 0.3 for depth in depths.curves[0].y)
    real = items["Real spectra seen through the bands"]
    assert isinstance(real, Table)
    assert [cell.value for cell in real.rows[0][1:] if not isinstance(cell, str | int | float)] == [0.75, 0.75, 0.75]
