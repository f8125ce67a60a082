"""Makes the map of a trained autoencoder, whose weights stay as they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from classifiers.networks.channels import normalise
from classifiers.networks.latent_map import LatentMap
from classifiers.networks.vae import SpectralVae, code
from classifiers.training.devices import CPU, Device, full_precision, tensor_on
from classifiers.training.latent_map.embedding import embed
from classifiers.training.latent_map.procrustes import similarity
from classifiers.training.latent_map.reference import landmarks, load_reference, medians
from classifiers.training.samples import Samples
from classifiers.training.simulation.scheme import KINDS

Progress = Callable[[str, float], None]
MAPPED = 10_240
"""Known spectra that the map is fitted to, at most: the first of the training samples."""
MAP_SEED = 1
_CHUNK = 1024
_KNOWN = tuple(KINDS.index(name) for name in ("GALAXY", "QSO", "STAR"))


@full_precision()
def make_map(
    network: SpectralVae, samples: Samples, progress: Progress | None = None, device: Device = CPU
) -> LatentMap:
    """Return the map, brought to the reference; the same weights and samples give the same map on one machine.

    Args:
        network: the trained autoencoder, which is on the host again afterwards.
        samples: simulated; the first ``MAPPED`` of known classes are used.
        progress: called with what is being done and the fraction done.
        device: that computes.
    """
    chosen = mapped_samples(samples)
    latent, members, reference = latent_means(network.to(device), chosen), landmarks(chosen), load_reference()
    network.cpu()
    place = embed(latent, reference[members], MAP_SEED, progress, members, device)
    counts = np.bincount(members, minlength=len(reference))
    there = np.flatnonzero(counts)
    move = similarity(medians(place.places(latent), members)[there], reference[there], counts[there])
    with torch.no_grad():
        place.turn.copy_(torch.from_numpy(move.turn))
        place.offset.copy_(torch.from_numpy(move.offset))
    return place


def mapped_samples(samples: Samples) -> Samples:
    """Return the first samples of known classes, at most ``MAPPED``."""
    return samples.rows(np.flatnonzero(np.isin(samples.kind, _KNOWN))[:MAPPED])


def latent_means(network: SpectralVae, samples: Samples) -> NDArray[np.float32]:
    """Return what each sample is drawn from, (n, ``CODE``) float32: its latent mean, and its shift to their scale."""
    parts = []
    for start in range(0, len(samples), _CHUNK):
        flux, inverse_variance = samples.rows(slice(start, start + _CHUNK)).inputs()
        parts.append(encode(network, flux, inverse_variance))
    return np.concatenate(parts)


def encode(
    network: SpectralVae, flux: NDArray[np.float32], inverse_variance: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return latent means and shifts (n, ``CODE``) of spectra (n, 1557) as the engines read them."""
    device = network.bin_floors.device
    with torch.no_grad():
        seen = normalise(tensor_on(device, flux), tensor_on(device, inverse_variance))
        shift = network.shift(network.read(network.channels.of(*seen)))
        return np.asarray(code(network.encode(*seen, shift)[0], shift).cpu().numpy(), np.float32)
