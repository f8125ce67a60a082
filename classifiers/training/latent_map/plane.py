"""The principal plane of some points: the linear map that the fitted one is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Plane:
    """The two main axes of some points, unit variance, signs fixed, on which others can be projected too.

    It is what the map is compared with, and where the map began that the reference was made from.
    """

    def __init__(self, centre: NDArray[np.float64], axes: NDArray[np.float64]) -> None:
        self._centre, self._axes = centre, axes

    @staticmethod
    def of(points: NDArray[np.floating[Any]]) -> Plane:
        """Return the plane of points (n, d), n >= 2, d >= 2."""
        centre = points.mean(axis=0, dtype=np.float64)
        _, _, axes = np.linalg.svd(points - centre, full_matrices=False)
        plane = axes[:2].T
        plane = plane * np.sign(plane[np.abs(plane).argmax(axis=0), [0, 1]])
        return Plane(centre, plane / np.maximum(((points - centre) @ plane).std(axis=0), 1e-6))

    def __call__(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the places (n, 2) of points (n, d)."""
        return np.asarray((points - self._centre) @ self._axes, np.float64)
