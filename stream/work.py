"""What the pipeline hands out to be done: engine batches and commits; and the limits that say when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream.batching import BatchPolicy, Flush
from stream.decoded import Accepted, Lane
from stream.ledger.account import Account
from stream.partition_log import PartitionLog, Slot
from stream.transports.contract import CommitUnit, TopicPartition


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is held: batches, commits, and everything that was read but not committed."""

    batch: BatchPolicy
    commit: BatchPolicy
    max_records: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Batch:
    """One engine batch: ``accepted`` are its items in order; ``why`` says what made it due."""

    lane: Lane
    why: Flush
    slots: tuple[Slot, ...]
    accepted: tuple[Accepted, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: its units are published atomically, and published again unchanged if that must be retried."""

    units: tuple[CommitUnit, ...]
    slots: Mapping[TopicPartition, tuple[PartitionLog, list[Slot], Account]] = field(repr=False)

    @property
    def records(self) -> int:
        """Return the number of input records that it finishes."""
        return sum(len(slots) for _, slots, _ in self.slots.values())
