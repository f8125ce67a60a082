"""The similarity that brings places closest to others (Procrustes; Schoenemann 1966, Psychometrika 31, 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Similarity:
    """x to x @ turn + offset: a rotation or reflection times a scale (2, 2), and a shift (2,), float64."""

    turn: NDArray[np.float64]
    offset: NDArray[np.float64]

    def __call__(self, places: Places) -> NDArray[np.float64]:
        """Return the places, (n, 2), where the similarity brings them."""
        return np.asarray(places @ self.turn + self.offset, np.float64)


def similarity(places: Places, reference: Places, weights: NDArray[Any] | None = None) -> Similarity:
    """Return the similarity of least squared distance; reflections are allowed.

    Args:
        places: (n, 2), n >= 2, not all the same.
        reference: (n, 2), where they should be.
        weights: (n,) of the squared distances; None: all alike.
    """
    share = np.ones(len(places)) if weights is None else weights.astype(np.float64)
    share = (share / share.sum())[:, None]
    centre, target = (share * places).sum(axis=0), (share * reference).sum(axis=0)
    left, spread, right = np.linalg.svd((share * (places - centre)).T @ (reference - target))
    scale = spread.sum() / float((share * (places - centre) ** 2).sum())
    turn = scale * (left @ right)
    return Similarity(turn, target - centre @ turn)
