"""Makes the map of a written anomaly bundle anew: its autoencoder, and so its scores and calibrations, stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from classifiers.bundle.folder import GOLDEN_FILE, GRAPH_FILE, WEIGHTS_FILE, load_bundle, write_bundle
from classifiers.bundle.manifest import Manifest
from classifiers.networks.vae import ExportedVae
from classifiers.training.bundles import ANOMALY, ARCHITECTURES, NAMES
from classifiers.training.devices import CPU, Device
from classifiers.training.export import to_onnx
from classifiers.training.golden import golden
from classifiers.training.latent_map.making import MAPPED, make_map
from classifiers.training.provenance import remapped
from classifiers.training.samples import Samples, draw_samples
from classifiers.training.simulation.simulator import TRAINING_KINDS, Simulator
from classifiers.training.weights import load_autoencoder, weights

Progress = Callable[[str, float], None]
_SPARE = 2
"""Samples drawn for each that is mapped: some are of no known class."""


def remake_map(folder: Path, progress: Progress | None = None, device: Device = CPU) -> Manifest:
    """Fit the map of the anomaly bundle in a folder, and write the bundle again.

    With the simulator that it was trained on, a bundle that was written by this code gets the same bytes, if both were
    computed on the processor.

    The classifier's calibration names the digest of the anomaly bundle that it was made with: calibrate both anew
    afterwards (``calibration.calibrate_bundles``).

    Args:
        folder: of the bundle.
        progress: called with what is being done and the fraction done.
        device: that computes.

    Raises:
        BundleError: the bundle is not intact, or holds no weights of an autoencoder.
    """
    network = load_autoencoder(folder)
    bundle = load_bundle(folder)
    torch.set_num_threads(bundle.manifest.training.settings["threads"])
    samples = samples_of(folder, progress)
    module = ExportedVae(network, make_map(network, samples, progress, device)).eval()
    files = {name: (folder / name).read_bytes() for name in bundle.manifest.files}
    files |= {
        GRAPH_FILE: to_onnx(module, NAMES[ANOMALY]),
        GOLDEN_FILE: golden(module, NAMES[ANOMALY], samples),
        WEIGHTS_FILE: weights(module),
    }
    fields = bundle.manifest.model_dump(exclude={"files"}) | {"architecture": ARCHITECTURES[ANOMALY]}
    fields["training"]["settings"] = remapped(bundle.manifest.training.settings, device.type)
    return write_bundle(folder, fields, files)


def samples_of(folder: Path, progress: Progress | None = None) -> Samples:
    """Return the beginning of the samples that a bundle was trained on, drawn by the simulator as it is now."""
    made = load_bundle(folder).manifest.training
    n = min(made.settings["n"], _SPARE * MAPPED)
    return draw_samples(Simulator.load(), n, made.seed, progress, TRAINING_KINDS)
