"""What a report measures anew: on the training's own mocks, by kind, and beside published figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from classifiers.loaded import load_engines
from classifiers.suite import MODELS
from classifiers.training.narrowband import counts
from classifiers.training.narrowband.measures import Scored, false_unknown, held_out
from classifiers.training.narrowband.published import NMAD, PUBLISHED, beside, sources_per_deg2, table
from classifiers.training.narrowband.purity import purity_by_magnitude
from classifiers.training.narrowband.remeasured import false_unknown_by_kind, remeasured
from classifiers.training.narrowband.simulator import CLASSES, KINDS, NarrowbandSimulator

SHIPPED = MODELS / "jpas-qso-finder"
N = 400


@pytest.fixture(scope="module")
def anew() -> dict[str, Any]:
    return remeasured(SHIPPED, N)


@pytest.fixture(scope="module")
def scored() -> Scored:
    (loaded,) = load_engines([SHIPPED])
    seed = loaded.bundle.manifest.training.seed
    return held_out(NarrowbandSimulator.load(), loaded.engine, loaded.calibration, seed, N, lambda *_: None)


def test_it_is_measured_on_the_mocks_of_the_training(anew: dict[str, Any], scored: Scored) -> None:
    edges = (16.0, 20.0, 21.0, 22.0, 22.5, 23.0, 23.5)
    assert anew["n_by_kind"] == N
    assert anew["on_the_sky"] == purity_by_magnitude(scored.mocks, scored.probabilities, edges)
    assert anew["on_the_sky_as_needles"]["quasars_per_deg2_beyond_z_2.2"] == 5


def test_false_unknowns_by_kind_add_up_to_all_of_them(anew: dict[str, Any], scored: Scored) -> None:
    """Over magnitudes for each kind, and over kinds; each share lies in its interval."""
    (loaded,) = load_engines([SHIPPED])
    calibration = loaded.calibration.model_copy(update={"novel_rate": 0.2})
    found = false_unknown_by_kind(scored, calibration)
    *parts, everything = found.values()
    for kind in KINDS:
        assert everything[kind]["n"] == N
        assert sum(part[kind]["novel"] for part in parts) == everything[kind]["novel"]
        for part in parts:
            low, high = part[kind]["interval_95"]
            assert low - 1e-5 <= part[kind]["novel"] / max(part[kind]["n"], 1) <= high + 1e-5
    novel = sum(each["novel"] for each in everything.values())
    assert novel / (3 * N) == pytest.approx(false_unknown(scored, calibration)["rate"], abs=1e-5)
    assert novel > 0.1 * 3 * N
    assert anew["false_unknown_by_kind"] == false_unknown_by_kind(scored, loaded.calibration)


def test_what_stands_beside_a_published_figure_is_of_the_same_class_and_magnitudes(scored: Scored) -> None:
    """f1 of perfect answers is 1, of wrong ones 0; nothing is claimed for magnitudes that no mock has."""
    truth = np.eye(len(CLASSES))[scored.mocks.class_index()]
    exact = {**scored.outputs, "redshift": scored.mocks.redshift}
    for probabilities, wanted in ((truth, 1.0), (np.roll(truth, 2, axis=1), 0.0)):
        ours = beside(Scored(scored.mocks, scored.inputs, exact, probabilities))
        for each, own in zip(PUBLISHED, ours, strict=True):
            assert own["figure"] == each.figure
            assert own["faint"] == min(each.faint, counts.FAINT)
            if each.figure != NMAD:
                assert own["value"] == wanted
            elif wanted == 1.0:
                assert own["value"] == 0.0
    faint = beside(scored)[2]
    inside = (scored.mocks.r >= 22.5) & (scored.mocks.class_index() == CLASSES.index("QSO_HIGH_Z"))
    assert (faint["bright"], faint["n"]) == (22.5, int(inside.sum()))


def test_published_figures_stand_beside_ours_with_their_sources(anew: dict[str, Any]) -> None:
    """J-NEP counts two thirds of the mocks' density; zero points are those that the mocks are given."""
    shown = table(anew["beside_published"])
    assert len(shown.rows) == len(PUBLISHED) + 3
    assert all(row[2] for row in shown.rows)
    density, *zero_points = shown.rows[-3:]
    assert density[3:5] == ["22,207", f"{sources_per_deg2():,.0f}"]
    assert "1.5 times" in str(density[5])
    assert [row[3:5] for row in zero_points] == [[0.012, 0.03], [0.007, 0.03]]
