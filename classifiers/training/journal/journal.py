"""Keeps the journal of a training: after each epoch a checkpoint, the history as JSON, and pictures of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from classifiers.training.evaluation.document import Plot
from classifiers.training.journal.checkpoint import (
    CHECKPOINT_FILE,
    Checkpoint,
    CheckpointError,
    TrainingState,
    write_checkpoint,
)
from classifiers.training.journal.history import HeldOut, History

HISTORY_FILE = "history.json"


class Journal:
    """The journal of one training, in a folder of its own.

    The order of calls: ``expect`` as soon as something is known that decides the weights, ``begin`` once, ``end_epoch``
    after each epoch.

    Args:
        folder: made if absent; what an earlier training left there is overwritten from the first epoch on.
        resume: go on from the checkpoint in the folder, if there is one.
        draw: returns a picture as PNG; None draws none.
        on_epoch: told the history after each epoch.
    """

    def __init__(
        self,
        folder: Path,
        *,
        resume: bool = False,
        draw: Callable[[Plot], bytes] | None = None,
        on_epoch: Callable[[History], None] | None = None,
    ) -> None:
        self.folder = folder
        self.history = History()
        self._draw, self._on_epoch = draw, on_epoch
        self._told: dict[str, str | int] = {}
        there = resume and (folder / CHECKPOINT_FILE).is_file()
        self._checkpoint = Checkpoint.read(folder / CHECKPOINT_FILE) if there else None

    @property
    def resumed_epochs(self) -> int:
        """Return how many epochs the checkpoint holds, 0 where nothing is resumed."""
        return len(self._checkpoint.history.epochs) if self._checkpoint is not None else 0

    @property
    def replaced_epochs(self) -> int:
        """Return how many epochs of an earlier training the first epoch's checkpoint replaces.

        0 where there is none, it is resumed, or it cannot be read: then nothing is lost.
        """
        file = self.folder / CHECKPOINT_FILE
        if self._checkpoint is not None or not file.is_file():
            return 0
        try:
            return len(Checkpoint.read(file).history.epochs)
        except CheckpointError:
            return 0

    def expect(self, told: Mapping[str, str | int]) -> None:
        """Note what decides the weights, and compare it with the checkpoint.

        Raises:
            CheckpointError: the checkpoint is of another training.
        """
        self._told |= told
        if self._checkpoint is not None:
            self._checkpoint.check(told)

    def begin(self, state: TrainingState) -> int:
        """Bring the state to where the checkpoint was; return the epochs that are done.

        Raises:
            CheckpointError: the checkpoint is of another network.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._checkpoint is None:
            return 0
        self._checkpoint.restore(state)
        self.history = self._checkpoint.history
        return len(self.history.epochs)

    def end_epoch(self, state: TrainingState, training: Mapping[str, float], held_out: HeldOut) -> None:
        """Keep an epoch: the checkpoint first, so that nothing which only tells of it can lose it."""
        self.history = self.history.plus(training, held_out)
        write_checkpoint(self.folder / CHECKPOINT_FILE, state, self.history, self._told)
        (self.folder / HISTORY_FILE).write_text(self.history.to_json(self._told), encoding="utf-8")
        if self._draw is not None:
            for name, plot in self.history.plots().items():
                (self.folder / f"{name}.png").write_bytes(self._draw(plot))
        if self._on_epoch is not None:
            self._on_epoch(self.history)
