"""Makes the reference of the map from an anomaly bundle's autoencoder.

    python -m classifiers.training.latent_map.building FOLDER

writes ``reference.json`` anew; the same bundle and simulator give the same file on one machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from classifiers.training.bundles import THREADS
from classifiers.training.latent_map.embedding import embed
from classifiers.training.latent_map.making import MAP_SEED, latent_means, mapped_samples
from classifiers.training.latent_map.plane import Plane
from classifiers.training.latent_map.reference import NAMES, REFERENCE_FILE, landmarks, medians
from classifiers.training.latent_map.remaking import samples_of
from classifiers.training.weights import load_autoencoder


def build(folder: Path, file: Path = REFERENCE_FILE) -> None:
    """Write the places of the landmarks on a map that begins as the principal plane, centred, mean square 1 per axis.

    Args:
        folder: of an anomaly bundle.
        file: to write.

    Raises:
        BundleError: the bundle is not intact, or holds no weights of an autoencoder.
    """
    torch.set_num_threads(THREADS)
    samples = mapped_samples(samples_of(folder))
    latent = latent_means(load_autoencoder(folder), samples)
    places = embed(latent, Plane.of(latent)(latent), MAP_SEED).places(latent).astype(np.float64)
    places -= places.mean(axis=0)
    places /= np.sqrt((places**2).mean())
    found = medians(places, landmarks(samples))
    text = ",\n".join(f' "{name}": [{x:.3f}, {y:.3f}]' for name, (x, y) in zip(NAMES, found, strict=True))
    file.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
