"""Padding of spectra: pixels at an end that nobody measured, delivered as flux 0 with an error that says otherwise.

LAMOST's later files end so (flux exactly 0, inverse variance above 0), and other grids are wider than what was seen. A
measured flux is hardly ever exactly 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled

Floats = NDArray[np.float32]
_PADDED = 1


def without_padding(flux: Floats, uncertainty: Floats, quality: NDArray[np.int32] | None) -> NDArray[np.int32] | None:
    """Return the quality with the padding of both ends masked; the one that was given where nothing more is to be.

    Args:
        flux: (n,) in any unit, n at least 1.
        uncertainty: (n,) of any kind; 0 and less say that nothing is known.
        quality: (n,), 0 = good; None = all good.

    A spectrum of zeros alone is no padding: it keeps its quality, and what is wrong with it is found elsewhere.
    """
    if flux.item(0) != 0 and flux.item(-1) != 0:
        return quality
    first, last = _measured(flux, uncertainty)
    if last - first == flux.shape[0]:
        return quality
    masked = np.zeros(flux.shape[0], np.int32) if quality is None else quality.copy()
    masked[:first] |= _PADDED
    masked[last:] |= _PADDED
    return masked


@compiled
def _measured(flux: Floats, uncertainty: Floats) -> tuple[int, int]:
    """Return where what was measured begins and ends; the whole where no padding claims to be known."""
    first, last, claimed = 0, flux.size, False
    while first < last and flux[first] == 0:
        claimed |= uncertainty[first] > 0
        first += 1
    while last > first and flux[last - 1] == 0:
        last -= 1
        claimed |= uncertainty[last] > 0
    return (first, last) if claimed and first < last else (0, flux.size)
