"""Trainings on a GPU beside the same ones on the processor; ``make test-gpu`` collects this file, nothing else does.

They are given the same simulations, initial weights, order and noise, so that their losses differ by rounding alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from classifiers.networks.classifier import SpectralClassifier
from classifiers.training.autoencoder import fit_vae
from classifiers.training.devices import CPU, CUDA, Device
from classifiers.training.epochs import Kept
from classifiers.training.fitting import fit_classifier, fit_qso
from classifiers.training.journal.checkpoint import TrainingState
from classifiers.training.journal.history import HeldOut
from classifiers.training.latent_map.embedding import embed
from classifiers.training.narrowband import fitting as narrowband
from classifiers.training.narrowband.simulator import KINDS, NarrowbandSimulator
from classifiers.training.samples import Samples, draw_samples
from classifiers.training.simulation.simulator import TRAINING_KINDS, Simulator
from classifiers.training.stamps import fitting as stamps
from classifiers.training.stamps.samples import Sample

pytestmark = pytest.mark.gpu
SEED, EPOCHS = 5, 2
TOLERANCE = 1e-3
"""Of a loss, relative to it: rounding grows with each of the few steps that these trainings have. Convolutions of two
libraries on one processor differed by 5e-7; a spectrum whose kind of redshift is read otherwise costs the VAE more."""


class Noted:
    """A journal that keeps the losses, and gives the training its state back as a checkpoint does."""

    resumed_epochs = 0
    history: Any = type("History", (), {"epochs": ()})

    def __init__(self) -> None:
        self.losses: list[tuple[float, float]] = []

    def begin(self, _: TrainingState) -> int:
        return 0

    def end_epoch(self, state: TrainingState, training: Mapping[str, float], held_out: HeldOut) -> None:
        state.restore(state.tensors(), state.numbers())
        self.losses.append((training["loss"], held_out.terms["loss"]))


@pytest.fixture(scope="module")
def samples() -> Samples:
    return draw_samples(Simulator.load(), 768, SEED, kinds=TRAINING_KINDS)


def trained(name: str, samples: Samples, device: Device) -> tuple[torch.nn.Module, list[tuple[float, float]]]:
    """Return a network that was trained on a device, and its losses, in training and held out, by epoch."""
    journal: Any = Noted()
    kept = Kept(journal, samples.rows(slice(512, None)))
    train = samples.rows(slice(0, 512))
    torch.manual_seed(0)
    network: torch.nn.Module
    if name == "classifier":
        network = fit_classifier(train, SEED, EPOCHS, None, kept, device)
    elif name == "qso":
        network = fit_qso(train, SpectralClassifier().eval(), SEED, EPOCHS, None, kept, device)
    elif name == "vae":
        network = fit_vae(train, SpectralClassifier().eval(), SEED, EPOCHS, None, kept, device)
    elif name == "stamps":
        alerts = Sample(150, np.random.default_rng(1), lambda *_: None, "")
        network, _ = stamps.fit(alerts, SEED, EPOCHS, lambda *_: None, journal, alerts, device)
    else:
        simulator = NarrowbandSimulator.load()
        mocks = simulator.draw(dict.fromkeys(KINDS, 300), np.random.default_rng(1))
        network, _ = narrowband.fit(mocks, simulator, SEED, EPOCHS, lambda *_: None, journal, mocks, device)
    return network, journal.losses


@pytest.mark.parametrize("name", ["classifier", "qso", "vae", "stamps", "narrowband"])
def test_a_training_loses_on_a_gpu_what_it_loses_on_the_processor(name: str, samples: Samples) -> None:
    (network, found), (_, wanted) = trained(name, samples, CUDA), trained(name, samples, CPU)
    assert len(found) == EPOCHS
    np.testing.assert_allclose(found, wanted, rtol=TOLERANCE)
    assert {value.device.type for value in network.state_dict().values()} == {"cpu"}


def test_a_map_is_fitted_on_a_gpu() -> None:
    """Groups keep their places; single points may drift apart over its many steps."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(8), 80)
    points = (6.0 * rng.normal(size=(8, 6))[groups] + rng.normal(size=(groups.size, 6))).astype(np.float32)
    angle = 2.0 * np.pi * np.arange(8) / 8
    wanted = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    shown = embed(points, wanted[groups], 1, None, groups, CUDA).places(points)
    means = np.stack([shown[groups == group].mean(axis=0) for group in range(8)])
    means -= means.mean(axis=0)
    assert np.corrcoef(means.ravel(), wanted.ravel())[0, 1] > 0.97
