"""A ``Device`` of torch tensors: a GPU with streams and captured graphs, or the CPU with neither, on the same path.

Each slot has a stream, an event, and for each bucket in use: pinned host arrays, device tensors and a captured graph.
``begin`` copies the caller's rows into pinned memory, enqueues upload, computation and download on the slot's stream
and returns; ``wait`` waits for the slot's event. So one slot uploads while another computes and a third downloads.
A row that an array repeats (a stride of 0) goes up once and is repeated there, padding likewise. Only results come
back, and of them only the rows that were asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifiers.errors import ClassifierError
from classifiers.runtimes.contract import Declared
from classifiers.runtimes.device.contract import SLOTS, DeviceLost, OutOfMemory
from classifiers.runtimes.device.launcher import Launcher, Preparation
from classifiers.runtimes.device.rows import Column, Rows

_MEMORY = ("out of memory", "ALLOC_FAILED", "can't allocate memory", "not enough memory")
_DEVICE = ("CUDA error", "CUDA driver error", "CUDNN_STATUS", "CUBLAS_STATUS", "device-side assert")
_WARM_UPS = 2
_BINDING = threading.Lock()
"""One thread at a time allocates, captures or frees."""


def failure(error: BaseException, bucket: int) -> ClassifierError | None:
    """Return what an error of torch means for a device, or None where it is no failure of a device.

    Args:
        error: as raised; errors that it was raised on top of (a capture that ends after one) are looked at, too.
        bucket: rows that were computed.
    """
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for each in chain:
        if isinstance(each, torch.OutOfMemoryError) or (isinstance(each, RuntimeError) and _says(each, _MEMORY)):
            return OutOfMemory(bucket, _line(each))
    for each in chain:
        if isinstance(each, RuntimeError) and _says(each, _DEVICE):
            return DeviceLost(_line(each))
    return None


@dataclass(slots=True)
class _Answers:
    """What a (slot, bucket) computes from and into: device tensors, and where answers land on the host."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    landed: dict[str, Tensor]


@dataclass(slots=True)
class _Entry:
    """One form of inputs of a (slot, bucket): pinned and device tensors, and the captured graph."""

    pinned: dict[str, Tensor]
    raw: dict[str, Tensor]
    answers: _Answers
    names: tuple[str, ...]
    prepared: bool
    graph: Any = None


