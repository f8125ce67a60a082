"""Pictures of a report: each kind of item becomes a PNG of its own, the same each time, also where data are sparse."""

from __future__ import annotations

from io import BytesIO

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

from classifiers.training.evaluation.document import Curve, Example, Matrix, Plot
from ops.plots.report import COLOURS, draw

PNG = b"\x89PNG"
CURVE = Curve("c", [1.0, 8.0], [0.5, 1.0], [0.2, 0.6], [0.8, 1.0], [4, 5])
BARE = Curve("r", [1.0, 8.0], [0.1, 0.1])
GRID = np.linspace(4000.0, 9000.0, 50)
ITEMS = {
    "line": Plot("t", "x", "y", [CURVE, BARE], diagonal=True, y_range=(0.0, 1.0)),
    "one epoch": Plot("t", "x", "y", [Curve("c", [1.0], [0.5])]),
    "points": Plot("t", "x", "y", [CURVE, BARE], "points", x_log=True),
    "steps": Plot("t", "x", "y", [Curve("h", [0.0, 1.0], [0.2, 0.4], n=[1, 2]), BARE], "steps"),
    "detection": Plot(
        "t", "x", "y", [Curve("c", [0.0, 0.01, 1.0], [0.0, 0.5, 1.0])], x_log=True, diagonal=True, y_range=(0.0, 1.0),
        x_range=(0.002, 1.0), x_line=(0.01, "declared"),
    ),
    "shares of 0": Plot("t", "", "y", [Curve("c", [0.0], [0.0], [0.0], [0.4], [5])], "marks", y_log=True, x_names="a"),
    "scatter": Plot("t", "x", "y", [BARE, CURVE], "scatter", x_range=(0.0, 9.0), y_range=(-1.0, 2.0)),
    "empty": Plot("t", "x", "y", [Curve("nothing", [], [])], "points", x_log=True),
    "matrix": Matrix("t", ("a", "b"), ("a", "b", "c"), [[3, 0, 1], [0, 0, 0]]),
    "example": Example("t", "c", GRID.tolist(), np.sin(GRID).tolist(), [0.1] * 50, [1.0] * 50),
    "masked": Example("t", "c", GRID.tolist(), [float("nan")] * 50, [float("nan")] * 50, [float("nan")] * 50),
}  # fmt: skip


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_becomes_a_picture_and_the_same_one_each_time(name: str) -> None:
    first = draw(ITEMS[name])
    assert first.startswith(PNG)
    assert draw(ITEMS[name]) == first


def coloured(item: Plot) -> list[bool]:
    """Return which of the first three colours of curves the picture holds."""
    pixels = matplotlib.image.imread(BytesIO(draw(item)))[..., :3]
    wanted = [matplotlib.colors.to_rgb(colour) for colour in COLOURS[:3]]
    return [bool((np.abs(pixels - np.array(colour)).max(axis=2) < 0.01).any()) for colour in wanted]


def test_a_place_on_a_line_has_its_colour_and_the_next_line_another() -> None:
    line, place = Curve("GALAXY", [0.0, 1.0], [0.1, 0.4]), Curve("GALAXY, cut", [0.6], [0.3])
    other = Curve("QSO", [0.0, 1.0], [0.4, 0.1])
    assert coloured(Plot("t", "x", "y", [line, place])) == [True, False, False]
    assert coloured(Plot("t", "x", "y", [line, place, other])) == [True, True, False]


def test_two_samples_of_a_class_are_scattered_in_its_colour_and_the_next_class_in_another() -> None:
    made, real = Curve("A0, simulated", [0.2], [0.2]), Curve("A0, real", [0.4], [0.6])
    other = [Curve("K5, simulated", [0.5], [0.1]), Curve("K5, real", [0.9], [0.3])]
    assert coloured(Plot("t", "x", "y", [made, real], "scatter")) == [True, False, False]
    assert coloured(Plot("t", "x", "y", [made, real, *other], "scatter")) == [True, True, False]
