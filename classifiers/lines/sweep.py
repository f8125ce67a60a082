"""The sweep operator on many symmetric matrices at once: linear least squares by parts.

Sweeping the rows S of the matrix [[A, B], [B', C]] gives [[-1/A, B/A], [B'/A, C - B' B / A]] (Goodnight 1979, The
American Statistician 33, 149). With the products of all columns of a model and of the data in one matrix, that is the
covariance, the solution, and what is left of the other columns after those in S have been fitted. Matrices lie along
the last axis, so that every operation is elementwise over them and a matrix's result depends on it alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_SINGULAR = 1e-7  # a pivot smaller than this times its diagonal element before sweeping carries no information


def sweep(matrices: NDArray[np.float64], rows: Iterable[int]) -> NDArray[np.float64]:
    """Sweep rows of (p, p, m) float64 matrices in place, and return them.

    A row without information is set to 0: its value is 0, its variance 0, and the others are solved without it.
    """
    place = np.arange(matrices.shape[0])
    least = np.maximum(_SINGULAR * matrices[place, place], 1e-30)
    for k in rows:
        pivot = matrices[k, k]
        inverse = (pivot > least[k]) / np.maximum(pivot, least[k])
        column = matrices[:, k].copy()
        scaled = column * inverse
        matrices -= column[:, None] * scaled
        matrices[k] = scaled
        matrices[:, k] = scaled
        matrices[k, k] = -inverse
    return matrices
