"""What the map of a bundle shows of some spectra, and where they lie in the latent space that torch computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classifiers.items import Spectrum
from classifiers.loaded import LoadedEngine
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.training.evaluation.map_quality import Mapped
from classifiers.training.latent_map.making import encode
from classifiers.training.weights import load_autoencoder

_CHUNK = 256


def shown(anomaly: LoadedEngine, spectra: Sequence[Spectrum]) -> Mapped:
    """Return latent means, and the places that the engine gives.

    Args:
        anomaly: engine of role ``anomaly``, whose bundle holds its weights.
        spectra: n >= 1.

    Raises:
        BundleError: the bundle holds no weights of an autoencoder.
    """
    network = load_autoencoder(anomaly.bundle.folder)
    latent, places = [], []
    for start in range(0, len(spectra), _CHUNK):
        seen = prepare(spectra[start : start + _CHUNK], COMMON_GRID)
        latent.append(encode(network, seen.flux, seen.inverse_variance))
        outputs = anomaly.engine.run({"flux": seen.flux, "inverse_variance": seen.inverse_variance})
        places.append(outputs["map"])
    return Mapped(np.concatenate(latent), np.concatenate(places))
