"""Probabilities of star types from the network's and from how well templates fit.

    p = w q + (1 - w) p(network),   ln q = a ln p(network) - misfit / (2 T) + constant

a and T were fitted to simulated stars only, as those of the smallest negative log likelihood of the simulated
type (``classifiers.training.star_types`` fits them again and says what they are worth on stars that it has not seen).
T is far above 1 because templates differ from stars by more than the noise; a is above 1 because the network is trained
on soft labels. w is that of the lines' rule against the network (``classifiers.spectral.measuring``): simulated stars,
which come from libraries as the templates do, would have it near 1, and then a real star that no template resembles
gets a probability of 1e-12 for its own type.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NETWORK_POWER = 1.6
TEMPERATURE = 50.0
WEIGHT = 0.85
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
    whole = network.sum(axis=1, keepdims=True)
    alone = np.where(whole > 0, network / np.maximum(whole, _LEAST), 1.0 / network.shape[1])
    logarithm = power * np.log(np.maximum(alone, _LEAST)) - misfit / (2.0 * temperature)
    shares = np.exp(logarithm - logarithm.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return np.asarray(WEIGHT * shares + (1.0 - WEIGHT) * alone, np.float64)
