"""The section on pseudo-spectra holds what the shipped bundle's training measured."""

from __future__ import annotations

from typing import Any

import pytest

from classifiers.bundle.folder import load_bundle
from classifiers.suite import MODELS
from classifiers.training.evaluation.document import Matrix, Plot, Proportion, Section, Table
from classifiers.training.narrowband.real import mock_depths
from classifiers.training.narrowband.remeasured import remeasured
from classifiers.training.narrowband.section import PUBLISHED_DEPTHS_AB, narrowband

SHIPPED = MODELS / "jpas-qso-finder"
SHARE = {"n": 4, "right": 3, "interval_95": [0.2, 0.99]}
REAL: dict[str, Any] = {
    "by_r": {"21": {"QSO": SHARE, "unknown": SHARE, "quasar redshifts": {"n": 4, "nmad": 0.1, "within_0.05": SHARE}}},
    "colours_among_mocks": {
        "QSO": {"J0450-J0560": {"n": 9, "median_difference_mag": 0.1, "within_middle_68_percent": 0.6}}
    },
    "broad_colours": {
        kind: {
            "r-i": {
                "rows": [
                    {"at": at, "n": 30, "published": [0.1, 0.0, 0.2], "mocks": [0.2, 0.1, 0.4]} for at in (1.0, 2.0)
                ],
                "median_difference_mag": 0.1,
                "rms_difference_mag": 0.1,
            }
        }
        for kind in ("QSO", "STAR")
    },
    "colours_of_control_among_mocks": {
        "QSO": {"J0450-J0560": {"n": 90, "median_difference_mag": 0.0, "within_middle_68_percent": 0.5}}
    },
}


@pytest.fixture(scope="module")
def section() -> Section:
    metrics = load_bundle(SHIPPED).manifest.metrics
    return narrowband(metrics, remeasured(SHIPPED, 400), REAL, mock_depths())


def test_the_section_shows_purity_at_fixed_completeness_with_and_without_extended_sources(section: Section) -> None:
    items = {item.title: item for item in section.items}
    tail = "quasars per deg2 at z > 2.2 (lower 95 % limit, mocks wrongly taken)"
    purity, needles = (items[f"Purity at fixed completeness, {n} {tail}"] for n in (75, 5))
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


def test_colours_stand_beside_published_ones(section: Section) -> None:
    """Each with its band, and who published them in the table."""
    items = {item.title: item for item in section.items}
    picture = items["r-i of STAR mocks beside published colours"]
    assert isinstance(picture, Plot)
    assert [(list(curve.y), list(curve.high)) for curve in picture.curves] == [
        ([0.1, 0.1], [0.2, 0.2]),
        ([0.2, 0.2], [0.4, 0.4]),
    ]
    table = items["Broad-band colours of mocks beside published ones"]
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["QSO", "STAR"]
    assert "Covey" in str(table.rows[1][2])


def test_purity_has_lower_limits_and_curves_that_coincide_are_drawn_apart(section: Section) -> None:
    """Points of a picture with names along x stand side by side where they have bars."""
    items = {item.title: item for item in section.items}
    picture = items["Purity of quasars at z >= 2.1 at fixed completeness, on the sky"]
    assert isinstance(picture, Plot)
    assert picture.style == "points"
    for curve in picture.curves:
        assert all(low < value == high for low, value, high in zip(curve.low, curve.y, curve.high, strict=True))
    (table,) = (item for name, item in items.items() if name.startswith("Purity at fixed completeness, 75"))
    assert isinstance(table, Table)
    assert all(" (> 0." in str(cell) for row in table.rows for cell in row[4:])


def test_real_colours_stand_beside_those_of_a_control(section: Section) -> None:
    (table,) = (item for item in section.items if item.title.startswith("Colours of real spectra"))
    assert isinstance(table, Table)
    assert table.rows == [["QSO", "J0450-J0560", 9, 0.1, 0.6, 90, 0.0, 0.5]]
    assert len(table.columns) == 8
    assert "control" in section.text


def test_false_unknowns_are_shown_by_kind_and_magnitude(section: Section) -> None:
    (table,) = (item for item in section.items if item.title == "Known mocks flagged as unknown (NOVEL), by kind")
    assert isinstance(table, Table)
    assert table.columns == ("", "QSO", "GALAXY", "STAR")
    everything = [cell for cell in table.rows[-1] if isinstance(cell, Proportion)]
    assert [(cell.name, cell.n) for cell in everything] == [("QSO", 400), ("GALAXY", 400), ("STAR", 400)]
    assert sum(item.title == "Beside published figures" for item in section.items) == 1
