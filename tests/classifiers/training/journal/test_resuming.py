"""A training that is stopped and resumed gives the bytes of one that never was; a journal changes nothing.

Torch takes seconds to import: only the tests import what needs it, not collection.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from classifiers.training.narrowband.simulator import KINDS, NarrowbandSimulator
from classifiers.training.samples import Samples, draw_samples
from classifiers.training.simulation.simulator import TRAINING_KINDS, Simulator
from classifiers.training.stamps.samples import Sample

if TYPE_CHECKING:
    from torch import nn

    from classifiers.training.journal.journal import Journal

pytestmark = pytest.mark.slow
SEED, EPOCHS = 5, 3
NETWORKS = ("classifier", "vae", "qso", "stamps", "narrowband")
Fit = Callable[["Journal | None", Callable[[str, float], None]], "nn.Module"]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Let torch compute as it does in a training."""
    import torch

    torch.set_num_threads(1)


class Stopped(Exception):
    """What a test stops a training with."""


def after(k: int) -> Callable[[str, float], None]:
    """Return a progress that stops the training at its k-th word."""
    words = itertools.count(1)

    def progress(*_: object) -> None:
        if next(words) == k:
            raise Stopped

    return progress


def in_second_epoch(step: str, _: float) -> None:
    """Stop the training, a progress, when its first epoch is over, whatever that has of batches."""
    if step.startswith("epoch 2/"):
        raise Stopped


@pytest.fixture(scope="module")
def samples() -> Samples:
    return draw_samples(Simulator.load(), 896, SEED, kinds=TRAINING_KINDS)


@pytest.fixture
def fit(request: pytest.FixtureRequest, samples: Samples) -> Fit:
    """Return what fits one of the networks with or without a journal."""
    name = request.param
    if name == "stamps":
        from classifiers.training.stamps import fitting as stamps

        alerts = Sample(200, np.random.default_rng(1), lambda *_: None, "")
        return lambda journal, told: stamps.fit(alerts, SEED, EPOCHS, told, journal, alerts)[0]
    if name == "narrowband":
        from classifiers.training.narrowband import fitting as narrowband

        simulator = NarrowbandSimulator.load()
        mocks = simulator.draw(dict.fromkeys(KINDS, 300), np.random.default_rng(1))
        return lambda journal, told: narrowband.fit(mocks, simulator, SEED, EPOCHS, told, journal, mocks)[0]
    return lambda journal, told: _spectral(name, samples, journal, told)


def _spectral(name: str, samples: Samples, journal: Journal | None, told: Callable[[str, float], None]) -> nn.Module:
    import torch

    from classifiers.networks.classifier import SpectralClassifier
    from classifiers.training.autoencoder import fit_vae
    from classifiers.training.epochs import Kept
    from classifiers.training.fitting import fit_classifier, fit_qso

    train, held_out = samples.rows(slice(0, 768)), samples.rows(slice(768, None))
    kept = None if journal is None else Kept(journal, held_out)
    if name == "classifier":
        return fit_classifier(train, SEED, EPOCHS, told, kept)
    torch.manual_seed(0)
    fit = fit_vae if name == "vae" else fit_qso
    return fit(train, SpectralClassifier().eval(), SEED, EPOCHS, told, kept)


@pytest.fixture
def journal_in(tmp_path: Path) -> Callable[..., Journal]:
    from classifiers.training.journal.journal import Journal

    def make(name: str, *, resume: bool = False, seed: int = SEED) -> Journal:
        journal = Journal(tmp_path / name, resume=resume, draw=lambda plot: plot.title.encode())
        journal.expect({"seed": seed, "epochs": EPOCHS})
        return journal

    return make


