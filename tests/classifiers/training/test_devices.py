"""Whole trainings on a GPU that is not there: every tensor where the others are, the results back on the host.

torch knows of each operator what it does to tensors of a GPU without having one (fake tensors), and refuses those that
would mix them with the host's. They hold no numbers: those that are read are made up. Of a backward pass, whose engine
asks the driver, the ends are looked at: the parameters that the loss depends on.

Torch takes seconds to import: only the tests import what needs it, not collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from classifiers.training.narrowband.simulator import KINDS, NarrowbandSimulator
from classifiers.training.samples import Samples, draw_samples
from classifiers.training.simulation.simulator import TRAINING_KINDS, Simulator
from classifiers.training.stamps.samples import Sample

if TYPE_CHECKING:
    from torch import Tensor, nn

    from classifiers.training.journal.checkpoint import TrainingState
    from classifiers.training.journal.history import HeldOut

pytestmark = pytest.mark.slow
SEED, EPOCHS = 5, 1
MADE_UP = 0.5


class Watched:
    """A journal that looks at where the state is, and gives it back to the training as a checkpoint does."""

    resumed_epochs = 0
    history: Any = type("History", (), {"epochs": ()})

    def __init__(self) -> None:
        self.epochs = 0

    def begin(self, state: TrainingState) -> int:
        self._give_back(state)
        return 0

    def end_epoch(self, state: TrainingState, training: Mapping[str, float], held_out: HeldOut) -> None:
        assert training.keys() == held_out.terms.keys()
        moments = state.optimiser.state_dict()["state"].values()
        assert moments
        assert {value.device.type for each in moments for name, value in each.items() if name != "step"} == {"cuda"}
        self._give_back(state)
        self.epochs += 1

    def _give_back(self, state: TrainingState) -> None:
        tensors = state.tensors()
        assert {value.device.type for value in tensors.values()} == {"cpu"}
        noise = {name: generator.get_state() for name, generator in state.noise.items()}
        state.restore({**tensors, **{f"noise.{name}": value for name, value in noise.items()}}, state.numbers())
        parameters = [each for group in state.optimiser.param_groups for each in group["params"]]
        assert {each.device.type for each in parameters} == {"cuda"}


@contextmanager
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have torch compute with fake tensors, and what they do not have made up."""
    import torch
    from torch import Tensor, nn
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.overrides import TorchFunctionMode
    from torch.utils._pytree import tree_leaves

    def replaced(module: nn.Module, function: Callable[[Tensor], Tensor]) -> nn.Module:
        """Move a module as ``nn.Module._apply`` does, which cannot exchange what fake tensors hold."""
        for child in module.children():
            replaced(child, function)
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(function(parameter.detach()), parameter.requires_grad)
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else function(buffer)
        return module

    class MadeUp(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if function is torch.autograd.backward:
                return descend(tree_leaves(args)[0])
            if function in (Tensor.__float__, Tensor.item):
                return MADE_UP
            if function is Tensor.numpy:
                return read(args[0])
            return function(*args, **(kwargs or {}))

    monkeypatch.setattr(nn.Module, "_apply", replaced)
    with FakeTensorMode(), MadeUp():
        yield


def descend(loss: Tensor) -> None:
    """Give each parameter that a loss of a GPU depends on a gradient of zeros."""
    import torch

    assert loss.device.type == "cuda"
    waiting, seen = [loss.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            assert leaf.device.type == "cuda"
            leaf.grad = torch.zeros_like(leaf)
        waiting += [following for following, _ in node.next_functions]


def read(tensor: Tensor) -> np.ndarray[Any, Any]:
    """Return numbers for those of a tensor of the host; any other has none, as torch has it."""
    if tensor.device.type != "cpu":
        raise TypeError(f"can't convert {tensor.device} device type tensor to numpy")
    found = np.random.default_rng(SEED).random(tuple(tensor.shape))
    return found.astype(str(tensor.dtype).removeprefix("torch."))


@pytest.fixture(scope="module")
def samples() -> Samples:
    return draw_samples(Simulator.load(), 512, SEED, kinds=TRAINING_KINDS)


def on_host(network: nn.Module) -> bool:
    return {value.device.type for value in network.state_dict().values()} == {"cpu"}


@pytest.mark.parametrize("name", ["classifier", "qso", "vae"])
def test_a_spectral_network_is_trained_and_measured_on_the_gpu(
    name: str, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    from classifiers.networks.classifier import SpectralClassifier
    from classifiers.training.autoencoder import fit_vae
    from classifiers.training.devices import CUDA
    from classifiers.training.epochs import Kept
    from classifiers.training.fitting import fit_classifier, fit_qso
    from classifiers.training.latent_map import embedding
    from classifiers.training.latent_map.making import make_map

    monkeypatch.setattr(embedding, "PASSES", 2)  # a few steps show where everything is
    journal: Any = Watched()
    kept = Kept(journal, samples.rows(slice(0, 300)))
    with no_gpu(monkeypatch):
        if name == "classifier":
            assert on_host(fit_classifier(samples, SEED, EPOCHS, None, kept, CUDA))
        elif name == "qso":
            assert on_host(fit_qso(samples, SpectralClassifier(), SEED, EPOCHS, None, kept, CUDA))
        else:
            network = fit_vae(samples, SpectralClassifier(), SEED, EPOCHS, None, kept, CUDA)
            assert on_host(network)
            assert on_host(make_map(network, samples, None, CUDA))
            assert on_host(network)
    assert journal.epochs == EPOCHS


def test_the_network_of_alerts_is_trained_and_measured_on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from classifiers.training.devices import CUDA
    from classifiers.training.stamps.fitting import fit

    journal: Any = Watched()
    alerts = Sample(150, np.random.default_rng(1), lambda *_: None, "")
    with no_gpu(monkeypatch):
        network, losses = fit(alerts, SEED, EPOCHS, lambda *_: None, journal, alerts, CUDA)
        assert on_host(network)
    assert len(losses) == journal.epochs == EPOCHS


def test_the_network_of_bands_is_trained_and_measured_on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from classifiers.training.devices import CUDA
    from classifiers.training.narrowband.fitting import fit

    journal: Any = Watched()
    simulator = NarrowbandSimulator.load()
    mocks = simulator.draw(dict.fromkeys(KINDS, 200), np.random.default_rng(1))
    with no_gpu(monkeypatch):
        network, losses = fit(mocks, simulator, SEED, EPOCHS, lambda *_: None, journal, mocks, CUDA)
        assert on_host(network)
    assert len(losses) == journal.epochs == EPOCHS


class Told:
    """A journal that keeps what decides the weights, and stops the training before it computes anything."""

    def __init__(self) -> None:
        self.told: dict[str, str | int] = {}

    def expect(self, told: Mapping[str, str | int]) -> None:
        self.told |= told
        if "device" in told:
            raise InterruptedError


@pytest.mark.parametrize("kinds", [("cpu", "cuda"), ("cuda", "cpu")])
@pytest.mark.parametrize("bundle", ["spectral-classifier", "spectral-anomaly", "stamp-anomaly", "jpas-qso-finder"])
def test_a_training_does_not_go_on_on_another_kind_of_device(
    bundle: str, kinds: tuple[str, str], tmp_path: Path
) -> None:
    """Refused by name, before anything is simulated; on its own kind it is not."""
    import torch

    from classifiers.training.journal.checkpoint import (
        CHECKPOINT_FILE,
        CheckpointError,
        TrainingState,
        write_checkpoint,
    )
    from classifiers.training.journal.history import History
    from classifiers.training.journal.journal import Journal
    from classifiers.training.narrowband.train import train_narrowband_bundle
    from classifiers.training.schedule import one_cycle
    from classifiers.training.stamps.train import train_stamp_bundle
    from classifiers.training.train import train_bundle

    def train(journal: Any, kind: str) -> None:
        place: dict[str, Any] = {"journal": journal, "device": torch.device(kind)}
        if bundle.startswith("spectral"):
            train_bundle(bundle, SEED, 256, EPOCHS, tmp_path / bundle, **place)
        else:
            trainer = train_stamp_bundle if bundle == "stamp-anomaly" else train_narrowband_bundle
            trainer(SEED, 256, EPOCHS, tmp_path / bundle, **place)

    first, other = kinds
    journal = Told()
    with pytest.raises(InterruptedError):
        train(journal, first)
    network = torch.nn.Linear(2, 3)
    optimiser = torch.optim.Adam(network.parameters())
    state = TrainingState(network, optimiser, one_cycle(optimiser, 1e-3, 10, 0.2), {}, {})
    write_checkpoint(tmp_path / CHECKPOINT_FILE, state, History(), journal.told)
    with pytest.raises(CheckpointError, match=f"expected device {other}, found device {first}"):
        train(Journal(tmp_path, resume=True), other)
    Journal(tmp_path, resume=True).expect(journal.told)


def test_what_lies_elsewhere_is_noticed(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that stayed on the host, a loss of the host, and numbers that nobody brought back."""
    import torch

    from classifiers.networks.classifier import SpectralClassifier
    from classifiers.training.devices import CPU, CUDA
    from classifiers.training.losses import classifier_loss, tensors

    batch = samples.rows(slice(0, 8))
    with no_gpu(monkeypatch):
        network = SpectralClassifier()
        with pytest.raises(RuntimeError, match=r"two different devices|device"):
            network.channels(*tensors(batch, CUDA))
        loss = classifier_loss(network.member_logits(network.channels(*tensors(batch, CPU))), batch)["loss"]
        with pytest.raises(AssertionError):
            torch.autograd.backward(loss)
        with pytest.raises(TypeError, match="cuda"):
            torch.zeros(3, device=CUDA).numpy()
