"""From nothing to an image bundle: simulate, train, export, calibrate on held-out simulations, write."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from classifiers.bundle.calibration import calibration_file
from classifiers.bundle.folder import GOLDEN_FILE, GRAPH_FILE, load_bundle, write_bundle
from classifiers.images.prepare import SIDE, prepare_stamps
from classifiers.runtimes.opening import open_engine
from classifiers.training.export import to_onnx
from classifiers.training.stamps.simulate import CHUNK, simulate_stamps
from classifiers.training.stamps.vae import StampScorer, StampVae, latent_pooling
from classifiers.verdict.calibrate import score_calibration

Progress: TypeAlias = Callable[[str, float], None]

NAME = "stamp-anomaly"
VERSION = "0.1.0"
BATCH = 128
PEAK_LEARNING_RATE = 3e-3
BATCH_BUCKETS = (16, 64, 256)
MIN_COVERAGE = 0.05
"""Fraction of the 3 x 63 x 63 pixels below which an alert is out of domain: a triplet of 14 x 14 pixels."""
INPUTS = ("stamps", "mask")
OUTPUTS = ("score", "contribution", "map")
SHAPE = (3, SIDE, SIDE)
_GOLDEN_ROWS = 4
_MAP_BATCHES = 16


def train_stamp_bundle(
    seed: int,
    n: int,
    epochs: int,
    output: Path,
    progress: Progress | None = None,
    *,
    n_calibration: int = 10_000,
    threads: int = 2,
) -> dict[str, Any]:
    """Train the image VAE and write its bundle.

    Args:
        seed: of everything random; the same arguments give the same weights on one machine.
        n: simulated alerts to train on.
        epochs: passes over them.
        output: the bundle's folder.
        progress: called with what is being done and the fraction done.
        n_calibration: held-out simulated alerts for the p-values.
        threads: of torch; part of what decides the weights' last bits.

    Returns:
        What was measured: loss, score quantiles, the same as in the manifest's ``metrics``.
    """
    if n < 1 or epochs < 1 or n_calibration < 1:
        raise ValueError(f"n, epochs and n_calibration must be at least 1, got {n}, {epochs} and {n_calibration}")
    torch.set_num_threads(threads)
    report = progress or (lambda _what, _fraction: None)
    training = Sample(n, np.random.default_rng([seed, 0]), report, "simulate")
    vae, losses = fit(training, seed, epochs, report)
    return write_trained(vae, losses, training, seed, epochs, output, report, n_calibration)


def write_trained(
    vae: StampVae,
    losses: Sequence[float],
    training: Sample,
    seed: int,
    epochs: int,
    output: Path,
    report: Progress,
    n_calibration: int,
) -> dict[str, Any]:
    """Export a fitted network, calibrate it on held-out simulations and write the bundle; as ``train_stamp_bundle``."""
    projection, offset = fit_map(vae, training)
    scorer = StampScorer(vae, projection, offset).eval()
    example = {"stamps": torch.zeros(8, *SHAPE), "mask": torch.ones(8, *SHAPE)}
    files = {GRAPH_FILE: to_onnx(scorer, OUTPUTS, example), GOLDEN_FILE: _golden(scorer, training)}
    settings = {
        "n": len(training),
        "epochs": epochs,
        "n_calibration": n_calibration,
        "batch": BATCH,
        "peak_learning_rate": PEAK_LEARNING_RATE,
    }
    metrics: dict[str, Any] = {"training_loss_nat_per_pixel": [round(loss, 4) for loss in losses]}
    write_bundle(output, _manifest(seed, settings, metrics), files)

    held_out = Sample(n_calibration, np.random.default_rng([seed, 1]), report, "simulate for calibration")
    engine = open_engine(load_bundle(output), "onnxruntime", threads=2).engine
    scores = np.concatenate([engine.run(dict(zip(INPUTS, rows, strict=True)))["score"] for rows in held_out.batches()])
    metrics["held_out_score_quantiles"] = {
        str(q): round(float(np.quantile(scores, q)), 4) for q in (0.01, 0.1, 0.5, 0.9, 0.99)
    }
    calibration = score_calibration(f"{NAME}-{VERSION}-simulated-{seed}", scores, p_other_threshold=None)
    files[calibration_file("onnxruntime", "fp32")] = (calibration.model_dump_json(indent=1) + "\n").encode()
    write_bundle(output, _manifest(seed, settings, metrics), files)
    report("done", 1.0)
    return metrics


class Sample:
    """Prepared simulated alerts, kept in half precision: an alert takes 36 kB.

    Attributes:
        stamps: (n, 3, 63, 63) float16.
        mask: (n, 3, 63, 63) uint8, 1 = valid.
    """

    def __init__(self, n: int, rng: np.random.Generator, report: Progress, what: str) -> None:
        self.stamps = np.empty((n, 3, SIDE, SIDE), dtype=np.float16)
        self.mask = np.empty((n, 3, SIDE, SIDE), dtype=np.uint8)
        for start in range(0, n, CHUNK):
            report(what, start / n)
            stop = min(start + CHUNK, n)
            prepared = prepare_stamps(simulate_stamps(stop - start, rng).items())
            self.stamps[start:stop] = prepared.stamps
            self.mask[start:stop] = prepared.mask

    def __len__(self) -> int:
        return len(self.stamps)

    def rows(self, index: NDArray[np.int64] | slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return stamps and mask of some alerts as an engine reads them."""
        return self.stamps[index].astype(np.float32), self.mask[index].astype(np.float32)

    def batches(self, size: int = 256) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Yield all alerts in order."""
        for start in range(0, len(self), size):
            yield self.rows(slice(start, start + size))


def fit(sample: Sample, seed: int, epochs: int, report: Progress) -> tuple[StampVae, list[float]]:
    """Train with Adam under a one-cycle learning rate; return the network and the loss of each epoch."""
    order = np.random.default_rng([seed, 2])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = StampVae()
    noise = torch.Generator().manual_seed(seed)
    steps_per_epoch = -(-len(sample) // BATCH)
    optimiser = torch.optim.Adam(vae.parameters(), lr=PEAK_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=PEAK_LEARNING_RATE, total_steps=steps_per_epoch * epochs, pct_start=0.15
    )
    losses: list[float] = []
    for epoch in range(epochs):
        total = 0.0
        shuffled = order.permutation(len(sample))
        for step in range(steps_per_epoch):
            stamps, mask = sample.rows(shuffled[step * BATCH : (step + 1) * BATCH])
            optimiser.zero_grad()
            loss = vae.negative_elbo(torch.from_numpy(stamps), torch.from_numpy(mask), noise)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
            if step % 20 == 0:
                report(f"train, epoch {epoch + 1} of {epochs}", (epoch + step / steps_per_epoch) / epochs)
        losses.append(total / steps_per_epoch)
    return vae.eval(), losses


def fit_map(vae: StampVae, sample: Sample) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the projection (512, 2) of a flat latent on two principal components of its pooled means, and its offset.

    Components have unit variance, and their largest weight is positive, so that retraining does not mirror the map.
    """
    pooling = latent_pooling()
    parts = []
    with torch.no_grad():
        for stamps, mask in itertools.islice(sample.batches(), _MAP_BATCHES):
            latent = vae.encode(torch.from_numpy(stamps), torch.from_numpy(mask)).mean
            parts.append((latent.flatten(1) @ pooling).numpy())
    features = np.concatenate(parts).astype(np.float64)
    mean = features.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(features - mean, rowvar=False))
    axes = vectors[:, ::-1][:, :2] / np.sqrt(np.maximum(values[::-1][:2], 1e-12))
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    projection = pooling @ torch.from_numpy(axes.astype(np.float32))
    return projection, torch.from_numpy((-mean @ axes).astype(np.float32))


def _golden(scorer: StampScorer, sample: Sample) -> bytes:
    """Return an ``.npz`` of some inputs and what torch computes for them, prefixed input_ and output_."""
    stamps, mask = sample.rows(slice(0, _GOLDEN_ROWS))
    with torch.no_grad():
        outputs = scorer(torch.from_numpy(stamps), torch.from_numpy(mask))
    arrays: dict[str, Any] = {"input_stamps": stamps, "input_mask": mask}
    arrays |= {f"output_{name}": value.numpy() for name, value in zip(OUTPUTS, outputs, strict=True)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _manifest(seed: int, settings: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": NAME,
        "version": VERSION,
        "role": "image_anomaly",
        "architecture": "stamp-vae-1",
        "stamp_shape": SHAPE,
        "inputs": [{"name": name, "shape": SHAPE} for name in INPUTS],
        "outputs": [
            {"name": "score", "shape": ()},
            {"name": "contribution", "shape": SHAPE},
            {"name": "map", "shape": (2,)},
        ],
        "domain": {"min_coverage": MIN_COVERAGE},
        "batch_buckets": BATCH_BUCKETS,
        "training": {"command": f"specstream train {NAME}", "seed": seed, "settings": settings},
        "metrics": metrics,
    }
