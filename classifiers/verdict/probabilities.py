"""Calibrated class probabilities and their entropies; rows are independent of each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class ClassProbabilities(NamedTuple):
    """Calibrated probabilities of n objects.

    ``classes`` (n, k) sums to 1 over the scheme; ``other`` (n,) is the probability of a type outside it.
    """

    classes: Floats
    other: Floats


def softmax(logits: Floats) -> Floats:
    """Return softmax over the last axis: (n, k) float64, rows sum to 1."""
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)


def with_other(class_logits: NDArray[np.float32], temperature: float) -> ClassProbabilities:
    """Apply temperature scaling (Guo et al. 2017, eq. 9) over k classes and OTHER, and renormalise the k classes.

    Args:
        class_logits: (n, k+1) float32, OTHER last.
        temperature: calibration's temperature.
    """
    scaled = class_logits.astype(np.float64) / temperature
    k = scaled.shape[1] - 1
    return ClassProbabilities(softmax(np.ascontiguousarray(scaled[:, :k])), softmax(scaled)[:, k].copy())


def entropy(probabilities: Floats) -> Floats:
    """Return the Shannon entropy of each row [nat]: (n,) float64, 0 log 0 = 0."""
    logarithm = np.log(np.where(probabilities > 0, probabilities, 1.0))
    return np.asarray(np.maximum(0.0, -(probabilities * logarithm).sum(axis=1)), dtype=np.float64)


def sigmoid(logits: NDArray[np.float32], temperature: float = 1.0) -> Floats:
    """Return 1 / (1 + exp(-logits / temperature)): (n,) float64."""
    scaled = np.clip(logits.astype(np.float64) / temperature, -700.0, 700.0)
    return np.asarray(1.0 / (1.0 + np.exp(-scaled)), dtype=np.float64)
