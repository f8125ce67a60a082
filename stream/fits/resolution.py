"""Resolving power from DESI's resolution matrices; pure.

A resolution matrix (``B_RESOLUTION`` and so on; Bolton & Schlegel 2010, PASP 122, 248) says how light of one wavelength
is spread over extracted pixels. Of each target and arm the file holds its diagonals, (diagonal, pixel): the weights W
of column j belong to the pixels j + k with k = -m .. m or m .. -m, and sum to 1 but for noise. Their second moment is
the width of the line spread,

    variance(j) = sum_k k^2 W / sum_k W - (sum_k k W / sum_k W)^2    [pixel^2]
    FWHM(j)     = 2.3548 sqrt(variance(j)) step(j)
    R(j)        = wavelength(j) / FWHM(j)

in which the sign of k does not matter; 2.3548 is that of a Gaussian with the same second moment.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_FWHM_PER_SIGMA: Final = 2.3548200450309493
EVERY: Final = 8
"""Only each 8th pixel is looked at: the width changes over hundreds of them."""


def resolving_powers(wavelength_angstrom: NDArray[np.float64], matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Return wavelength / FWHM of one arm of one target at each 8th pixel that has any: (at most n / 8,) float64.

    Args:
        wavelength_angstrom: (n,) strictly increasing.
        matrix: (diagonal, n) weights, an odd number of diagonals; 0 or NaN where the pixel has no data.
    """
    weight = matrix[:, ::EVERY].astype(np.float64)
    offset = np.arange(len(weight), dtype=np.float64) - len(weight) // 2
    total = weight.sum(axis=0)
    known = np.isfinite(total) & (total > 0)
    weight = weight[:, known] / total[known]
    variance = offset**2 @ weight - (offset @ weight) ** 2
    step_angstrom = np.gradient(wavelength_angstrom)[::EVERY][known]
    spread = variance > 0  # single pixels of pure noise have none
    fwhm_angstrom = _FWHM_PER_SIGMA * np.sqrt(variance[spread]) * step_angstrom[spread]
    return np.asarray(wavelength_angstrom[::EVERY][known][spread] / fwhm_angstrom)
