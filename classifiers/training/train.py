"""Train one spectral bundle from nothing: simulate, fit, export, calibrate, write.

The same bundle name, seed, n and epochs give the same weights on the same machine with the same number of threads,
whether the training was interrupted and resumed or not. A GPU's sums have no fixed order: of it that is not promised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import nn

from classifiers.bundle.folder import GOLDEN_FILE, GRAPH_FILE, WEIGHTS_FILE, write_bundle
from classifiers.bundle.manifest import Manifest
from classifiers.networks.classifier import ExportedClassifier
from classifiers.networks.qso import ExportedQsoFinder
from classifiers.networks.vae import ExportedVae
from classifiers.training.autoencoder import fit_vae
from classifiers.training.bundles import BUNDLES, DEFAULTS, NAMES, QSO, SPECTRAL_CLASSIFIER, THREADS, manifest
from classifiers.training.devices import CPU, Device
from classifiers.training.epochs import Kept
from classifiers.training.export import to_onnx
from classifiers.training.fitting import fit_classifier, fit_qso
from classifiers.training.golden import golden
from classifiers.training.journal.digest import arrays_digest
from classifiers.training.journal.journal import Journal
from classifiers.training.latent_map.making import make_map
from classifiers.training.samples import Samples, draw_samples
from classifiers.training.simulation.basis import SHIPPED
from classifiers.training.simulation.simulator import TRAINING_KINDS, Simulator
from classifiers.training.weights import SHIPPED_CLASSIFIER, LoadedClassifier, load_classifier, weights

Progress = Callable[[str, float], None]
DEFAULT_N, DEFAULT_EPOCHS = DEFAULTS[SPECTRAL_CLASSIFIER]
VALIDATION_SEED, VALIDATION_N = 3_000_017, 2048
"""Of the simulations that a journal's losses are measured on; no other sample has this seed."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A bundle as written, with the module it was exported from."""

    manifest: Manifest
    module: nn.Module
    folder: Path


def train_bundle(
    bundle_name: str,
    seed: int,
    n: int,
    epochs: int,
    output: Path,
    progress: Progress | None = None,
    basis: Path = SHIPPED,
    samples: Samples | None = None,
    threads: int = THREADS,
    classifier: Path | None = None,
    journal: Journal | None = None,
    device: Device = CPU,
) -> Trained:
    """Train a bundle and write it without calibration (``calibration.calibrate_bundles`` adds that).

    Args:
        bundle_name: one of ``bundles.BUNDLES``.
        seed: of the simulation and the training.
        n: number of simulated spectra.
        epochs: passes over them.
        output: folder of the bundle, made if absent.
        progress: called with the stage and the fraction of the stage that is done.
        basis: the simulator's basis file.
        samples: the n samples of this seed where the caller has drawn them already, for several bundles on one set.
        threads: of torch; part of what decides the weights' last bits.
        classifier: folder of the classifier bundle on whose trunk the others are trained; None: the one that ships.
        journal: where to keep state and losses of each epoch, and what to resume from; None keeps nothing.
        device: that computes; also part of what decides the last bits.

    Raises:
        ValueError: unknown bundle name, n or epochs below 1.
        BundleError: the classifier bundle is not intact, or holds no weights of this architecture.
        CheckpointError: the journal's checkpoint is of another training.
    """
    if bundle_name not in BUNDLES:
        raise ValueError(f"bundle: expected one of {', '.join(BUNDLES)}, got {bundle_name!r}")
    if n < 1 or epochs < 1:
        raise ValueError(f"expected n >= 1 and epochs >= 1, got n = {n}, epochs = {epochs}")
    torch.set_num_threads(threads)
    trunk = load_classifier(classifier or SHIPPED_CLASSIFIER) if bundle_name != SPECTRAL_CLASSIFIER else None
    if journal is not None:
        told = manifest(bundle_name, seed, n, epochs, {}, threads)
        journal.expect({"bundle": bundle_name, "architecture": told["architecture"], "seed": seed, "n": n})
        journal.expect({"epochs": epochs, "threads": threads, "torch": str(torch.__version__), "device": device.type})
        journal.expect({"trunk": trunk.sha256 if trunk is not None else "none"})
    simulator = Simulator.load(basis)
    drawn = draw_samples(simulator, n, seed, progress, TRAINING_KINDS) if samples is None else samples
    kept = None
    if journal is not None:
        journal.expect({"simulations with sha256": arrays_digest(getattr(drawn, each.name) for each in fields(drawn))})
        kept = Kept(journal, draw_samples(simulator, VALIDATION_N, VALIDATION_SEED, kinds=TRAINING_KINDS))
    module = _fit(bundle_name, drawn, seed, epochs, progress, trunk, kept, device)
    if progress is not None:
        progress("export", 0.0)
    written = write_trained(bundle_name, module, drawn, seed, epochs, output, basis, threads, trunk, device)
    if progress is not None:
        progress("done", 1.0)
    return written


def write_trained(
    bundle_name: str,
    module: nn.Module,
    samples: Samples,
    seed: int,
    epochs: int,
    output: Path,
    basis: Path = SHIPPED,
    threads: int = THREADS,
    trunk: LoadedClassifier | None = None,
    device: Device = CPU,
) -> Trained:
    """Export a fitted module and write its bundle, without calibration; arguments as in ``train_bundle``."""
    data = {"classifiers/training/simulation/basis.npz": hashlib.sha256(basis.read_bytes()).hexdigest()}
    if trunk is not None:
        data[f"{SPECTRAL_CLASSIFIER}/{WEIGHTS_FILE}"] = trunk.sha256
    declared = manifest(bundle_name, seed, len(samples), epochs, data, threads, device.type)
    files = {
        GRAPH_FILE: to_onnx(module, NAMES[bundle_name]),
        GOLDEN_FILE: golden(module, NAMES[bundle_name], samples),
        WEIGHTS_FILE: weights(module),
    }
    return Trained(write_bundle(output, declared, files), module, output)


def _fit(
    bundle_name: str,
    samples: Samples,
    seed: int,
    epochs: int,
    progress: Progress | None,
    trunk: LoadedClassifier | None,
    kept: Kept | None,
    device: Device,
) -> nn.Module:
    if trunk is None:
        return ExportedClassifier(fit_classifier(samples, seed, epochs, progress, kept, device)).eval()
    if bundle_name == QSO:
        return ExportedQsoFinder(fit_qso(samples, trunk.network, seed, epochs, progress, kept, device)).eval()
    network = fit_vae(samples, trunk.network, seed, epochs, progress, kept, device)
    return ExportedVae(network, make_map(network, samples, progress, device)).eval()
