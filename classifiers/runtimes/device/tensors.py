"""A ``Device`` of torch tensors: a GPU with streams and captured graphs, or the CPU with neither, on the same path.

Each slot has a lane (``streams``), and for each bucket in use: pinned host arrays, device tensors and a captured graph.
``begin`` copies the caller's rows into pinned memory, enqueues upload, computation and download on the slot's lane and
returns; ``wait`` waits for them. So one slot uploads while another computes and a third downloads.
A row that an array repeats (a stride of 0) goes up once and is repeated there, padding likewise. Only results come
back, and of them only the rows that were asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifiers.runtimes.contract import Declared
from classifiers.runtimes.device.contract import SLOTS
from classifiers.runtimes.device.failures import attempt
from classifiers.runtimes.device.launcher import Launcher, Preparation
from classifiers.runtimes.device.rows import Column, Rows
from classifiers.runtimes.device.streams import Act, Cpu, Cuda, Lane, Streams

_BINDING = threading.Lock()
"""One thread at a time allocates, captures or frees."""


@dataclass(slots=True)
class _Answers:
    """What a (slot, bucket) computes from and into: device tensors, and where answers land on the host."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    landed: dict[str, Tensor]

    def of(self, name: str) -> Tensor:
        """Return the device tensor of an answer; prepared inputs are among them."""
        return self.outputs[name] if name in self.outputs else self.inputs[name]


@dataclass(slots=True)
class _Entry:
    """One form of inputs of a (slot, bucket): pinned and device tensors, and what computes from them."""

    pinned: dict[str, Tensor]
    raw: dict[str, Tensor]
    answers: _Answers
    names: tuple[str, ...]
    compute: Act


@dataclass(slots=True)
class _Slot:
    """One lane of work, and what is bound to it."""

    lane: Lane
    answers: dict[int, _Answers] = field(default_factory=dict)
    entries: dict[tuple[int, Any], _Entry] = field(default_factory=dict)
    current: _Entry | None = None
    bucket: int = 0
    busy: bool = False


