"""The section on the map: a good map beats the plane, in one table, with sizes; each class is drawn where it lies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from classifiers.training.evaluation.document import Number, Plot, Table
from classifiers.training.evaluation.map_quality import DRAWN, Mapped, map_quality


def curled(n: int, seed: int) -> Mapped:
    """Return points on a rolled sheet, and the sheet unrolled."""
    rng = np.random.default_rng(seed)
    along, across = 1.5 * np.pi * (1.0 + 2.0 * rng.uniform(size=n)), 12.0 * rng.uniform(size=n)
    latent = np.stack([along * np.cos(along), across, along * np.sin(along)], axis=1)
    length = 0.5 * (along * np.sqrt(1 + along**2) + np.arcsinh(along))
    return Mapped(latent, np.stack([length, across], axis=1))


def test_the_unrolled_map_is_more_trustworthy_than_the_plane() -> None:
    section = map_quality({"simulated": curled(600, 1), "real": curled(60, 2)}, "simulated")
    (table,) = section.items
    assert isinstance(table, Table)
    unrolled, plane, small, _ = table.rows
    assert (unrolled[0], unrolled[1], plane[1]) == ("simulated", "map", "principal plane")
    assert table.columns[2::2] == ["trustworthiness, k = 15", "trustworthiness, k = 50"]
    for good, poor in zip(unrolled[2::2], plane[2::2], strict=True):
        assert isinstance(good, Number)
        assert isinstance(poor, Number)
        assert good.value > poor.value
        assert good.n == 600
    assert [cell.n for cell in small[2:] if isinstance(cell, Number)] == [60] * 4


def test_a_sample_smaller_than_a_neighbourhood_has_no_number_for_it() -> None:
    section = map_quality({"real": curled(60, 3)}, "real")
    (table,) = section.items
    assert isinstance(table, Table)
    fifteen, fifty = table.rows[0][2], table.rows[0][4]
    assert isinstance(fifteen, Number)
    assert isinstance(fifty, Number)
    assert np.isfinite(fifteen.value)
    assert np.isnan(fifty.value)


def test_each_class_is_drawn_where_it_lies_real_over_simulated_and_no_more_than_can_be_seen() -> None:
    names = ("STAR_A0", "QSO_nan", "")
    simulated, real = (
        replace(mapped, classes=[names[row % 3] for row in range(len(mapped.places))])
        for mapped in (curled(DRAWN + 60, 4), curled(60, 5))
    )
    section = map_quality({"simulated": simulated, "real": real}, "real")
    plots = {item.title: item for item in section.items if isinstance(item, Plot)}
    assert list(plots) == ["GALAXY on the map", "QSO on the map", "STAR on the map"]
    assert len({(plot.x_range, plot.y_range) for plot in plots.values()}) == 1
    curves = {curve.name: curve for plot in plots.values() for curve in plot.curves}
    np.testing.assert_allclose(curves["QSO_nan, real"].x, real.places[1::3, 0])
    np.testing.assert_allclose(curves["STAR_A0, real"].y, real.places[::3, 1])
    assert len(curves["QSO_nan, simulated"].x) == DRAWN // 3
    assert sum(len(curve.x) for curve in curves.values()) == (DRAWN + 60) * 2 // 3
    places = [curve.name for curve in plots["STAR on the map"].curves]
    assert places[0::2] == [name.replace("real", "simulated") for name in places[1::2]]
