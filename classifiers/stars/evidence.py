"""Probabilities of star types, and of stars outside the scheme, from the network's and from how well templates fit.

    p = w q + (1 - w) p(network),   ln q = a ln p(network) - misfit / (2 T) + constant

The misfit is made as the labels of simulated stars are, with what details of a fit leave open counted as errors
(``classifiers.stars.measure.DETAIL``), so T is near 1: simulated stars, that templates alone are to explain, give 1.0.
a is small because the network is trained on the same labels and knows little beyond them. Of the drawn labels the
smallest negative log likelihood has a = 0.3 and T = 1.6 (``classifiers.training.star_types`` fits them again and says
what they are worth on stars that it has not seen); where fits with other windows, weights and polynomials name the
stars, it has a = 0.3 and T = 0.5; what is between them is as good within 0.02. w is that of the lines' rule against the
network (``classifiers.spectral.measuring``): simulated stars, which come from libraries as the templates do, would have
it near 1, and then a real star that no template resembles gets a probability of 1e-12 for its own type.

Whether a star is outside the scheme is decided likewise, but templates only speak against it: what the network takes
for a white dwarf must be fitted by white dwarfs as well. The other way round, a star poor in metals that a template of
a B star fits best would be called one, as it is by the survey, and by nobody else. White dwarfs, carbon, O and B stars
are judged as star types are. SDSS's templates have no M0, so that M0 fits K7 best, and nothing is taken from templates
against M dwarfs: of simulated M and K5 stars, no templates, that the network is not sure of, w = 0 has the smallest
negative log likelihood (``classifiers.training.outside_stars``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NETWORK_POWER = 0.3
TEMPERATURE = 1.0
WEIGHT = 0.85
OUTSIDE: Mapping[str, tuple[float, float]] = {
    "M": (TEMPERATURE, 0.0),
    "WD": (TEMPERATURE, WEIGHT),
    "OB": (TEMPERATURE, WEIGHT),
    "CARBON": (TEMPERATURE, WEIGHT),
}
"""T and w of stars outside the scheme, in the order of ``templates.OUTSIDE_TYPES``; none is fitted for w = 0."""
_LEAST = 1e-12
_FARTHEST = 700.0


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


def outside_probability(
    network: Floats,
    misfit: Floats,
    kind: NDArray[np.int64],
    constants: Sequence[tuple[float, float]] = tuple(OUTSIDE.values()),
) -> Floats:
    """Return the probability of being outside the scheme, at most the network's: (n,) float64.

    Args:
        network: (n,) the network's, neither 0 nor 1.
        misfit: (n,) of templates outside the scheme less that of those inside (``classifiers.stars.outside``); NaN
            where nothing was fitted, and then the network's stands.
        kind: (n,) into ``OUTSIDE``, what the star would be.
        constants: T and w of each kind.
    """
    temperature, weight = np.array(constants)[kind].T
    logarithm = NETWORK_POWER * np.log(network / (1.0 - network)) - misfit / (2.0 * temperature)
    fitted = 1.0 / (1.0 + np.exp(-np.clip(logarithm, -_FARTHEST, _FARTHEST)))
    return np.where(fitted < network, weight * fitted + (1.0 - weight) * network, network)
