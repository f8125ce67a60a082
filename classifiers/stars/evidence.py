"""Probabilities of star types from the network's and from how well templates fit.

    ln p = a ln p(network) - misfit / (2 T) + constant

Both constants were fitted to simulated stars only, as those of the smallest negative log likelihood of the simulated
type (``classifiers.training.star_types`` fits them again and says what they are worth on stars that it has not seen).
T is far above 1 because templates differ from stars by more than the noise; a is above 1 because the network is trained
on soft labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NETWORK_POWER = 1.6
TEMPERATURE = 50.0
_LEAST = 1e-12


def type_shares(
    network: Floats, misfit: Floats, power: float = NETWORK_POWER, temperature: float = TEMPERATURE
) -> Floats:
    """Return the probabilities of types: (n, type) float64, rows sum to 1; NaN where nothing was fitted.

    Args:
        network: (n, type) the network's, of any sum.
        misfit: (n, type) as in ``MeasuredStars``.
        power: a.
        temperature: T.
    """
    network = np.ascontiguousarray(network)
    whole = np.maximum(network.sum(axis=1, keepdims=True), _LEAST)
    logarithm = power * np.log(np.maximum(network / whole, _LEAST)) - misfit / (2.0 * temperature)
    shares = np.exp(logarithm - logarithm.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float64)
