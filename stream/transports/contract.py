"""What every transport promises; ``tests/stream/transports`` runs one contract suite against all of them.

Invariants:
- ``commit`` is atomic: outputs and next offsets of all units reported committed are published together, or none is.
- A unit whose ownership epoch is no longer current is never published; it is reported as dropped, and its messages
  will be delivered again, here or elsewhere, from the last committed offset.
- Only committed messages are ever returned by ``poll``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

Headers: TypeAlias = tuple[tuple[str, bytes | None], ...]


class TopicPartition(NamedTuple):
    """A partition of a topic; a named tuple, as what is made for every record is, because it costs a third."""

    topic: str
    partition: int


class Message(NamedTuple):
    """One message as it came: bytes and coordinates.

    ``epoch`` is the ownership epoch of its partition when it was polled; ``timestamp_ms`` its append time, UTC
    [ms since 1970].
    """

    source: TopicPartition
    offset: int
    epoch: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int


class Output(NamedTuple):
    """One message to publish. ``partition`` None: chosen by the key; ``timestamp_ms`` None: append time is now."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CommitUnit:
    """All outputs (L2, dead letters, ledger entry) of one partition's next contiguous stretch of messages."""

    source: TopicPartition
    epoch: int
    next_offset: int
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class CommitOutcome:
    """Which partitions were committed and which units were dropped because their epoch had passed."""

    committed: tuple[TopicPartition, ...]
    dropped: tuple[TopicPartition, ...]


class Transport(Protocol):
    """An input subscription with atomic output, owned by one process.

    ``poll`` and ``commit`` may be called from two threads (one polls, one commits), each by one thread at a time.
    """

    def poll(self, max_records: int, timeout_s: float) -> list[Message]:
        """Return up to ``max_records`` messages of owned partitions, in offset order per partition; empty on timeout.

        Raises:
            Retryable: the broker is away; ``poll`` again.
            Fatal: the consumer can never go on (fenced, fatal error).
            ConfigurationError: topic missing, or not authorised.
        """
        ...

    def commit(self, units: Sequence[CommitUnit]) -> CommitOutcome:
        """Publish the outputs and next offsets of the units atomically, leaving out units of old epochs.

        Raises:
            Retryable: nothing was published; call again with the same units.
            Fatal: fenced by another process with the same identity, or a fatal producer error.
        """
        ...

    def owned(self) -> Mapping[TopicPartition, int]:
        """Return the partitions owned now with their ownership epochs."""
        ...

    def assigned(self) -> bool:
        """Return True once an assignment was received and none is pending (it may be empty)."""
        ...

    def at_end(self) -> bool:
        """Return True when the end of every owned partition was seen since its last message.

        This is what `--until-idle` needs. Always False before the first assignment. With an empty assignment True only
        once the transport is sure that no partition is still held by a member that may be dead.
        """
        ...

    def assignment_version(self) -> int:
        """Return a number that grows with each change of assignment; the idle clock restarts when it changes."""
        ...

    def lag(self) -> Mapping[TopicPartition, int]:
        """Return messages not yet polled or committed per owned partition, 0 at partition EOF with nothing open."""
        ...

    def close(self) -> None:
        """Leave the group and release everything; what was not committed is delivered again to the next owner."""
        ...


@runtime_checkable
class Pausable(Protocol):
    """What a transport that fetches ahead may offer besides: to stop fetching while ``poll`` keeps its membership."""

    def pause(self) -> None:
        """Fetch nothing until ``resume``; ``poll`` may still return messages of partitions assigned meanwhile."""
        ...

    def resume(self) -> None:
        """Fetch again."""
        ...


class Reader(Protocol):
    """Reads committed messages of topics from the first offset, outside any group (``tail``, ``archive``)."""

    def read(self, max_records: int, timeout_s: float) -> list[Message]:
        """Return up to ``max_records`` next messages over all partitions; empty when none came within ``timeout_s``."""
        ...

    def at_end(self) -> bool:
        """Return True when everything committed at the moment of asking was read."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


class Publisher(Protocol):
    """Publishes outputs atomically with the progress of whoever makes them (``ingest``, ``produce``, ``redrive``).

    ``identity`` names the work (fixed for one source and target); progress is a mapping kept in an ingest-state topic,
    written in the same transaction as the outputs. Opening a second publisher with a live identity raises Fatal.
    """

    def progress(self) -> Mapping[str, str]:
        """Return the last committed progress: key to value."""
        ...

    def publish(self, outputs: Sequence[Output], progress: Mapping[str, str]) -> None:
        """Publish the outputs and update these progress keys in one transaction.

        Raises:
            Retryable: nothing was published; call again.
            Fatal: fenced.
        """
        ...

    def close(self) -> None:
        """Release everything."""
        ...
