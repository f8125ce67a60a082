"""Which bands a source was measured in: as the survey has them, as hard as a network must be able to bear, and in turn.

A survey's own sources lack few bands: lone ones, or a tray of the camera. What else arrives lacks more: pseudo-spectra
of an optical spectrograph begin and end within the bands, commissioning data have half of them. A network that has not
seen such patterns finds known sources strange, so it is trained, and what lacks bands is calibrated, on both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from classifiers.training.narrowband.bands import TRAYS
from classifiers.training.simulation.grid import NDBool

_LOOSE, _DAMAGED_SHARE, _TRAY_SHARE = 0.01, 0.12, 0.10
_HARD_SHARE, _ENDS_SHARE = 0.5, 0.5
_BLUE_END, _RED_END = 0.25, 0.30
"""Largest shares of the bands that are missing at either end."""

Shape = tuple[int, int]


def of_a_survey(shape: Shape, rng: np.random.Generator) -> NDBool:
    """Draw which bands are there: few lone ones missing, sometimes up to a third of all, sometimes one or two trays.

    Args:
        shape: (n, m) of sources and bands.
        rng: source of randomness.
    """
    n, bands = shape
    share = np.where(rng.random((n, 1)) < _DAMAGED_SHARE, rng.uniform(0.0, 0.35, (n, 1)), _LOOSE)
    good = rng.random(shape) >= share
    tray = _trays(bands)
    for _ in range(2):
        gone = np.where(rng.random(n) < _TRAY_SHARE, rng.integers(0, TRAYS, n), -1)
        good &= tray[None, :] != gone[:, None]
    return np.asarray(good)


def of_any(shape: Shape, rng: np.random.Generator) -> NDBool:
    """Draw which bands are there: for half of the sources as in a survey, else up to half missing, or both ends."""
    n, bands = shape
    good = of_a_survey(shape, rng)
    hard, ends = rng.random(n) < _HARD_SHARE, rng.random(n) < _ENDS_SHARE
    scattered = rng.random(shape) >= rng.uniform(0.0, 0.5, (n, 1))
    place = np.arange(bands)[None, :] / bands
    first, last = rng.uniform(0.0, _BLUE_END, (n, 1)), 1.0 - rng.uniform(0.0, _RED_END, (n, 1))
    inside = (place >= first) & (place < last)
    return np.asarray(np.where(hard[:, None], np.where(ends[:, None], inside, scattered), good))


def _trays(bands: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(bands) * TRAYS // bands


def _at_random(share: float) -> Callable[[Shape, np.random.Generator], NDBool]:
    return lambda shape, rng: np.asarray(rng.random(shape) >= share)


def _as_a_spectrograph(shape: Shape, rng: np.random.Generator) -> NDBool:
    del rng
    place = np.arange(shape[1]) / shape[1]
    return np.broadcast_to((place >= 0.06) & (place < 0.94), shape)


def _without_red_trays(shape: Shape, rng: np.random.Generator) -> NDBool:
    del rng
    return np.broadcast_to(_trays(shape[1]) < TRAYS // 2, shape)


PATTERNS: Mapping[str, Callable[[Shape, np.random.Generator], NDBool]] = {
    "none missing": _at_random(0.0),
    "10 % missing": _at_random(0.1),
    "30 % missing": _at_random(0.3),
    "half missing, out of the domain": _at_random(0.5),
    "both ends missing": _as_a_spectrograph,
    "the two red trays missing, out of the domain": _without_red_trays,
}
"""Patterns that false-unknown rates are reported for."""
