"""The measurement of what templates are worth: on stars that are none of them, against what a survey would say."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.bundle.folder import load_bundle
from classifiers.suite import MODELS
from classifiers.training.outside_stars import left_in_scheme, likelihoods, table, without_templates
from classifiers.training.samples import Samples, draw_samples
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.scheme import FIRST_STAR, OTHER_INDEX, OTHER_TYPES
from classifiers.training.simulation.simulator import Simulator


@pytest.fixture(scope="module")
def samples() -> Samples:
    simulator = Simulator(without_templates(Basis.load()))
    return draw_samples(simulator, 2048, 41, kinds={"STAR": 0.6, "OTHER": 0.4})


def test_templates_are_no_longer_drawn_and_every_type_still_is() -> None:
    whole, rest = Basis.load(), without_templates(Basis.load())
    for name in ("star_class", "other_type"):
        kept = rest[name] >= 0
        np.testing.assert_array_equal(rest[name][kept], whole[name][kept])
        assert set(rest[name][kept].tolist()) == set(whole[name].tolist())
    assert (rest["star_class"][:11] == -1).all()
    assert (whole["star_class"] >= 0).all()


@pytest.mark.slow
def test_a_surveys_fit_leaves_most_stars_in_the_scheme_and_takes_white_dwarfs_out(samples: Samples) -> None:
    left = left_in_scheme(samples, np.random.default_rng(1))
    stars = (samples.class_index >= FIRST_STAR) & (samples.class_index < OTHER_INDEX)
    assert left[stars].mean() > 0.85
    assert left[samples.other_type == OTHER_TYPES.index("WD")].mean() < 0.1


@pytest.mark.slow
def test_the_table_has_what_the_network_and_what_is_published_are_worth(samples: Samples) -> None:
    text = table(load_bundle(MODELS / "spectral-classifier"), samples, np.random.default_rng(2))
    rows = [line.split() for line in text.splitlines()]
    assert [row[0] for row in rows] == ["threshold", "network", "survey's", "published", "survey's"]
    assert all(0.0 <= float(value) <= 1.0 for row in rows[1:] for value in row[1:])
    network, published = (dict(zip(rows[0], row[1:], strict=True)) for row in (rows[1], rows[3]))
    assert float(published["threshold"]) <= float(network["threshold"])
    assert float(published["WD"]) > 0.85


@pytest.mark.slow
def test_the_best_constants_are_at_least_as_good_as_none(samples: Samples) -> None:
    lines = likelihoods(load_bundle(MODELS / "spectral-classifier"), samples).splitlines()
    assert [line.split()[0] for line in lines] == ["M", "WD", "OB", "CARBON"]
    for line in lines:
        network, best = (float(line.split(f"{name} ")[1].split()[0].rstrip(",")) for name in ("network", "best"))
        assert 0.0 < best <= network < 2.0
