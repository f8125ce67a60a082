"""Weights of trained networks as safetensors: what another runtime rebuilds a module from, and a trunk to build on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import nn

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import WEIGHTS_FILE, load_bundle
from classifiers.networks.classifier import ExportedClassifier, SpectralClassifier
from classifiers.networks.vae import SpectralVae

SHIPPED_CLASSIFIER = Path(__file__).resolve().parent.parent / "models" / "spectral-classifier"


@dataclass(frozen=True, slots=True)
class LoadedClassifier:
    """A trained classifier, and the SHA-256 of its file of weights."""

    network: SpectralClassifier
    sha256: str


def weights(module: nn.Module) -> bytes:
    """Return the parameters and buffers of a module, float32; what can be computed anew is not among them."""
    state = {name: value.detach().to(torch.float32).contiguous() for name, value in module.state_dict().items()}
    return bytes(save(state))


def load_classifier(folder: Path) -> LoadedClassifier:
    """Return the network of a classifier bundle.

    Raises:
        BundleError: the bundle is not intact, or holds no weights of this architecture.
    """
    module = ExportedClassifier(SpectralClassifier())
    digest = _load(folder, module, "")
    return LoadedClassifier(module.network.eval(), digest)


def load_autoencoder(folder: Path) -> SpectralVae:
    """Return the autoencoder of an anomaly bundle, without the map, whatever made that.

    Raises:
        BundleError: the bundle is not intact, or holds no weights of an autoencoder.
    """
    network = SpectralVae()
    _load(folder, network, "network.")
    return network.eval()


def _load(folder: Path, module: nn.Module, prefix: str) -> str:
    """Give a module the weights of a bundle whose names begin with a prefix; return the digest of their file."""
    bundle = load_bundle(folder)
    file = folder / WEIGHTS_FILE
    if WEIGHTS_FILE not in bundle.manifest.files:
        raise BundleError(str(file), expected="the weights of the network", found="no such file in the manifest")
    stored = {name: value for name, value in load(file.read_bytes()).items() if name.startswith(prefix)}
    try:
        module.load_state_dict({name.removeprefix(prefix): value for name, value in stored.items()})
    except RuntimeError as error:  # torch's error for keys or shapes that do not fit
        first = str(error).splitlines()[0]
        raise BundleError(str(file), expected=f"weights of a {type(module).__name__}", found=first) from error
    return bundle.manifest.files[WEIGHTS_FILE]
