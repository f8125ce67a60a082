"""Radial velocities in the report: what is counted, and intervals from order statistics."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from classifiers.training.evaluation.document import Number, Plot, Proportion, Table
from classifiers.training.evaluation.velocities import (
    difference_km_s,
    median_interval,
    velocities,
    velocity_measures,
)
from classifiers.training.simulation.grid import SPEED_OF_LIGHT_KM_S


def scored(error_km_s: float, n: int = 400, seed: int = 1) -> Any:
    """Return n stars whose velocities are 2 km/s high and scatter by 10; every tenth has none, one is far off."""
    rng = np.random.default_rng(seed)
    true = 80.0 * rng.standard_normal(n)
    found = true + 2.0 + 10.0 * rng.standard_normal(n)
    found[0] = true[0] + 900.0
    found[5::10] = np.nan
    columns = {
        "radial_velocity_km_s": found, "radial_velocity_error_km_s": np.where(np.isfinite(found), error_km_s, np.nan),
        "snr": np.full(n, 20.0),
    }  # fmt: skip
    return SimpleNamespace(
        answers=SimpleNamespace(column=columns.__getitem__), redshift=true / SPEED_OF_LIGHT_KM_S,
        release=np.array(["SDSS-DR17", "LAMOST-DR1"] * (n // 2)), with_redshift={"STAR": np.arange(n)}.__getitem__,
    )  # fmt: skip


def cells(table: Table, row: int = 0) -> dict[str, Any]:
    return dict(zip(table.columns, table.rows[row], strict=True))


def test_bias_scatter_pull_and_failures_are_those_of_published_stars() -> None:
    items = velocities({"made up": scored(10.0)})
    table = items[0]
    assert isinstance(table, Table)
    row = cells(table)
    published, bias, scatter = row["published"], row["bias [km/s]"], row["scatter [km/s]"]
    assert isinstance(published, Proportion)
    assert (published.successes, published.n) == (360, 400)
    assert isinstance(bias, Number)
    assert bias.n == 360
    assert bias.interval is not None
    assert bias.interval[0] < 2.0 < bias.interval[1]
    assert scatter.value == pytest.approx(10.0, rel=0.15)
    assert scatter.interval[0] < 10.0 < scatter.interval[1]
    assert row["pull width"].value == pytest.approx(1.0, rel=0.15)
    assert row["off by > 300 km/s"].successes == 1


def test_tables_by_snr_and_release_hold_every_published_star_once() -> None:
    items = velocities({"made up": scored(10.0)})
    by_snr, by_release = items[1], items[2]
    for table, parts in ((by_snr, 1), (by_release, 2)):
        assert isinstance(table, Table)
        assert len(table.rows) == parts
        assert sum(cells(table, row)["published"].n for row in range(parts)) == 400
    assert isinstance(items[3], Plot)
    assert "n = 360" in items[3].curves[0].name


def test_a_sample_without_velocities_has_no_numbers_and_no_warning() -> None:
    nothing = scored(10.0)
    nothing.answers.column("radial_velocity_km_s")[:] = np.nan
    table = velocities({"nothing": nothing})[0]
    assert isinstance(table, Table)
    row = cells(table)
    assert row["published"].successes == 0
    assert row["bias [km/s]"].n == 0
    assert np.isnan(row["bias [km/s]"].value)
    assert row["pull width"].interval is None


def test_differences_are_found_less_true() -> None:
    sample = scored(10.0)
    assert difference_km_s(sample, np.array([0]))[0] == pytest.approx(900.0)


def test_the_interval_of_a_median_covers_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    draws = rng.exponential(1.0, (2000, 51))
    found = [median_interval(row) for row in draws]
    covered = [each is not None and each[0] <= np.log(2.0) <= each[1] for each in found]
    assert 0.94 <= np.mean(covered) <= 0.985
    assert median_interval(np.arange(5.0)) is None


def test_the_headline_names_shares_and_numbers() -> None:
    shares, numbers = velocity_measures(scored(10.0))
    assert [each.name for each in shares] == [
        "STAR radial velocity published", "STAR radial velocity off by > 300 km/s"
    ]  # fmt: skip
    assert [each.n for each in shares] == [400, 360]
    assert [each.name.removeprefix("STAR radial velocity ") for each in numbers] == [
        "bias [km/s]", "scatter [km/s]", "pull width", "scatter [km/s], within releases", "pull width, within releases"
    ]  # fmt: skip


def test_zero_points_of_releases_widen_scatter_and_pulls_but_not_those_within_releases() -> None:
    apart = scored(10.0)
    apart.answers.column("radial_velocity_km_s")[1::2] += 40.0
    apart.release[:6] = "few stars"
    _, (_, scatter, pull, scatter_within, pull_within) = velocity_measures(apart)
    assert scatter.value > 18.0
    assert pull.value > 1.8
    assert scatter_within.value == pytest.approx(10.0, rel=0.15)
    assert pull_within.value == pytest.approx(1.0, rel=0.15)
    assert (scatter.n, scatter_within.n, pull_within.n) == (360, 355, 355)
