"""Structure of real hosts: measured where it is, not made of noise, and rendered where it was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.training.simulation.basis import Basis
from classifiers.training.stamps.host_building import Cutout, structure_of
from classifiers.training.stamps.hosts import GRID, LARGEST, LEAST, REACH, SHIPPED, at, draw_structure, host_maps
from classifiers.training.stamps.profiles import Galaxies, render_galaxies
from ops.host_cutouts import INPUTS, build_hosts

SIDE, CENTRE, RADIUS, SPREAD = 91, 45.0, 12.0, 1.5


def one(value: float) -> np.ndarray:
    return np.float32([value])


def galaxy(structure: np.ndarray | None = None) -> np.ndarray:
    """Return a galaxy of an exponential profile, half as wide as long, its major axis 0.6 rad from the columns."""
    shape = (one(value) for value in (CENTRE, CENTRE, 60.0, RADIUS, 1.0, 0.5, 0.6))
    return render_galaxies(SIDE, Galaxies(*shape, structure=structure), one(SPREAD))[0].astype(np.float64)


def knot(along: float, across: float, height: float) -> np.ndarray:
    """Return a map with one knot of 0.4 half-light radii at a place in units of them."""
    knots = np.linspace(-REACH, REACH, GRID)
    distance = np.hypot(knots[None, :] - along, knots[:, None] - across)
    return (height * np.exp(-0.5 * (distance / 0.4) ** 2)).astype(np.float32)[None]


def test_a_knot_is_measured_where_it_was_put() -> None:
    image = galaxy(knot(1.25, -0.75, 2.0)) + np.random.default_rng(3).normal(0, 0.2, (SIDE, SIDE))
    found = structure_of(Cutout(image, np.full(image.shape, 0.2), SPREAD))
    assert found is not None
    row, column = np.unravel_index(found.argmax(), found.shape)
    knots = np.linspace(-REACH, REACH, GRID)
    # The profile may be found turned by half a turn.
    place, put = np.array([knots[column], knots[row]]), np.array([1.25, -0.75])
    assert min(np.abs(place - put).max(), np.abs(place + put).max()) <= 0.5
    assert found.max() > 0.6


def test_noise_does_not_become_structure() -> None:
    smooth = galaxy()
    noise = np.random.default_rng(4).normal(0, 1, smooth.shape)
    bright, faint = (structure_of(Cutout(smooth + s * noise, np.full(smooth.shape, s), SPREAD)) for s in (0.3, 3.0))
    assert bright is not None
    assert faint is not None
    assert bright.std() < 0.05
    assert faint.std() < 0.15


def test_a_galaxy_that_is_not_resolved_has_no_map() -> None:
    shape = (one(value) for value in (CENTRE, CENTRE, 500.0, 1.0, 1.0, 0.9, 0.0))
    point = render_galaxies(SIDE, Galaxies(*shape), one(SPREAD))[0].astype(np.float64)
    assert structure_of(Cutout(point, np.full(point.shape, 0.01), SPREAD)) is None


def test_rendered_structure_is_where_the_map_says() -> None:
    excess = galaxy(knot(1.5, 0.0, 1.0)) - galaxy()
    row, column = np.unravel_index(excess.argmax(), excess.shape)
    # The profile falls outwards and pulls the peak in by a fraction of the knot.
    assert row == pytest.approx(CENTRE + 1.3 * RADIUS * np.sin(0.6), abs=2.5)
    assert column == pytest.approx(CENTRE + 1.3 * RADIUS * np.cos(0.6), abs=2.5)
    assert np.abs(excess[:10]).max() < 1e-3


def test_light_is_never_negative() -> None:
    dark = galaxy(np.full((1, GRID, GRID), LEAST, np.float32))
    assert dark.min() >= 0
    assert dark[45, 45] < 0.3 * galaxy()[45, 45]


def test_maps_are_interpolated_and_end_at_their_reach() -> None:
    structure = np.arange(GRID * GRID, dtype=np.float32).reshape(1, GRID, GRID)
    step = 2 * REACH / (GRID - 1)
    across, along = np.float32([[[0.0, 0.5 * step, -REACH, REACH]]]), np.float32([[[0.0, 0.5 * step, 0.0, 0.0]]])
    middle = structure[0, GRID // 2, GRID // 2]
    assert at(structure, across, along)[0, 0].tolist() == pytest.approx([middle, middle + (GRID + 1) / 2, 0, 0])


def test_drawn_maps_are_bounded_and_absent_where_no_galaxy_is() -> None:
    present = np.arange(200) % 2 == 0
    drawn = draw_structure(present, np.random.default_rng(8))
    assert not drawn[~present].any()
    assert drawn[present].any(axis=(1, 2)).mean() > 0.95
    assert LEAST <= drawn.min() < -0.3
    assert 0.3 < drawn.max() <= LARGEST


def test_the_shipped_maps_are_what_their_inputs_give(data_dir: Path, tmp_path: Path) -> None:
    provenance = build_hosts(data_dir / "alerts", tmp_path / "hosts.npz")
    shipped = Basis.load(SHIPPED)
    assert provenance["inputs"] == shipped.provenance["inputs"]
    assert provenance["galaxies"] == len(host_maps()) >= 40
    np.testing.assert_allclose(host_maps(tmp_path / "hosts.npz"), host_maps(), atol=0.02)


def test_absent_inputs_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=INPUTS[0]):
        build_hosts(tmp_path, tmp_path / "hosts.npz")
