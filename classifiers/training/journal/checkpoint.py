"""The state of a training at the end of an epoch as one safetensors file: no pickle, so reading it executes nothing.

It holds all that changes from epoch to epoch (network, optimiser, learning rate, generators), the history so far, and
what the training was told, so that a file of another training is refused. A training that goes on from it gives the
bytes of one that was never interrupted, on the same machine with the same number of threads.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from classifiers.errors import ClassifierError
from classifiers.training.journal.history import History

CHECKPOINT_FILE = "checkpoint.safetensors"
_FORMAT = 1
_METADATA = "specstream"


class CheckpointError(ClassifierError):
    """A checkpoint cannot be resumed.

    Attributes:
        file: the checkpoint.
        expected: what the training that is asked for would have written.
        found: what is there.
    """

    def __init__(self, file: Path, *, expected: str, found: str) -> None:
        super().__init__(f"{file}: expected {expected}, found {found}")
        self.file = file
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class TrainingState:
    """What changes while a network is trained.

    Attributes:
        network: its parameters and buffers.
        optimiser: of those parameters.
        schedule: of its learning rate.
        draws: generators of order and observation, by name.
        noise: torch's generators, by name.
    """

    network: nn.Module
    optimiser: Optimizer
    schedule: LRScheduler
    draws: Mapping[str, np.random.Generator]
    noise: Mapping[str, torch.Generator]

    def tensors(self) -> dict[str, Tensor]:
        """Return every array of the state by a name of its own, in the host's memory."""
        found = {f"network.{name}": value.detach() for name, value in self.network.state_dict().items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            found |= {f"optimiser.{index}.{name}": value.detach() for name, value in moments.items()}
        found |= {f"noise.{name}": generator.get_state() for name, generator in self.noise.items()}
        return {name: value.cpu().contiguous() for name, value in found.items()}

    def numbers(self) -> dict[str, Any]:
        """Return everything else of the state as JSON types."""
        return {
            "groups": self.optimiser.state_dict()["param_groups"],
            "schedule": self.schedule.state_dict(),
            "draws": {name: generator.bit_generator.state for name, generator in self.draws.items()},
        }

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Take over a state that ``tensors`` and ``numbers`` gave.

        Raises:
            KeyError, RuntimeError, ValueError: the state is of another network.
        """
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "optimiser": {}, "noise": {}}
        for name, value in tensors.items():
            part, _, own = name.partition(".")
            parts[part][own] = value
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["optimiser"].items():
            index, _, own = name.partition(".")
            moments.setdefault(int(index), {})[own] = value
        self.network.load_state_dict(parts["network"])
        self.optimiser.load_state_dict({"state": moments, "param_groups": numbers["groups"]})
        self.schedule.load_state_dict(dict(numbers["schedule"]))
        for name, source in self.draws.items():
            source.bit_generator.state = numbers["draws"][name]
        for name, generator in self.noise.items():
            generator.set_state(parts["noise"][name])


def write_checkpoint(file: Path, state: TrainingState, history: History, told: Mapping[str, str | int]) -> None:
    """Write the state as a whole or not at all: an interruption leaves the file of the epoch before.

    Args:
        file: to write.
        state: at the end of an epoch.
        history: of all epochs so far.
        told: what decides the weights: seed, n, epochs ...
    """
    about = {
        "format": _FORMAT,
        "told": dict(told),
        "history": history.plain(),
        "numbers": state.numbers(),
    }
    content = save(state.tensors(), metadata={_METADATA: json.dumps(about)})
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    with temporary.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint as read; see ``write_checkpoint``."""

    file: Path
    told: Mapping[str, str | int]
    history: History
    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, Any]

    @staticmethod
    def read(file: Path) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            CheckpointError: the file is none, or is damaged.
        """
        try:
            with safe_open(file, framework="pt") as stored:
                about = json.loads((stored.metadata() or {})[_METADATA])
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
            if about["format"] != _FORMAT:
                raise CheckpointError(file, expected=f"format {_FORMAT}", found=f"format {about['format']}")
            return Checkpoint(file, about["told"], History.of(about["history"]), tensors, about["numbers"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            found = f"{type(error).__name__}: {error}"
            raise CheckpointError(file, expected="a checkpoint of specstream train", found=found) from error

    def check(self, told: Mapping[str, str | int]) -> None:
        """Compare what this training was told with what another one is told.

        Raises:
            CheckpointError: they differ; the first difference is named.
        """
        for name, expected in told.items():
            found = self.told.get(name)
            if found != expected:
                raise CheckpointError(self.file, expected=f"{name} {expected}", found=f"{name} {found}")

    def restore(self, state: TrainingState) -> None:
        """Bring a training to the state of this checkpoint.

        Raises:
            CheckpointError: it is the state of another network.
        """
        try:
            state.restore(self.tensors, self.numbers)
        except (KeyError, RuntimeError, ValueError) as error:
            first = (str(error).splitlines() or [""])[0]
            raise CheckpointError(self.file, expected="a state of this network", found=first) from error