@dataclass(slots=True)
class _Slot:
    """One stream of work, and what is bound to it."""

    stream: Any = None
    event: Any = None
    pool: Any = None
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
        graphs: bool = True,
    ) -> None:
        """Make slots; buffers come when a bucket is first used.

        Args:
            launcher: what computes.
            inputs: of the program.
            outputs: of the program, by the names of its graph.
            device: ``cpu``, ``cuda`` or ``cuda:N``.
            slots: computations in flight.
            preparation: of raw inputs, where they are to be prepared on the device.
            graphs: whether launches are captured once and replayed; on a GPU only.
        """
        self._launcher, self._preparation = launcher, preparation
        self._reads = {tensor.name: tensor for tensor in inputs}
        self._answers = dict(outputs)
        self._device = torch.device(device)
        self._cuda = self._device.type == "cuda"
        if device == "cuda":  # whichever is current when another thread calls
            self._device = torch.device("cuda", torch.cuda.current_device())
        self._graphs = graphs and self._cuda
        self._slots = [self._slot() for _ in range(slots)]

    @property
    def slots(self) -> int:
        """Return how many computations may be in flight."""
        return len(self._slots)

    def begin(self, slot: int, bucket: int, inputs: Mapping[str, Column]) -> None:
        """Start one computation; see ``Device``. Inputs are the program's, or raw ones that the preparation takes."""
        own = self._slots[slot]
        with _BINDING:
            own.busy = True
        with self._failures(own, bucket), self._on(own):
            entry = self._entry(slot, bucket, inputs)
            rows = 0
            for name, array in inputs.items():
                rows = len(array)
                self._upload(entry, name, array)
            if entry.graph is not None:
                entry.graph.replay()
            else:
                self._launch(slot, bucket, entry)
            if self._cuda:
                for name in entry.names:
                    entry.answers.landed[name][:rows].copy_(self._computed(entry, name)[:rows], non_blocking=True)
                own.event.record(own.stream)
        own.current, own.bucket = entry, bucket

    def wait(self, slot: int) -> dict[str, NDArray[Any]]:
        """Wait for what ``begin`` started; see ``Device``. Rows of padding hold anything."""
        own = self._slots[slot]
        entry, own.current = own.current, None
        if entry is None:
            raise ValueError(f"slot {slot} was not begun")
        if self._cuda:
            with self._failures(own, own.bucket):
                own.event.synchronize()
        own.busy = False
        return {name: entry.answers.landed[name].numpy() for name in entry.names}

    def _slot(self) -> _Slot:
        if not self._cuda:
            return _Slot()
        stream: Any = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        event: Any = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        return _Slot(stream, event, torch.cuda.graph_pool_handle())

    @contextmanager
    def _on(self, own: _Slot) -> Iterator[None]:
        """Compute on a slot's stream, without gradients."""
        if not self._cuda:
            with torch.no_grad():
                yield
            return
        with torch.cuda.device(self._device), torch.cuda.stream(own.stream), torch.no_grad():
            yield

    @contextmanager
    def _failures(self, own: _Slot, bucket: int) -> Iterator[None]:
        """Turn torch's errors into those of a device; where memory was short, free what this bucket and larger take."""
        try:
            yield
        except OutOfMemory:
            self._forget(own, bucket)
            raise
        except RuntimeError as error:
            found = failure(error, bucket)
            if found is None:
                raise
            if isinstance(found, OutOfMemory):
                self._forget(own, bucket)
            raise found from error

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
            if self._cuda:
                torch.cuda.empty_cache()

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
            raw[name] = torch.zeros(shape, dtype=dtype, device=self._device) if prepared else answers.inputs[name]
            pinned[name] = torch.zeros(shape, dtype=dtype, pin_memory=True) if self._cuda else raw[name]
        entry = _Entry(pinned, raw, answers, names, prepared)
        if self._graphs:
            entry.graph = self._capture(slot, bucket, entry)
        return entry

    def _bind(self, slot: int, bucket: int) -> _Answers:
        """Allocate what a (slot, bucket) computes from and into, and have the launcher bound to it."""

        def made(tensors: Mapping[str, Declared], **where: Any) -> dict[str, Tensor]:
            kinds = {name: getattr(torch, tensor.dtype) for name, tensor in tensors.items()}
            return {n: torch.zeros((bucket, *tensors[n].shape), dtype=kind, **where) for n, kind in kinds.items()}

        said = {} if self._preparation is None else dict(self._preparation.outputs)
        inputs = made(self._reads, device=self._device)
        outputs = made({**self._answers, **said}, device=self._device)
        landed = made({**self._answers, **said}, pin_memory=True) if self._cuda else dict(outputs)
        if said:  # prepared inputs are answers, too
            landed |= made(self._reads, pin_memory=True) if self._cuda else inputs
        self._launcher.prepare(slot, bucket, inputs, {name: outputs[name] for name in self._answers})
        return _Answers(inputs, outputs, landed)

    def _computed(self, entry: _Entry, name: str) -> Tensor:
        outputs = entry.answers.outputs
        return outputs[name] if name in outputs else entry.answers.inputs[name]

    def _upload(self, entry: _Entry, name: str, array: Column) -> None:
        """Copy rows into pinned memory and on to the device; repeat the first one behind them."""
        pinned, raw = entry.pinned[name], entry.raw[name]
        rows = 1 if array.strides[0] == 0 else len(array)
        target = pinned.numpy()[:rows]
        if isinstance(array, Rows):
            array.copy_to(target)
        else:
            np.copyto(target, array[:rows])
        if self._cuda:
            raw[:rows].copy_(pinned[:rows], non_blocking=True)
        if rows < len(raw):
            raw[rows:].copy_(raw[:1].expand(len(raw) - rows, *raw.shape[1:]))

    def _launch(self, slot: int, bucket: int, entry: _Entry) -> None:
        if self._preparation is not None and entry.prepared:
            self._preparation.launch(entry.raw, entry.answers.inputs, entry.answers.outputs)
        self._launcher.launch(slot, bucket)

    def _capture(self, slot: int, bucket: int, entry: _Entry) -> Any:
        """Return the graph of preparation and computation; run them before, since libraries set up when first used."""
        own = self._slots[slot]
        for _ in range(_WARM_UPS):
            self._launch(slot, bucket, entry)
        own.stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=own.pool, stream=own.stream, capture_error_mode="thread_local"):
            self._launch(slot, bucket, entry)
        return graph


def _says(error: BaseException, words: Sequence[str]) -> bool:
    return any(word in str(error) for word in words)


def _line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
