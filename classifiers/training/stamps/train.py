"""From nothing to an image bundle: simulate, train, export, calibrate on held-out simulations, write."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from classifiers.bundle.calibration import calibration_file
from classifiers.bundle.folder import GOLDEN_FILE, GRAPH_FILE, WEIGHTS_FILE, load_bundle, write_bundle
from classifiers.images.prepare import SIDE
from classifiers.networks.stamp_vae import latent_pooling
from classifiers.networks.stamps import ExportedStamps, StampNetwork
from classifiers.runtimes.onnx_cpu import OnnxEngine
from classifiers.training.devices import CPU, Device
from classifiers.training.export import to_onnx
from classifiers.training.journal.digest import arrays_digest
from classifiers.training.journal.journal import Journal
from classifiers.training.provenance import device_setting, train_command
from classifiers.training.stamps import hosts
from classifiers.training.stamps.calibrating import INPUTS, HeldOut, held_out, stamp_calibration
from classifiers.training.stamps.fitting import BATCH, CLASS_WEIGHT, NOVELTY_WEIGHT, PEAK_LEARNING_RATE, Losses, fit
from classifiers.training.stamps.samples import Progress, Sample
from classifiers.training.stamps.scheme import CLASS_PRIOR, CLASS_SCHEME, CLASSES, PRIOR
from classifiers.training.tolerances import TOLERANCES
from classifiers.training.weights import weights

NAME = "stamp-anomaly"
VERSION = "0.5.0"
ARCHITECTURE = "stamp-vae-classifier-3"
VALIDATION_N = 1024
BATCH_BUCKETS = (16, 64, 256)
MIN_COVERAGE = 0.05
"""Fraction of the 3 x 63 x 63 pixels below which an alert is out of domain: a triplet of 14 x 14 pixels."""
SHAPE = (3, SIDE, SIDE)
N_CALIBRATION = 10_000
_GOLDEN_ROWS = 4
_MAP_BATCHES = 16


def train_stamp_bundle(
    seed: int,
    n: int,
    epochs: int,
    output: Path,
    progress: Progress | None = None,
    *,
    n_calibration: int = N_CALIBRATION,
    threads: int = 1,
    journal: Journal | None = None,
    device: Device = CPU,
) -> dict[str, Any]:
    """Train VAE and classifier together and write their bundle.

    Args:
        seed: of everything random; the same arguments give the same weights on one machine's processor.
        n: simulated alerts to train on.
        epochs: passes over them.
        output: the bundle's folder.
        progress: called with what is being done and the fraction done.
        n_calibration: held-out simulated alerts for p-values and temperature.
        threads: of torch; part of what decides the weights' last bits.
        journal: where to keep state and losses of each epoch, and what to resume from; None keeps nothing.
        device: that computes; also part of what decides the last bits.

    Raises:
        ValueError: there is nothing to train on.
        CheckpointError: the journal's checkpoint is of another training.

    Returns:
        What was measured: loss, score quantiles, recall of the classes, the same as in the manifest's ``metrics``.
    """
    if n < 1 or epochs < 1 or n_calibration < 1:
        raise ValueError(f"n, epochs and n_calibration must be at least 1, got {n}, {epochs} and {n_calibration}")
    torch.set_num_threads(threads)
    report = progress or (lambda _what, _fraction: None)
    if journal is not None:
        journal.expect({"bundle": NAME, "architecture": ARCHITECTURE, "seed": seed, "n": n, "epochs": epochs})
        journal.expect({"threads": threads, "torch": str(torch.__version__), "device": device.type})
    training = Sample(n, np.random.default_rng([seed, 0]), report, "simulate")
    validation = None
    if journal is not None:
        digest = arrays_digest((training.stamps, training.mask, training.labels))
        journal.expect({"simulations with sha256": digest})
        validation = Sample(VALIDATION_N, np.random.default_rng([seed, 3]), report, "simulate held-out alerts")
    network, losses = fit(training, seed, epochs, report, journal, validation, device)
    settings = {
        "n": n,
        "epochs": epochs,
        "n_calibration": n_calibration,
        "threads": threads,
        "batch": BATCH,
        "peak_learning_rate": PEAK_LEARNING_RATE,
        "class_weight": CLASS_WEIGHT,
        "novelty_weight": NOVELTY_WEIGHT,
        **device_setting(device.type),
    }
    return write_trained(network, losses, training, seed, settings, output, report)


def write_trained(
    network: StampNetwork,
    losses: Sequence[Losses],
    training: Sample,
    seed: int,
    settings: dict[str, Any],
    output: Path,
    report: Progress,
) -> dict[str, Any]:
    """Export a fitted network, calibrate it on held-out simulations and write the bundle; as ``train_stamp_bundle``."""
    projection, offset = fit_map(network, training)
    module = ExportedStamps(network, projection, offset).eval()
    example = {"stamps": torch.zeros(8, *SHAPE), "mask": torch.ones(8, *SHAPE)}
    files = {GRAPH_FILE: to_onnx(module, ExportedStamps.NAMES, example)}
    files |= {GOLDEN_FILE: _golden(module, training), WEIGHTS_FILE: weights(module)}
    metrics: dict[str, Any] = {
        "class_prior": dict(CLASS_PRIOR),
        "training_loss_nat_per_pixel": [round(each.elbo, 4) for each in losses],
        "training_cross_entropy_nat": [round(each.cross_entropy, 4) for each in losses],
        "training_novelty_cross_entropy_nat": [round(each.novelty, 4) for each in losses],
    }
    write_bundle(output, _manifest(seed, settings, metrics), files)

    engine = OnnxEngine(load_bundle(output), threads=2)
    found = held_out(engine, seed, settings["n_calibration"], report)
    metrics |= _held_out_metrics(found)
    calibration = stamp_calibration(f"{NAME}-{VERSION}-simulated-{seed}", engine, found)
    files[calibration_file("onnxruntime", "fp32")] = (calibration.model_dump_json(indent=1) + "\n").encode()
    write_bundle(output, _manifest(seed, settings, metrics), files)
    report("done", 1.0)
    return metrics


def fit_map(network: StampNetwork, sample: Sample) -> tuple[Tensor, Tensor]:
    """Return the projection (512, 2) of a flat latent on two principal components of its pooled means, and its offset.

    Components have unit variance, and their largest weight is positive, so that retraining does not mirror the map.
    """
    pooling = latent_pooling()
    parts = []
    with torch.no_grad():
        for stamps, mask in itertools.islice(sample.batches(), _MAP_BATCHES):
            features = network.vae.features(torch.from_numpy(stamps), torch.from_numpy(mask))
            parts.append((network.vae.posterior(features).mean.flatten(1) @ pooling).numpy())
    pooled = np.concatenate(parts).astype(np.float64)
    mean = pooled.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(pooled - mean, rowvar=False))
    axes = vectors[:, ::-1][:, :2] / np.sqrt(np.maximum(values[::-1][:2], 1e-12))
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    projection = pooling @ torch.from_numpy(axes.astype(np.float32))
    return projection, torch.from_numpy((-mean @ axes).astype(np.float32))


def _held_out_metrics(sample: HeldOut) -> dict[str, Any]:
    scores, labels = sample.scores, sample.labels
    found = sample.logits.argmax(axis=1)
    rows = {name: np.flatnonzero(labels == index) for index, name in enumerate(CLASSES)}
    return {
        "held_out_score_quantiles": {
            str(q): round(float(np.quantile(scores, q)), 4) for q in (0.01, 0.1, 0.5, 0.9, 0.99)
        },
        "held_out_recall": {
            name: round(float((found[row] == labels[row]).mean()), 4) for name, row in rows.items() if row.size
        },
    }


def _golden(module: ExportedStamps, sample: Sample) -> bytes:
    """Return an ``.npz`` of some inputs and what torch computes for them, prefixed input_ and output_."""
    stamps, mask = sample.rows(slice(0, _GOLDEN_ROWS))
    with torch.no_grad():
        outputs = module(torch.from_numpy(stamps), torch.from_numpy(mask))
    arrays: dict[str, Any] = {"input_stamps": stamps, "input_mask": mask}
    arrays |= {f"output_{name}": value.numpy() for name, value in zip(ExportedStamps.NAMES, outputs, strict=True)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _manifest(seed: int, settings: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": NAME,
        "version": VERSION,
        "role": "image_anomaly",
        "architecture": ARCHITECTURE,
        "class_scheme": CLASS_SCHEME,
        "class_names": CLASSES,
        "prior_id": PRIOR,
        "stamp_shape": SHAPE,
        "inputs": [{"name": name, "shape": SHAPE} for name in INPUTS],
        "outputs": [
            {"name": "score", "shape": ()},
            {"name": "contribution", "shape": SHAPE},
            {"name": "map", "shape": (2,)},
            {"name": "class_logits", "shape": (len(CLASSES),)},
        ],
        "domain": {"min_coverage": MIN_COVERAGE},
        "batch_buckets": BATCH_BUCKETS,
        "tolerances": TOLERANCES,
        "training": {
            "command": train_command(NAME, seed, settings),
            "seed": seed,
            "data": {"stamps/hosts.npz": hashlib.sha256(hosts.SHIPPED.read_bytes()).hexdigest()},
            "settings": settings,
        },
        "metrics": metrics,
    }
