"""From nothing to an image bundle: simulate, train, export, calibrate on held-out simulations, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration, TailTable, calibration_file
from classifiers.bundle.folder import GRAPH_FILE, write_bundle
from classifiers.images.prepare import SIDE, prepare_stamps
from classifiers.training.stamps.export import INPUTS, stamp_graph
from classifiers.training.stamps.simulate import CHUNK, simulate_stamps
from classifiers.training.stamps.vae import StampScorer, StampVae, latent_features

Progress: TypeAlias = Callable[[str, float], None]

NAME = "stamp-anomaly"
VERSION = "0.1.0"
BATCH = 128
PEAK_LEARNING_RATE = 3e-3
BATCH_BUCKETS = (8, 32, 128, 256)
MIN_COVERAGE = 0.05
"""Fraction of the 3 x 63 x 63 pixels below which an alert is out of domain: a triplet of 14 x 14 pixels."""
_KNOTS = 2000


def train_stamp_bundle(
    seed: int,
    n: int,
    epochs: int,
    output: Path,
    progress: Progress | None = None,
    *,
    n_calibration: int = 10_000,
) -> dict[str, Any]:
    """Train the image VAE and write its bundle.

    Args:
        seed: of everything random; the same seed gives the same bytes on one machine with one version of torch.
        n: simulated alerts to train on.
        epochs: passes over them.
        output: the bundle's folder.
        progress: called with what is being done and the fraction done.
        n_calibration: held-out simulated alerts for the p-values.

    Returns:
        What was measured: loss, score quantiles, the same as in the manifest's ``metrics``.
    """
    report = progress or (lambda _what, _fraction: None)
    training = _Sample(n, np.random.default_rng([seed, 0]), report, "simulate")
    vae, losses = _fit(training, seed, epochs, report)
    projection, offset = _fit_map(vae, training)
    graph = stamp_graph(StampScorer(vae, projection, offset))
    held_out = _Sample(n_calibration, np.random.default_rng([seed, 1]), report, "simulate calibration")
    scores = score_sample(graph, held_out.batches(256))
    metrics = {
        "training_loss_nat_per_pixel": [round(loss, 4) for loss in losses],
        "held_out_score_quantiles": {
            str(q): round(float(np.quantile(scores, q)), 4) for q in (0.01, 0.1, 0.5, 0.9, 0.99)
        },
        "held_out_n": n_calibration,
    }
    calibration = Calibration(
        id=f"{NAME}-{VERSION}-simulated-{n_calibration}",
        n=n_calibration,
        p_other_threshold=None,
        novelty=tail_table(scores),
    )
    write_bundle(
        output,
        _manifest(seed, n, epochs, n_calibration, metrics),
        {
            GRAPH_FILE: graph,
            calibration_file("onnxruntime", "fp32"): (calibration.model_dump_json(indent=1) + "\n").encode(),
        },
    )
    report("done", 1.0)
    return metrics


class _Sample:
    """Prepared simulated alerts, kept in half precision: an alert takes 36 kB."""

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
        return self.stamps[index].astype(np.float32), self.mask[index].astype(np.float32)

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        for start in range(0, len(self), size):
            yield self.rows(slice(start, start + size))


def _fit(sample: _Sample, seed: int, epochs: int, report: Progress) -> tuple[StampVae, list[float]]:
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


def _fit_map(vae: StampVae, sample: _Sample) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the projection (16, 2) on the first two principal components of the latent features, and its offset (2,).

    Components have unit variance, and their largest weight is positive, so that retraining does not mirror the map.
    """
    stamps, mask = sample.rows(slice(0, 4096))
    with torch.no_grad():
        parts = [
            latent_features(vae.encode(torch.from_numpy(s), torch.from_numpy(m)).mean).numpy()
            for s, m in zip(np.array_split(stamps, 16), np.array_split(mask, 16), strict=True)
            if len(s)
        ]
    features = np.concatenate(parts).astype(np.float64)
    mean = features.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(features - mean, rowvar=False))
    axes = vectors[:, ::-1][:, :2] / np.sqrt(np.maximum(values[::-1][:2], 1e-12))
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    projection = torch.from_numpy(axes.astype(np.float32))
    return projection, torch.from_numpy((-mean @ axes).astype(np.float32))


def score_sample(
    graph: bytes, batches: Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]
) -> NDArray[np.float64]:
    """Return the scores of prepared alerts by the graph itself, in the runtime that the calibration is for."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    scores = [session.run(["score"], dict(zip(INPUTS, batch, strict=True)))[0] for batch in batches]
    return np.concatenate(scores).astype(np.float64)


def tail_table(scores: NDArray[np.float64]) -> TailTable:
    """Return the null distribution of scores: every one of the upper 1000, quantiles below."""
    ranked = np.unique(scores)
    if len(ranked) > _KNOTS:
        body = ranked[np.linspace(0, len(ranked) - _KNOTS // 2 - 1, _KNOTS // 2).astype(int)]
        ranked = np.unique(np.concatenate((body, ranked[-_KNOTS // 2 :])))
    at_or_above = len(scores) - np.searchsorted(np.sort(scores), ranked, side="left")
    return TailTable(n=len(scores), scores=tuple(ranked.tolist()), at_or_above=tuple(at_or_above.tolist()))


def _manifest(seed: int, n: int, epochs: int, n_calibration: int, metrics: dict[str, Any]) -> dict[str, Any]:
    shape = (3, SIDE, SIDE)
    return {
        "name": NAME,
        "version": VERSION,
        "role": "image_anomaly",
        "architecture": "stamp-vae-1",
        "stamp_shape": shape,
        "inputs": [{"name": name, "shape": shape} for name in INPUTS],
        "outputs": [
            {"name": "score", "shape": ()},
            {"name": "contribution", "shape": shape},
            {"name": "map", "shape": (2,)},
        ],
        "domain": {"min_coverage": MIN_COVERAGE},
        "batch_buckets": BATCH_BUCKETS,
        "training": {
            "command": "specstream train stamp-anomaly",
            "seed": seed,
            "settings": {
                "n": n,
                "epochs": epochs,
                "n_calibration": n_calibration,
                "batch": BATCH,
                "peak_learning_rate": PEAK_LEARNING_RATE,
            },
        },
        "metrics": metrics,
    }
