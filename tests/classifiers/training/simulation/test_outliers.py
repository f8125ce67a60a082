"""Made-up outliers: finite spectra of every kind, unlike what they are made of, and labelled as no class."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.training.simulation.grid import PIXELS
from classifiers.training.simulation.outliers import OUTLIERS, Outliers
from classifiers.training.simulation.scheme import KINDS, OTHER_INDEX
from classifiers.training.simulation.simulator import TRAINING_KINDS, Simulator

pytestmark = pytest.mark.slow

NOVEL = KINDS.index("NOVEL")


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator.load()


def test_a_mixed_draw_labels_outliers_as_no_class_and_teaches_none(simulator: Simulator) -> None:
    batch = simulator.draw(400, np.random.default_rng(2), kinds=TRAINING_KINDS)
    made_up = batch.kind == NOVEL
    assert 30 < made_up.sum() < 110
    assert (batch.class_index[made_up] == -1).all()
    assert (batch.class_target[made_up] == 0).all()
    assert set(batch.other_type[made_up]) == set(range(len(OUTLIERS)))
    np.testing.assert_allclose(batch.class_target[~made_up].sum(axis=1), 1.0, atol=1e-5)
    assert (batch.class_index[~made_up] >= 0).all()
    assert (batch.class_index[~made_up] <= OTHER_INDEX).all()
    assert np.isfinite(batch.flux).all()
    assert (batch.inverse_variance[made_up].max(axis=1) > 0).all()


def test_survey_like_draws_hold_no_outliers(simulator: Simulator) -> None:
    assert not (simulator.draw(300, np.random.default_rng(3)).kind == NOVEL).any()


def test_outliers_are_finite_not_negative_and_the_same_for_a_seed() -> None:
    kind = np.repeat(np.arange(len(OUTLIERS)), 4)
    pixel = np.arange(PIXELS, dtype=np.float32)
    first = np.tile(1.0 + 0.2 * np.sin(pixel / 300.0), (kind.size, 1)).astype(np.float32)
    second = np.tile(np.linspace(2.0, 0.5, PIXELS), (kind.size, 1)).astype(np.float32)
    first[3] = 0.0  # an object whose light is all outside the range
    drawn = Outliers().draw(kind, first, second, np.random.default_rng(5))
    again = Outliers().draw(kind, first, second, np.random.default_rng(5))
    assert drawn.shape == (kind.size, PIXELS)
    assert drawn.dtype == np.float32
    assert np.isfinite(drawn).all()
    assert (drawn >= 0).all()
    assert drawn.tobytes() == again.tobytes()


def test_a_chimera_is_the_one_in_the_blue_and_the_other_in_the_red() -> None:
    kind = np.full(5, OUTLIERS.index("CHIMERA"))
    blue = np.tile(np.linspace(0.5, 1.5, PIXELS), (5, 1)).astype(np.float32)
    red = np.tile(np.linspace(1.5, 0.5, PIXELS), (5, 1)).astype(np.float32)
    drawn = Outliers().draw(kind, blue, red, np.random.default_rng(6))
    assert (np.diff(drawn[:, : int(0.2 * PIXELS)], axis=1) > 0).mean() > 0.99
    assert (np.diff(drawn[:, int(0.8 * PIXELS) :], axis=1) < 0).mean() > 0.99


def test_broad_waves_carry_power_at_the_scale_of_broad_features_and_none_at_the_pixel() -> None:
    kind = np.full(40, OUTLIERS.index("WAVES"))
    flat = np.ones((40, PIXELS), np.float32)
    drawn = Outliers().draw(kind, flat, flat, np.random.default_rng(7))
    logged = np.log(drawn + 1e-3)
    coarse = logged[:, ::150]
    assert np.median(np.abs(np.diff(coarse, axis=1))) > 0.05
    assert np.median(np.abs(np.diff(logged, axis=1))) < 0.01
