"""A ``Device`` of torch tensors: a GPU with streams and captured graphs, or the CPU with neither, on the same path.

Each slot has a lane (``streams``), and for each bucket in use: pinned host arrays, device tensors and a captured graph.
``begin`` copies the caller's rows into pinned memory, enqueues upload, computation and download on the slot's lane and
returns; ``wait`` waits for them. So one slot uploads while another computes and a third downloads.
A row that an array repeats (a stride of 0) goes up once and is repeated there, padding likewise. Only results come
back, and of them only the rows that were asked for.
Where memory is short what free slots hold of other forms and buckets goes first, and the bucket is tried once more.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifiers.runtimes.contract import Declared
from classifiers.runtimes.device.contract import SLOTS, OutOfMemory
from classifiers.runtimes.device.failures import attempt
from classifiers.runtimes.device.launcher import Launcher, Preparation
from classifiers.runtimes.device.rows import Column, Rows
from classifiers.runtimes.device.slots import UNLIMITED, Answers, Entry, Form, Slot, form_of
from classifiers.runtimes.device.streams import Cpu, Cuda, Streams

_BINDING = threading.Lock()
"""One thread at a time allocates, captures or frees."""


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
        self._slots = [Slot(self._streams.lane(), partial(launcher.forget, number)) for number in range(slots)]
        self._limit = UNLIMITED

    @property
    def slots(self) -> int:
        """Return how many computations may be in flight."""
        return len(self._slots)

    def begin(self, slot: int, bucket: int, inputs: Mapping[str, Column]) -> None:
        """Start one computation; see ``Device``. Inputs are the program's, or raw ones that the preparation takes."""
        own = self._slots[slot]
        with _BINDING:
            own.busy = bucket < self._limit
        if not own.busy:
            raise OutOfMemory(bucket, f"{self._limit} rows had no room before")
        form = form_of(inputs)
        enqueue = partial(self._enqueue, slot, bucket, form, inputs)
        short = attempt(enqueue, bucket)
        if short is not None and self._make_room(own, bucket, form):
            short = attempt(enqueue, bucket)
        if short is not None:
            self._refuse(own, bucket)
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
            self._refuse(own, own.bucket)
            try:
                raise short
            finally:
                del short
        own.busy = False
        if own.limit > self._limit:
            attempt(partial(self._clear, [own]), own.bucket)
        return {name: entry.answers.landed[name].numpy() for name in entry.names}

    def give_up(self, bucket: int) -> None:
        """Drop a bucket and larger ones for good; see ``Device``. Slots in flight do so when they are waited for."""
        with _BINDING:
            self._limit = min(self._limit, bucket)
        attempt(partial(self._clear, self._slots), bucket)

    def _enqueue(self, slot: int, bucket: int, form: Form, inputs: Mapping[str, Column]) -> None:
        """Upload, compute and download on a slot's lane."""
        own = self._slots[slot]
        with own.lane.current():
            entry = self._entry(slot, bucket, form, inputs)
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

    def _make_room(self, own: Slot, bucket: int, form: Form) -> bool:
        """Drop all else that this slot and free ones hold; return whether there was anything, and so memory now."""
        attempt(partial(_settle, own), bucket)
        with _BINDING:
            own.drop(lambda *_: False)  # what is left of an entry that was not made
            others = [each for each in self._slots if each is own or not each.busy]
            went = [each.drop(lambda *key: key != (bucket, form)) for each in others]
            if any(went):
                self._streams.free()
        return any(went)

    def _refuse(self, own: Slot, bucket: int) -> None:
        """Free a slot, and what slots that are free hold for a bucket and those above."""
        attempt(partial(_settle, own), bucket)
        with _BINDING:
            own.busy = False
            for each in self._slots:
                if not each.busy:
                    each.drop(lambda size, _: size >= bucket)
            self._streams.free()

    def _clear(self, slots: Sequence[Slot]) -> None:
        """Empty those slots that are free and hold what was given up.

        All of it goes: a lane's graphs compute in the same memory, which is free only when the last of them is gone.
        """
        with _BINDING:
            went = False
            for each in slots:
                if not each.busy:
                    each.limit = self._limit
                    if any(size >= each.limit for size in each.answers):
                        went = each.drop(lambda *_: True)
            if went:
                self._streams.free()

    def _entry(self, slot: int, bucket: int, form: Form, inputs: Mapping[str, Column]) -> Entry:
        """Return the buffers for inputs of this form, made when first needed."""
        own = self._slots[slot]
        entry = own.used(bucket, form)
        if entry is None:
            with _BINDING:
                own.make_place(form)
                entry = self._bound(slot, bucket, inputs)
                own.entries[bucket, form] = entry
        return entry

    def _bound(self, slot: int, bucket: int, inputs: Mapping[str, Column]) -> Entry:
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

        return Entry(pinned, raw, answers, names, own.lane.captured(act))

    def _bind(self, slot: int, bucket: int) -> Answers:
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
        return Answers(inputs, outputs, {name: landed[name] for name in landing})

    def _zeros(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.zeros(shape, dtype=dtype, device=self._streams.device)

    def _upload(self, entry: Entry, name: str, array: Column) -> None:
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


def _settle(slot: Slot) -> None:
    """Wait until nothing that was enqueued uses what is bound to a slot."""
    with slot.lane.current():
        slot.lane.mark()
    slot.lane.wait()


def _form(tensor: Declared, bucket: int) -> tuple[tuple[int, ...], torch.dtype]:
    """Return the shape of a bucket's tensor and its dtype."""
    dtype: torch.dtype = getattr(torch, tensor.dtype)
    return (bucket, *tensor.shape), dtype
