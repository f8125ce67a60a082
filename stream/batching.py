"""Batching: a lane collects items until a batch is due by number, bytes or age, or is asked for.

Pure: no I/O, and ``now`` (seconds of any monotonic clock) is an argument. Invariants: items leave in the order they
came, so the order within a partition is kept; nothing leaves twice; a batch never exceeds ``max_records``, and exceeds
``max_bytes`` only when it is one item alone.

Why a batch leaves:

| outcome | when |
| --- | --- |
| ``RECORDS`` | ``max_records`` items wait |
| ``BYTES`` | the items that wait hold ``max_bytes`` or more |
| ``AGE`` | the oldest item has waited ``max_age_s`` |
| ``ASKED`` | anything waits and the caller asks: input is idle, memory is full, or the stream drains |
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Flush(StrEnum):
    """Why a batch is due."""

    RECORDS = "RECORDS"
    BYTES = "BYTES"
    AGE = "AGE"
    ASKED = "ASKED"


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """When a batch is due: number of records, bytes, and age of the oldest in seconds."""

    max_records: int
    max_bytes: int
    max_age_s: float

    def __post_init__(self) -> None:
        if self.max_records < 1 or self.max_bytes < 1 or self.max_age_s < 0:
            raise ValueError(f"expected max_records >= 1, max_bytes >= 1, max_age_s >= 0, received {self}")


class LaneBuffer(Generic[T]):
    """The items of one lane that wait for their batch."""

    __slots__ = ("_bytes", "_policy", "_waiting")

    def __init__(self, policy: BatchPolicy) -> None:
        self._policy = policy
        self._waiting: deque[tuple[T, int, float]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        """Return the number of waiting items."""
        return len(self._waiting)

    @property
    def size_bytes(self) -> int:
        """Return the bytes that waiting items hold."""
        return self._bytes

    def add(self, item: T, size_bytes: int, now: float) -> None:
        """Append an item that holds ``size_bytes``."""
        self._waiting.append((item, size_bytes, now))
        self._bytes += size_bytes

    def oldest(self) -> float | None:
        """Return when the first waiting item came; None when nothing waits."""
        return self._waiting[0][2] if self._waiting else None

    def deadline(self) -> float | None:
        """Return the time at which a batch is due by age; None when nothing waits."""
        return self._waiting[0][2] + self._policy.max_age_s if self._waiting else None

    def due(self, now: float, *, asked: bool = False) -> Flush | None:
        """Return why a batch is due now; None when it is not."""
        if not self._waiting:
            return None
        if len(self._waiting) >= self._policy.max_records:
            return Flush.RECORDS
        if self._bytes >= self._policy.max_bytes:
            return Flush.BYTES
        if now >= self._waiting[0][2] + self._policy.max_age_s:
            return Flush.AGE
        return Flush.ASKED if asked else None

    def take(self) -> list[T]:
        """Remove and return the next batch: the oldest items, up to the policy's number and bytes, at least one."""
        batch: list[T] = []
        held = 0
        while self._waiting and len(batch) < self._policy.max_records:
            item, size_bytes, _ = self._waiting[0]
            if batch and held + size_bytes > self._policy.max_bytes:
                break
            self._waiting.popleft()
            batch.append(item)
            held += size_bytes
        self._bytes -= held
        return batch

    def discard(self, unwanted: Callable[[T], bool]) -> int:
        """Remove the items that are unwanted and return their number; the others keep their order and age."""
        kept = deque(entry for entry in self._waiting if not unwanted(entry[0]))
        removed = len(self._waiting) - len(kept)
        self._waiting = kept
        self._bytes = sum(entry[1] for entry in kept)
        return removed
