"""A device made of host memory that finishes in any order and fails where it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.bundle.manifest import Tensor
from classifiers.runtimes.device.contract import DeviceLost, OutOfMemory
from classifiers.runtimes.program import Output, Program

WIDTH = 3
POISON = -1e30


class FakeDevice:
    """Answers ``sum`` and ``row`` of ``flux``, and checks that nobody misuses a slot.

    Attributes:
        slots: as of a device.
        begun: buckets in the order they were begun.
        most: computations that were in flight at once.
        too_large: buckets above this many rows do not fit; ``late`` says so only in ``wait``.
        given_up: buckets as the pipeline told.
        dies_at: number of the ``begin`` or ``wait`` that finds the device lost; 0 for never.
    """

    def __init__(self, slots: int = 2, too_large: int = 10**9, *, late: bool = False, dies_at: int = 0) -> None:
        self.slots, self.too_large, self.late, self.dies_at = slots, too_large, late, dies_at
        self.begun: list[int] = []
        self.given_up: list[int] = []
        self.most = 0
        self.calls = 0
        self.gate = threading.Semaphore(10**9)
        self._held: dict[int, tuple[int, dict[str, NDArray[Any]]]] = {}
        self._lock = threading.Lock()

    def begin(self, slot: int, bucket: int, inputs: Mapping[str, NDArray[np.float32]]) -> None:
        flux = inputs["flux"]
        assert len(flux) <= bucket
        padded = np.concatenate([flux, np.broadcast_to(flux[:1], (bucket - len(flux), *flux.shape[1:]))])
        with self._lock:
            self._count()
            if bucket > self.too_large and not self.late:
                raise OutOfMemory(bucket, "full")
            assert slot not in self._held, "two computations in a slot"
            self._held[slot] = (bucket, {"flux": padded.copy()})
            self.begun.append(bucket)
            self.most = max(self.most, len(self._held))
            assert self.most <= self.slots

    def wait(self, slot: int) -> dict[str, NDArray[Any]]:
        self.gate.acquire()
        with self._lock:
            self._count()
            bucket, held = self._held.pop(slot)
            if bucket > self.too_large:
                raise OutOfMemory(bucket, "full after all")
        flux = held["flux"]
        return {"fake/sum": flux.sum(axis=1), "fake/row": flux[:, 0].astype(np.int64)}

    def give_up(self, bucket: int) -> None:
        with self._lock:
            self.given_up.append(bucket)

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self.dies_at:
            raise DeviceLost("fell off the bus")


MakeDevice = Callable[..., FakeDevice]


@pytest.fixture(scope="session")
def fake_device() -> MakeDevice:
    """Return the maker of devices."""
    return FakeDevice


@pytest.fixture(scope="session")
def fake_program() -> Program:
    """Return what the fake device computes."""
    tensors = (Tensor(name="sum", shape=()), Tensor(name="row", shape=(), dtype="int64"))
    outputs = tuple(Output("fake", tensor, f"fake/{tensor.name}") for tensor in tensors)
    return Program((), (Tensor(name="flux", shape=(WIDTH,)),), outputs)


@pytest.fixture(scope="session")
def numbered() -> Callable[[int, int], dict[str, NDArray[np.float32]]]:
    """Return a maker of inputs whose rows hold their own numbers: rows and the first number to inputs."""

    def make(n: int, first: int) -> dict[str, NDArray[np.float32]]:
        rows = np.arange(first, first + n, dtype=np.float32)
        return {"flux": np.repeat(rows[:, None], WIDTH, axis=1)}

    return make
