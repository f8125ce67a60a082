"""How surveys cut their stamps: size, chip edges, masked blocks, bad pixels, missing images; in place, NaN = none."""

from __future__ import annotations

import numpy as np

from classifiers.training.stamps.artefacts import DIFFERENCE, SCIENCE
from classifiers.training.stamps.conditions import FULL_SIDE, Conditions
from classifiers.training.stamps.profiles import Floats

EDGE_SHARE = 0.07
NO_TEMPLATE, NO_SCIENCE, DIFFERENCE_ALONE = 0.02, 0.01, 0.02
"""Shares of alerts without these images."""


def cut(images: Floats, conditions: Conditions, rng: np.random.Generator) -> None:
    """Cut n alerts' images (n, 3, 63, 63)."""
    fate = rng.random((len(images), 2))
    for row, image in enumerate(images):
        _bad_pixels(image, float(conditions.bad_pixels[row]), rng)
        _keep_middle(image, int(conditions.side[row]))
        if fate[row, 0] < EDGE_SHARE:
            _edge(image, rng)
        if conditions.masked[row]:
            _blocks(image, rng)
        if fate[row, 1] < NO_TEMPLATE:
            image[1] = np.nan
        elif fate[row, 1] < NO_TEMPLATE + NO_SCIENCE:
            image[0] = np.nan
        elif fate[row, 1] < NO_TEMPLATE + NO_SCIENCE + DIFFERENCE_ALONE:
            image[:2] = np.nan


def _bad_pixels(image: Floats, fraction: float, rng: np.random.Generator) -> None:
    """Make pixels of the science and difference images hot or, mostly, cold; the middle 5 x 5 stays."""
    count = rng.poisson(fraction * FULL_SIDE * FULL_SIDE)
    if count == 0:
        return
    rows, columns = rng.integers(0, FULL_SIDE, (2, count))
    away = np.maximum(np.abs(rows - FULL_SIDE // 2), np.abs(columns - FULL_SIDE // 2)) > 2
    value = np.exp(rng.uniform(np.log(4), np.log(200), count)).astype(np.float32)
    value = (value * np.where(rng.random(count) < 0.35, 1, -1) * away).astype(np.float32)
    image[SCIENCE, rows, columns] += value
    image[DIFFERENCE, rows, columns] += value


def _keep_middle(image: Floats, side: int) -> None:
    if side >= FULL_SIDE:
        return
    start = (FULL_SIDE - side) // 2
    keep = np.zeros((FULL_SIDE, FULL_SIDE), dtype=bool)
    keep[start : start + side, start : start + side] = True
    image[:, ~keep] = np.nan


def _edge(image: Floats, rng: np.random.Generator) -> None:
    """Cut by a chip's edge, straight or in steps."""
    lost = np.full(FULL_SIDE, int(rng.integers(1, FULL_SIDE // 2 - 2)))
    if rng.random() < 0.5:
        steps = rng.integers(-6, 7, 8)
        lost = np.clip(lost + np.repeat(steps, 8)[:FULL_SIDE], 0, FULL_SIDE // 2 - 2)
    beyond = np.arange(FULL_SIDE)[None, :] < lost[:, None]
    if rng.random() < 0.5:
        beyond = beyond[:, ::-1]
    image[:, beyond if rng.random() < 0.5 else beyond.T] = np.nan


def _blocks(image: Floats, rng: np.random.Generator) -> None:
    """Mask one to four rectangles; they may come near the middle but leave its 5 x 5 pixels."""
    middle = slice(FULL_SIDE // 2 - 2, FULL_SIDE // 2 + 3)
    kept = image[:, middle, middle].copy()
    for _ in range(int(rng.integers(1, 5))):
        top, left = rng.integers(0, FULL_SIDE - 6, 2)
        height, width = rng.integers(2, 20, 2)
        image[:, top : top + height, left : left + width] = np.nan
    image[:, middle, middle] = kept