def content(network: nn.Module) -> dict[str, bytes]:
    """Return every weight's bytes."""
    return {name: value.detach().numpy().tobytes() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("fit", NETWORKS, indirect=True)
def test_a_stopped_training_goes_on_to_the_same_bytes(
    fit: Fit, journal_in: Callable[..., Journal], tmp_path: Path
) -> None:
    """Stopped within the second or the last epoch: weights, history and pictures are those of one go."""
    words: list[str] = []
    expected = content(fit(journal_in("whole"), lambda step, _: words.append(step)))
    assert content(fit(None, lambda *_: None)) == expected, "a journal changed the weights"
    whole = (tmp_path / "whole" / "history.json").read_text()
    assert len(json.loads(whole)["epochs"]) == EPOCHS
    for k in (len(words) // 2 + 1, len(words)):
        name = f"stopped-{k}"
        with pytest.raises(Stopped):
            fit(journal_in(name), after(k))
        resumed = journal_in(name, resume=True)
        trained = [word != "read" for word in words]  # what a trunk reads comes in one go, with the first batch
        assert resumed.resumed_epochs == sum(trained[: k - 1]) * EPOCHS // sum(trained)
        assert content(fit(resumed, lambda *_: None)) == expected
        assert (tmp_path / name / "history.json").read_text() == whole
        pictures = {path.name for path in (tmp_path / name).glob("*.png")}
        assert pictures == {"loss.png", "loss-terms.png", "calibration.png"}


@pytest.mark.parametrize("fit", ["vae"], indirect=True)
def test_a_finished_training_is_taken_as_it_is(fit: Fit, journal_in: Callable[..., Journal]) -> None:
    """Resuming it trains nothing more: the export alone is left."""
    expected = content(fit(journal_in("whole"), lambda *_: None))
    words: list[str] = []
    assert content(fit(journal_in("whole", resume=True), lambda step, _: words.append(step))) == expected
    assert words == []


@pytest.mark.parametrize("fit", ["vae"], indirect=True)
def test_what_a_training_that_starts_anew_replaces_is_known_before_it_does(
    fit: Fit, journal_in: Callable[..., Journal]
) -> None:
    """The epochs that would be lost, until the first of its own is kept; none where there is none or it is resumed."""
    assert journal_in("one").replaced_epochs == 0
    with pytest.raises(Stopped):
        fit(journal_in("one"), in_second_epoch)
    assert journal_in("one").replaced_epochs == 1
    assert journal_in("one", resume=True).replaced_epochs == 0


@pytest.mark.parametrize("fit", ["vae"], indirect=True)
def test_a_checkpoint_of_another_training_is_refused_by_name(
    fit: Fit, journal_in: Callable[..., Journal], tmp_path: Path
) -> None:
    from classifiers.training.journal.checkpoint import CheckpointError

    with pytest.raises(Stopped):
        fit(journal_in("one"), in_second_epoch)
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors: expected seed 6, found seed 5"):
        journal_in("one", resume=True, seed=6)
    fresh = journal_in("one", seed=6)
    assert fresh.resumed_epochs == 0
    narrow = journal_in("one", resume=True)
    with pytest.raises(CheckpointError, match="expected a state of this network"):
        narrow.begin(_another_state())


def _another_state() -> object:
    import torch

    from classifiers.training.journal.checkpoint import TrainingState
    from classifiers.training.schedule import one_cycle

    network = torch.nn.Linear(2, 3)
    optimiser = torch.optim.Adam(network.parameters())
    return TrainingState(network, optimiser, one_cycle(optimiser, 1e-3, 10, 0.2), {}, {})


@pytest.mark.parametrize("damage", ["empty", "cut", "text"])
def test_a_damaged_checkpoint_is_refused(damage: str, journal_in: Callable[..., Journal], tmp_path: Path) -> None:
    from classifiers.training.journal.checkpoint import CHECKPOINT_FILE, CheckpointError, write_checkpoint
    from classifiers.training.journal.history import History

    file = tmp_path / "one" / CHECKPOINT_FILE
    file.parent.mkdir()
    write_checkpoint(file, _another_state(), History(), {})  # type: ignore[arg-type]
    content = {"empty": b"", "cut": file.read_bytes()[:-9], "text": b"no checkpoint"}[damage]
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="expected a checkpoint of specstream train"):
        journal_in("one", resume=True)
    assert journal_in("one").replaced_epochs == 0, "nothing is lost with it"


def test_an_interrupted_write_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written as a whole takes nothing away."""
    from classifiers.training.journal import checkpoint
    from classifiers.training.journal.history import History

    file = tmp_path / checkpoint.CHECKPOINT_FILE
    checkpoint.write_checkpoint(file, _another_state(), History(), {"seed": 1})  # type: ignore[arg-type]
    before = file.read_bytes()

    def stop(_: int) -> None:
        raise Stopped

    monkeypatch.setattr(checkpoint.os, "fsync", stop)
    with pytest.raises(Stopped):
        checkpoint.write_checkpoint(file, _another_state(), History(), {"seed": 2})  # type: ignore[arg-type]
    assert file.read_bytes() == before


@pytest.mark.parametrize("steps", range(1, 25))
@pytest.mark.parametrize("rise", [0.1, 0.15, 0.2])
def test_a_schedule_of_any_length_rises_and_falls(steps: int, rise: float) -> None:
    """Also where its rise would be a single step."""
    import torch

    from classifiers.training.schedule import one_cycle

    optimiser = torch.optim.Adam(torch.nn.Linear(1, 1).parameters(), lr=1e-3)
    schedule = one_cycle(optimiser, 1e-3, steps, rise)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if len(rates) < steps:
            schedule.step()
    assert all(0 < rate <= 1e-3 * (1 + 1e-9) for rate in rates)
