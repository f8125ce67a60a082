"""Batches of any size through the slots of a device: cut, padded, kept in flight, put together again.

The threads that call do the work, none is started: whoever finds a slot free begins the piece whose turn it is, of
whichever caller, and each waits for its own pieces. So slots stay busy as long as any caller has pieces that wait, and
nobody waits for another's answers. Where the device is lost every caller is told so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.runtimes.contract import Declared, check_inputs, check_output
from classifiers.runtimes.device.contract import BUCKETS, Device, DeviceLost, OutOfMemory
from classifiers.runtimes.device.ring import Ring, Taken
from classifiers.runtimes.device.rows import Column
from classifiers.runtimes.program import Program

OnSmaller = Callable[[OutOfMemory, int], None]
"""Told once for each bucket that was too large: the error, and the rows that are computed at once from now on."""


class _Job(NamedTuple):
    """What a caller wants computed, and where its answers go."""

    inputs: Mapping[str, Column]
    answers: Mapping[str, NDArray[Any]]


class Pipeline:
    """A program on a device; ``run`` may be called from several threads at once."""

    def __init__(
        self,
        program: Program,
        device: Device,
        buckets: Sequence[int] = BUCKETS,
        on_smaller: OnSmaller | None = None,
    ) -> None:
        """Take a device over.

        Args:
            program: what the device computes.
            device: nobody else begins or waits on it.
            buckets: rows to compute at once, ascending.
            on_smaller: told where the device cannot hold a bucket.
        """
        self._program = program
        self._device = device
        self._ring = Ring(device.slots, buckets)
        self._on_smaller = on_smaller
        self._jobs: dict[int, _Job] = {}
        self._changed = threading.Condition()

    @property
    def program(self) -> Program:
        """Return what is computed."""
        return self._program

    @property
    def buckets(self) -> tuple[int, ...]:
        """Return the sizes in use: those that have not been too large for the device."""
        with self._changed:
            return self._ring.allowed

    @property
    def slots(self) -> int:
        """Return how many pieces may be in flight."""
        return self._device.slots

    @property
    def calls(self) -> int:
        """Return how many calls are under way."""
        with self._changed:
            return len(self._jobs)

    def run(
        self, inputs: Mapping[str, NDArray[np.float32]], *, bucket: int | None = None
    ) -> dict[str, dict[str, NDArray[Any]]]:
        """Compute the outputs of n >= 1 rows, by bundle name and output name.

        Args:
            inputs: by the names that the program reads, first axis n.
            bucket: see ``compute``.

        Raises:
            ValueError: an input is missing or of another shape or dtype, which is a mistake of the caller.
            OutOfMemory: the device cannot even hold the smallest bucket.
            DeviceLost: the device failed, now or before.
            BundleError: an output is not what the manifest declares.
        """
        n = check_inputs(self._program, inputs)
        wanted = {tensor.name: inputs[tensor.name] for tensor in self._program.inputs}
        found = self.compute(n, wanted, {each.name: each.tensor for each in self._program.outputs}, bucket=bucket)
        results: dict[str, dict[str, NDArray[Any]]] = {bundle.manifest.name: {} for bundle in self._program.bundles}
        for each in self._program.outputs:
            results.setdefault(each.bundle, {})[each.tensor.name] = found[each.name]
        return results

    def compute(
        self,
        n: int,
        inputs: Mapping[str, Column],
        outputs: Mapping[str, Declared],
        *,
        bucket: int | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Compute outputs by the device's own names from any inputs that it takes.

        Args:
            n: rows, at least 1.
            inputs: first axis n.
            outputs: what is wanted of what the device answers, with the shape of a row and the dtype.
            bucket: rows of every piece, one of ``buckets``; None: as is best. Where nobody else calls, piece i of this
                size goes through slot i modulo ``slots``, as long as the device holds it.

        Raises:
            OutOfMemory: the device cannot even hold the smallest bucket.
            DeviceLost: the device failed, now or before.
            BundleError: an output is not as declared.
        """
        answers = {name: np.empty((n, *tensor.shape), tensor.dtype) for name, tensor in outputs.items()}
        with self._changed:
            batch = self._ring.add(n, bucket)
            self._jobs[batch] = _Job(inputs, answers)
        try:
            while self._step(batch, outputs):
                pass
            for _ in range(self._device.slots):  # what this call has freed must not stand idle while others wait
                if not self._begin_next():
                    break
        finally:
            with self._changed:
                del self._jobs[batch]
        with self._changed:
            self._ring.close(batch)
        return answers

    def _step(self, batch: int, outputs: Mapping[str, Declared]) -> bool:
        """Begin a piece of anybody, or finish one of this batch, or wait until one can be; False once it is settled."""
        with self._changed:
            if self._ring.settled(batch):
                return False
        if self._begin_next():
            return True
        with self._changed:
            mine = self._ring.running(batch)
            if mine is None and not self._ring.settled(batch) and not self._ring.ready:
                self._changed.wait()
        if mine is not None:
            self._finish(mine, outputs)
        return True

    def _begin_next(self) -> bool:
        """Begin the piece whose turn it is; False where no slot is free or nothing waits."""
        with self._changed:
            taken = self._ring.take()
            if taken is None:
                return False
            job = self._jobs[taken.piece.batch]
        self._begin(taken, job)
        return True

    def _begin(self, taken: Taken, job: _Job) -> None:
        piece = taken.piece
        rows = slice(piece.start, piece.start + piece.rows)
        inputs = {name: array[rows] for name, array in job.inputs.items()}
        if self._watched(taken, lambda: self._device.begin(taken.slot, piece.bucket, inputs)):
            with self._changed:
                self._ring.begun(taken.slot)
                self._changed.notify_all()

    def _finish(self, taken: Taken, outputs: Mapping[str, Declared]) -> None:
        piece = taken.piece
        with self._changed:
            answers = self._jobs[piece.batch].answers

        def copy() -> None:
            found = self._device.wait(taken.slot)
            for name, tensor in outputs.items():
                check_output(self._program, tensor, found[name], piece.bucket)
                answers[name][piece.start : piece.start + piece.rows] = found[name][: piece.rows]

        if self._watched(taken, copy):
            with self._changed:
                self._ring.done(taken.slot)
                self._changed.notify_all()

    def _watched(self, taken: Taken, act: Callable[[], None]) -> bool:
        """Act on a slot; tell the ring if that fails, and return whether it did not."""
        smaller = None
        try:
            act()
        except OutOfMemory as error:
            with self._changed:
                smaller = self._ring.out_of_memory(taken.slot, error)
                self._changed.notify_all()
            if smaller is not None:
                self._give_up(taken.piece.bucket)
                if self._on_smaller is not None:
                    self._on_smaller(error, smaller)
            return False
        except DeviceLost as error:
            self._lose(error)
            return False
        except BaseException as error:
            # Whatever it was, nobody knows what the slot holds now: no other may wait for it.
            self._lose(DeviceLost(f"its use broke off: {type(error).__name__}: {error}"))
            raise
        return True

    def _give_up(self, bucket: int) -> None:
        """Have the device drop a bucket that no piece is planned in any more."""
        try:
            self._device.give_up(bucket)
        except DeviceLost as error:
            self._lose(error)

    def _lose(self, error: DeviceLost) -> None:
        with self._changed:
            self._ring.lost(error)
            self._changed.notify_all()