class TensorDevice:
    """A ``Device`` whose memory and streams are torch's."""

    def __init__(
        self,
        launcher: Launcher,
        inputs: Sequence[Declared],
        outputs: Mapping[str, Declared],
        device: str = "cpu",
        *,
        slots: int = SLOTS,
        preparation: Preparation | None = None,
        streams: Streams | None = None,
    ) -> None:
        """Make slots; buffers come when a bucket is first used.

        Args:
            launcher: what computes.
            inputs: of the program.
            outputs: of the program, by the names of its graph.
            device: ``cpu``, ``cuda`` or ``cuda:N``.
            slots: computations in flight.
            preparation: of raw inputs, where they are to be prepared on the device.
            streams: where to compute instead of the ordinary streams of ``device``.
        """
        self._launcher, self._preparation = launcher, preparation
        self._reads = {tensor.name: tensor for tensor in inputs}
        self._answers = dict(outputs)
        self._streams = streams or (Cpu() if device == "cpu" else Cuda(device))
        self._slots = [_Slot(self._streams.lane()) for _ in range(slots)]

    @property
    def slots(self) -> int:
        """Return how many computations may be in flight."""
        return len(self._slots)

    def begin(self, slot: int, bucket: int, inputs: Mapping[str, Column]) -> None:
        """Start one computation; see ``Device``. Inputs are the program's, or raw ones that the preparation takes."""
        own = self._slots[slot]
        with _BINDING:
            own.busy = True
        short = attempt(lambda: self._enqueue(slot, bucket, inputs), bucket)
        if short is not None:
            self._forget(own, bucket)
            try:
                raise short
            finally:
                del short  # or this frame and the error would hold each other

    def wait(self, slot: int) -> dict[str, NDArray[Any]]:
        """Wait for what ``begin`` started; see ``Device``. Rows of padding hold anything."""
        own = self._slots[slot]
        entry, own.current = own.current, None
        if entry is None:
            raise ValueError(f"slot {slot} was not begun")
        short = attempt(own.lane.wait, own.bucket)
        if short is not None:
            del entry
            self._forget(own, own.bucket)
            try:
                raise short
            finally:
                del short
        own.busy = False
        return {name: entry.answers.landed[name].numpy() for name in entry.names}

    def _enqueue(self, slot: int, bucket: int, inputs: Mapping[str, Column]) -> None:
        """Upload, compute and download on a slot's lane."""
        own = self._slots[slot]
        with own.lane.current():
            entry = self._entry(slot, bucket, inputs)
            rows = 0
            for name, array in inputs.items():
                rows = len(array)
                self._upload(entry, name, array)
            entry.compute()
            if self._streams.apart:
                for name in entry.names:
                    entry.answers.landed[name][:rows].copy_(entry.answers.of(name)[:rows], non_blocking=True)
            own.lane.mark()
        own.current, own.bucket = entry, bucket

    def _forget(self, own: _Slot, bucket: int) -> None:
        """Free a slot, and what slots that are free hold for a bucket and those above."""
        with _BINDING:
            own.busy = False
            for number, each in enumerate(self._slots):
                if not each.busy:
                    each.entries = {key: entry for key, entry in each.entries.items() if key[0] < bucket}
                    for large in [found for found in each.answers if found >= bucket]:
                        del each.answers[large]
                        self._launcher.forget(number, large)
            self._streams.free()

    def _entry(self, slot: int, bucket: int, inputs: Mapping[str, Column]) -> _Entry:
        """Return the buffers for inputs of this form, made when first needed."""
        own = self._slots[slot]
        form = tuple((name, array.shape[1:], array.dtype.str) for name, array in sorted(inputs.items()))
        entry = own.entries.get((bucket, form))
        if entry is None:
            with _BINDING:
                entry = self._bound(slot, bucket, inputs)
                own.entries[bucket, form] = entry
        return entry

    def _bound(self, slot: int, bucket: int, inputs: Mapping[str, Column]) -> _Entry:
        own = self._slots[slot]
        answers = own.answers.get(bucket)
        if answers is None:
            answers = self._bind(slot, bucket)
            own.answers[bucket] = answers
        prepared = self._preparation is not None and self._preparation.accepts(frozenset(inputs))
        if not prepared and set(inputs) != set(self._reads):
            raise ValueError(f"the program reads {', '.join(self._reads)}, got {', '.join(inputs)}")
        names = tuple(answers.landed if prepared else self._answers)
        pinned, raw = {}, {}
        for name, array in inputs.items():
            shape, dtype = (bucket, *array.shape[1:]), torch.from_numpy(np.empty(0, array.dtype)).dtype
            raw[name] = self._zeros(shape, dtype) if prepared else answers.inputs[name]
            pinned[name] = self._streams.host(shape, dtype) if self._streams.apart else raw[name]

        def act() -> None:
            if self._preparation is not None and prepared:
                self._preparation.launch(raw, answers.inputs, answers.outputs)
            self._launcher.launch(slot, bucket)

        return _Entry(pinned, raw, answers, names, own.lane.captured(act))

    def _bind(self, slot: int, bucket: int) -> _Answers:
        """Allocate what a (slot, bucket) computes from and into, and have the launcher bound to it."""
        said = {} if self._preparation is None else dict(self._preparation.outputs)
        inputs = {name: self._zeros(*_form(tensor, bucket)) for name, tensor in self._reads.items()}
        answered = {**self._answers, **said}
        outputs = {name: self._zeros(*_form(tensor, bucket)) for name, tensor in answered.items()}
        # Prepared inputs are answers, too.
        landing = {**answered, **(self._reads if said else {})}
        landed = {**inputs, **outputs}
        if self._streams.apart:
            landed = {name: self._streams.host(*_form(tensor, bucket)) for name, tensor in landing.items()}
        self._launcher.prepare(slot, bucket, inputs, {name: outputs[name] for name in self._answers})
        return _Answers(inputs, outputs, {name: landed[name] for name in landing})

    def _zeros(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.zeros(shape, dtype=dtype, device=self._streams.device)

    def _upload(self, entry: _Entry, name: str, array: Column) -> None:
        """Copy rows into pinned memory and on to the device; repeat the first one behind them."""
        pinned, raw = entry.pinned[name], entry.raw[name]
        rows = 1 if array.strides[0] == 0 else len(array)
        target = pinned.numpy()[:rows]
        if isinstance(array, Rows):
            array.copy_to(target)
        else:
            np.copyto(target, array[:rows])
        if self._streams.apart:
            raw[:rows].copy_(pinned[:rows], non_blocking=True)
        if rows < len(raw):
            raw[rows:].copy_(raw[:1].expand(len(raw) - rows, *raw.shape[1:]))


def _form(tensor: Declared, bucket: int) -> tuple[tuple[int, ...], torch.dtype]:
    """Return the shape of a bucket's tensor and its dtype."""
    dtype: torch.dtype = getattr(torch, tensor.dtype)
    return (bucket, *tensor.shape), dtype
