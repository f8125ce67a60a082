"""Neighbours of points, and how well a map keeps them.

Trustworthiness asks whether neighbours on the map are neighbours in the space that it shows, continuity whether
neighbours in that space are neighbours on the map (Venna & Kaski 2001, ICANN, LNCS 2130, 485; the formulas are eqs. 1
and 2 of Venna & Kaski 2006, Neural Networks 19, 889). Both are 1 for a perfect map and about 0.5 for a random one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]
Rows = NDArray[np.int64]
_BLOCK = 1024


def nearest(points: Points, k: int) -> Rows:
    """Return the k nearest other points of each point, (n, k) int64, the nearest first.

    Args:
        points: (n, d), n > k.
        k: at least 1.
    """
    square = np.einsum("ij,ij->i", points, points)
    found = np.empty((len(points), k), np.int64)
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        distance = square[start : start + _BLOCK, None] - 2.0 * (block @ points.T) + square
        distance[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        close = np.argpartition(distance, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(distance, close, axis=1), axis=1, kind="stable")
        found[start : start + _BLOCK] = np.take_along_axis(close, order, axis=1)
    return found


def trustworthiness(space: Points, shown: Points, k: int) -> float:
    """Return how far neighbours on the map can be trusted to be neighbours.

    Args:
        space: (n, d) points.
        shown: (n, 2) their places on the map.
        k: size of a neighbourhood; below n / 2.

    Raises:
        ValueError: k is too large for n.
    """
    n = len(space)
    if not 0 < k < n / 2:
        raise ValueError(f"expected neighbourhoods of at least 1 and less than half of {n} points, got {k}")
    excess = np.maximum(np.take_along_axis(_ranks(space), nearest(shown, k), axis=1) - k, 0)
    return float(1.0 - 2.0 * excess.sum() / (n * k * (2 * n - 3 * k - 1)))


def continuity(space: Points, shown: Points, k: int) -> float:
    """Return how far neighbours stay neighbours on the map; arguments as in ``trustworthiness``."""
    return trustworthiness(shown, space, k)


def _ranks(points: Points) -> Rows:
    """Return (n, n): the place of point j among the neighbours of point i, from 1; a point's own place is 0."""
    square = np.einsum("ij,ij->i", points, points)
    distance = square[:, None] - 2.0 * (points @ points.T) + square
    np.fill_diagonal(distance, -np.inf)
    order = np.argsort(distance, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(len(points))[None, :], axis=1)
    return ranks
