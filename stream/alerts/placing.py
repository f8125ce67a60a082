"""Where a stamp belongs that a chip edge has cut: the source stays in the middle, NaN stands beyond the edge."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def place_truncated(image: NDArray[np.float32], side: int, x: float | None, y: float | None) -> NDArray[np.float32]:
    """Put a cut stamp into a full one.

    Args:
        image: (height, width) float32, at least one of them below ``side``.
        side: nominal side, odd [pixel].
        x: column of the source on the chip, 1-based [pixel]; None when unknown.
        y: row of the source on the chip, 1-based [pixel]; None when unknown.

    Returns:
        (side, side) float32; the image itself when one of its sides is larger than nominal.
    """
    height, width = image.shape
    if max(height, width) > side:
        return image
    top, left = _lost_before(side, height, y), _lost_before(side, width, x)
    full = np.full((side, side), np.nan, dtype=np.float32)
    full[top : top + height, left : left + width] = image
    return full


def _lost_before(side: int, length: int, centre: float | None) -> int:
    """Return how many pixels the edge took at the low end; half of them when the position does not tell."""
    lost = side - length
    if centre is None or not math.isfinite(centre):
        return lost // 2
    below_chip = side // 2 - (round(centre) - 1)  # pixels that a full stamp would have below pixel 1
    return min(max(below_chip, 0), lost)
