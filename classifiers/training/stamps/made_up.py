"""Alerts of nothing that exists, to teach the novelty head what "unlike anything simulated" is (outlier exposure).

Hendrycks, Mazeika & Dietterich (2019, arXiv:1812.04606, Eq. 1). The shapes are generic: random textures, filled
ellipses, rings, swarms of points, scrambled patches, images of different alerts put together. None of them is a
trail, a comet or a wave, which evaluation keeps to itself (``anomalies.UNSEEN``).

Everything happens on prepared stamps: an event is added in units of the noise, under the asinh stretch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.images.prepare import SIDE

Floats = NDArray[np.float32]
LEAST_PEAK, LARGEST_PEAK = 8.0, 250.0
"""Range of an event's peak [sigma of the image], log-uniform."""
_SCIENCE, _TEMPLATE, _DIFFERENCE = range(3)
_LARGEST = np.float32(1e6)
_SEEN_IN_SCIENCE = 0.7
_AXIS = np.arange(SIDE, dtype=np.float32) - SIDE // 2


def make_up(stamps: Floats, mask: Floats, rng: np.random.Generator) -> Floats:
    """Return alerts that are each unlike what is simulated.

    Args:
        stamps: (n, 3, 63, 63) float32, prepared, of simulated alerts; they stay as they are.
        mask: (n, 3, 63, 63) float32, 1 = valid, and stays what it is.
        rng: source of randomness.
    """
    made = stamps.copy()
    for row, kind in enumerate(rng.integers(len(_PATTERNS) + 2, size=len(stamps)).tolist()):
        if kind < len(_PATTERNS):
            _add(made[row], _PATTERNS[kind](rng), rng)
        elif kind == len(_PATTERNS):
            _scramble(made[row], rng)
        else:
            _mix(made[row], stamps[int(rng.integers(len(stamps)))], rng)
    made *= mask
    return made


def _add(images: Floats, pattern: Floats, rng: np.random.Generator) -> None:
    """Add a pattern of unit peak to the difference image, and mostly to the science image."""
    peak = float(np.exp(rng.uniform(np.log(LEAST_PEAK), np.log(LARGEST_PEAK))))
    shown = [_DIFFERENCE, _SCIENCE] if rng.random() < _SEEN_IN_SCIENCE else [_DIFFERENCE]
    for channel in shown:
        sigmas = np.sinh(images[channel]) + np.float32(peak) * pattern
        images[channel] = np.arcsinh(np.clip(sigmas, -_LARGEST, _LARGEST))


def _texture(rng: np.random.Generator) -> Floats:
    """A smooth random field, over the whole stamp or within a round window."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])
    cut = np.exp(rng.uniform(np.log(0.02), np.log(0.2)))
    spectrum = np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) * np.exp(-0.5 * (frequency / cut) ** 2)
    field = np.fft.irfft2(spectrum, (SIDE, SIDE)).astype(np.float32)
    if rng.random() < 0.7:
        rows, columns = _offsets(rng)
        field *= np.exp(-(rows**2 + columns**2) / np.float32(2 * rng.uniform(4, 15) ** 2))
    return _unit(field)


def _ellipse(rng: np.random.Generator) -> Floats:
    """A filled ellipse with a soft edge, at most three times as long as it is wide."""
    along, across = _turned(rng)
    length = rng.uniform(3.0, 14.0)
    radius = np.sqrt((along / length) ** 2 + (across * rng.uniform(1.0, 3.0) / length) ** 2)
    edge = rng.uniform(0.05, 0.4)
    return _unit(_sign(rng) / (1.0 + np.exp(np.clip((radius - 1.0) / edge, -30, 30))))


def _ring(rng: np.random.Generator) -> Floats:
    """A ring, round or flattened, whole or broken."""
    along, across = _turned(rng)
    radius = np.sqrt(along**2 + (across * rng.uniform(1.0, 1.8)) ** 2)
    ring = np.exp(-0.5 * ((radius - rng.uniform(4.0, 16.0)) / rng.uniform(0.8, 3.0)) ** 2)
    if rng.random() < 0.5:
        ring *= 0.5 + 0.5 * np.cos(rng.integers(1, 5) * np.arctan2(across, along) + rng.uniform(0, 2 * np.pi))
    return _unit(_sign(rng) * ring)


def _swarm(rng: np.random.Generator) -> Floats:
    """Three to nine points about the middle, of either sign."""
    image = np.zeros((SIDE, SIDE), np.float32)
    width = rng.uniform(0.7, 2.5)
    for _ in range(int(rng.integers(3, 10))):
        rows, columns = _AXIS[:, None] - rng.normal(0, 7.0), _AXIS[None, :] - rng.normal(0, 7.0)
        image += np.float32(rng.uniform(-1, 1)) * np.exp(-(rows**2 + columns**2) / np.float32(2 * width**2))
    return _unit(image)


_PATTERNS: tuple[Callable[[np.random.Generator], Floats], ...] = (_texture, _texture, _ellipse, _ring, _swarm)


def _scramble(images: Floats, rng: np.random.Generator) -> None:
    """Put the pixels of a patch about the middle, brightened, in random order, in one image or in all."""
    half = int(rng.integers(4, 14))
    middle = slice(SIDE // 2 - half, SIDE // 2 + half + 1)
    channels = [_DIFFERENCE] if rng.random() < 0.5 else [_SCIENCE, _TEMPLATE, _DIFFERENCE]
    gain = np.float32(rng.uniform(1.0, 4.0))
    for channel in channels:
        patch = images[channel, middle, middle]
        images[channel, middle, middle] = gain * rng.permutation(patch.ravel()).reshape(patch.shape)


def _mix(images: Floats, other: Floats, rng: np.random.Generator) -> None:
    """Add another alert's difference off the middle, enlarged, and sometimes exchange the template."""
    shift = rng.integers(-8, 9, 2)
    scale = np.float32(rng.uniform(1.0, 5.0))
    foreign = scale * np.roll(
        np.sinh(other[_DIFFERENCE][::2, ::2].repeat(2, 0).repeat(2, 1)[:SIDE, :SIDE]), shift, (0, 1)
    )
    images[_DIFFERENCE] = np.arcsinh(np.clip(np.sinh(images[_DIFFERENCE]) + foreign, -_LARGEST, _LARGEST))
    if rng.random() < 0.5:
        images[_TEMPLATE] = other[_TEMPLATE]


def _offsets(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return rows and columns relative to a point within 4 pixels of the middle."""
    row, column = rng.uniform(-4, 4, 2).astype(np.float32)
    return np.broadcast_arrays(_AXIS[:, None] - row, _AXIS[None, :] - column)  # type: ignore[return-value]


def _turned(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return coordinates about a point near the middle, turned by a random angle."""
    rows, columns = _offsets(rng)
    angle = rng.uniform(0, np.pi)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return columns * cosine + rows * sine, rows * cosine - columns * sine


def _sign(rng: np.random.Generator) -> float:
    return 1.0 if rng.random() < 0.7 else -1.0


def _unit(pattern: NDArray[np.floating[Any]]) -> Floats:
    """Return a pattern divided by its largest absolute value."""
    return np.asarray(pattern / max(float(np.abs(pattern).max()), 1e-6), np.float32)
