"""What the spectral autoencoder of a bundle makes of spectra; the graph gives its parts in the score alone."""

from __future__ import annotations

from pathlib import Path

import torch

from classifiers.networks.channels import normalise
from classifiers.training.evaluation.worst import Reconstruct
from classifiers.training.simulation.grid import Float32
from classifiers.training.weights import load_autoencoder


def reconstructing(folder: Path) -> Reconstruct:
    """Return what reconstructs with the weights of an anomaly bundle.

    Raises:
        BundleError: the bundle holds no weights of an autoencoder.
    """
    network = load_autoencoder(folder)

    def reconstruct(flux: Float32, inverse_variance: Float32) -> Float32:
        with torch.no_grad():
            x, significance = normalise(torch.from_numpy(flux), torch.from_numpy(inverse_variance))
            level = torch.from_numpy(flux).norm(dim=1, keepdim=True) / x.norm(dim=1, keepdim=True).clamp(min=1e-12)
            shift = network.shift(network.read(network.channels.of(x, significance)))
            latent, _ = network.encode(x, significance, shift)
            made: Float32 = (network.decode(latent, shift).whole * level).numpy()
        return made

    return reconstruct
