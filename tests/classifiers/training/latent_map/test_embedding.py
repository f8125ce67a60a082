"""The fitted map: it unrolls what a plane must fold, keeps groups near their places, and repeats with its seed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.training.latent_map.neighbours import continuity, trustworthiness

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Let torch compute as it does in a training; several threads would wait for each other on batches this small."""
    import torch

    torch.set_num_threads(1)


def roll(n: int, seed: int) -> NDArray[np.float32]:
    """Return points on a rolled sheet in five dimensions: no plane shows it without folding."""
    rng = np.random.default_rng(seed)
    along = 1.5 * np.pi * (1.0 + 2.0 * rng.uniform(size=n))
    points = np.stack([along * np.cos(along), 12.0 * rng.uniform(size=n), along * np.sin(along)], axis=1) / 6.0
    return np.concatenate([points, 0.02 * rng.normal(size=(n, 2))], axis=1).astype(np.float32)


def test_neighbours_on_the_map_are_neighbours_where_a_plane_folds() -> None:
    """On points that it was not fitted to, and without losing neighbours."""
    from classifiers.training.latent_map.embedding import embed
    from classifiers.training.latent_map.plane import Plane

    points, others = roll(900, 1), roll(500, 2)
    plane = Plane.of(points)
    shown = embed(points, plane(points), 1).places(others)
    trusted, folded = (trustworthiness(others, places, 12) for places in (shown, plane(others)))
    assert trusted > 0.97
    assert trusted > folded + 0.015
    assert continuity(others, shown, 12) > 0.95


def test_groups_stay_near_the_places_they_are_given() -> None:
    """Clusters on a ring, given places on a ring of another order: without the anchor they would go elsewhere."""
    from classifiers.training.latent_map.embedding import embed

    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(8), 80)
    points = (6.0 * rng.normal(size=(8, 6))[groups] + rng.normal(size=(groups.size, 6))).astype(np.float32)
    angle = 2.0 * np.pi * np.arange(8) / 8
    wanted = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    shown = embed(points, wanted[groups], 1, None, groups).places(points)
    means = np.stack([shown[groups == group].mean(axis=0) for group in range(8)])
    means -= means.mean(axis=0)
    assert np.corrcoef(means.ravel(), wanted.ravel())[0, 1] > 0.97


def test_the_same_seed_gives_the_same_map() -> None:
    from classifiers.training.latent_map.embedding import embed
    from classifiers.training.latent_map.plane import Plane

    points = roll(300, 1)
    start = Plane.of(points)(points)
    one, two, other = (embed(points, start, seed).places(points).tobytes() for seed in (1, 1, 2))
    assert one == two != other


def test_too_few_points_are_refused() -> None:
    from classifiers.training.latent_map.embedding import embed

    with pytest.raises(ValueError, match="more than 15 points"):
        embed(np.zeros((15, 4), np.float32), np.zeros((15, 2)), 1)


def test_a_plane_shows_the_two_widest_axes_at_unit_variance() -> None:
    from classifiers.training.latent_map.plane import Plane

    points = np.random.default_rng(3).normal(size=(4000, 5)) * np.array([0.1, 3.0, 0.1, 2.0, 0.1])
    shown = Plane.of(points)(points)
    np.testing.assert_allclose(shown.std(axis=0), 1.0, rtol=1e-6)
    assert abs(np.corrcoef(shown[:, 0], points[:, 1])[0, 1]) > 0.999
    assert np.corrcoef(shown[:, 1], points[:, 3])[0, 1] > 0.999
