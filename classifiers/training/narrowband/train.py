"""From nothing to the narrow-band bundle: simulate, train, export, calibrate on held-out mocks, measure, write."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from classifiers.bundle.calibration import calibration_file
from classifiers.bundle.folder import GOLDEN_FILE, GRAPH_FILE, WEIGHTS_FILE, load_bundle, write_bundle
from classifiers.networks.declared import BANDS
from classifiers.networks.narrowband import ExportedNarrowband
from classifiers.runtimes.onnx_cpu import OnnxEngine
from classifiers.training.devices import CPU, Device
from classifiers.training.export import to_onnx
from classifiers.training.journal.digest import arrays_digest
from classifiers.training.journal.journal import Journal
from classifiers.training.narrowband.calibrating import held_out, narrowband_calibration, numbers
from classifiers.training.narrowband.declared import ARCHITECTURE, NAME, VERSION, manifest
from classifiers.training.narrowband.fitting import BATCH, fit
from classifiers.training.narrowband.measures import measured
from classifiers.training.narrowband.samples import Inputs
from classifiers.training.narrowband.simulator import CLASSES, Mocks, NarrowbandSimulator
from classifiers.training.provenance import device_setting
from classifiers.training.weights import weights

Progress: TypeAlias = Callable[[str, float], None]

FLAT = 0.5
"""Half of the training set is even in r and redshift, so that rare and bright sources are learned too."""
N_CALIBRATION, N_TEST, VALIDATION_N = 24_000, 60_000, 4096
_GOLDEN_ROWS = 8


def train_narrowband_bundle(
    seed: int,
    n: int,
    epochs: int,
    output: Path,
    progress: Progress | None = None,
    *,
    n_calibration: int = N_CALIBRATION,
    n_test: int = N_TEST,
    threads: int = 1,
    journal: Journal | None = None,
    device: Device = CPU,
) -> dict[str, Any]:
    """Train the narrow-band quasar finder and write its bundle.

    Args:
        seed: of everything random; the same arguments give the same weights on one machine's processor.
        n: mock sources to train on; each epoch observes them anew.
        epochs: passes over them.
        output: the bundle's folder.
        progress: called with what is being done and the fraction done.
        n_calibration: held-out mocks for temperature, errors and novelty.
        n_test: further held-out mocks of each kind for the figures in the manifest.
        threads: of torch; part of what decides the weights' last bits.
        journal: where to keep state and losses of each epoch, and what to resume from; None keeps nothing.
        device: that computes; also part of what decides the last bits.

    Raises:
        ValueError: there is nothing to train on.
        CheckpointError: the journal's checkpoint is of another training.

    Returns:
        The figures, the same as in the manifest's ``metrics``.
    """
    if min(n, epochs, n_calibration, n_test) < 1:
        raise ValueError(f"expected at least 1 of everything, got {n}, {epochs}, {n_calibration} and {n_test}")
    torch.set_num_threads(threads)
    report = progress or (lambda _what, _fraction: None)
    simulator = NarrowbandSimulator.load()
    if journal is not None:
        journal.expect({"bundle": NAME, "architecture": ARCHITECTURE, "seed": seed, "n": n, "epochs": epochs})
        journal.expect({"threads": threads, "torch": str(torch.__version__), "device": device.type})
    report("simulate", 0.0)
    mocks = simulator.draw(numbers(n), np.random.default_rng([seed, 0]), flat=FLAT)
    validation = None
    if journal is not None:
        journal.expect({"simulations with sha256": arrays_digest(getattr(mocks, each.name) for each in fields(mocks))})
        validation = simulator.draw(numbers(VALIDATION_N), np.random.default_rng([seed, 10]))
    net, losses = fit(mocks, simulator, seed, epochs, report, journal, validation, device)
    exported = ExportedNarrowband(net).eval()
    example = {"flux": torch.randn(8, BANDS), "inverse_variance": torch.rand(8, BANDS)}
    files = {GRAPH_FILE: to_onnx(exported, ExportedNarrowband.NAMES, example)}
    unseen, inputs = held_out(simulator, seed, n_calibration)
    files |= {GOLDEN_FILE: golden(exported, inputs), WEIGHTS_FILE: weights(exported)}
    sizes = {"n": n, "epochs": epochs, "n_calibration": n_calibration, "batch": BATCH, "threads": threads}
    settings: dict[str, Any] = {**sizes, **device_setting(device.type)}
    declared = manifest(simulator.pivot_angstrom, seed, settings, {"training_loss": losses})
    write_bundle(output, declared, files)
    report("calibrate", 0.0)
    engine = OnnxEngine(load_bundle(output), threads=threads)
    outputs = engine.run({"flux": inputs.flux, "inverse_variance": inputs.inverse_variance})
    calibration = narrowband_calibration(f"{NAME}-{VERSION}-simulated-{seed}", engine, unseen, inputs, outputs)
    files[calibration_file("onnxruntime", "fp32")] = (calibration.model_dump_json() + "\n").encode()
    metrics = {
        "training_loss": losses,
        "class_prior": class_prior(mocks),
        **measured(simulator, engine, calibration, seed, n_test, report),
    }
    write_bundle(output, manifest(simulator.pivot_angstrom, seed, settings, metrics), files)
    report("done", 1.0)
    return metrics


def class_prior(mocks: Mocks) -> dict[str, float]:
    """Return the share of each class among training mocks: the prior that the probabilities assume."""
    shares = np.bincount(mocks.class_index(), minlength=len(CLASSES)) / len(mocks)
    return {name: round(float(share), 6) for name, share in zip(CLASSES, shares, strict=True)}


def golden(exported: ExportedNarrowband, inputs: Inputs) -> bytes:
    """Return an ``.npz`` of some inputs and what torch computes for them, prefixed input_ and output_."""
    flux, inverse_variance = inputs.flux[:_GOLDEN_ROWS], inputs.inverse_variance[:_GOLDEN_ROWS]
    with torch.no_grad():
        outputs = exported(torch.from_numpy(flux), torch.from_numpy(inverse_variance))
    arrays: dict[str, Any] = {"input_flux": flux, "input_inverse_variance": inverse_variance}
    arrays |= {f"output_{name}": value.numpy() for name, value in zip(ExportedNarrowband.NAMES, outputs, strict=True)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
