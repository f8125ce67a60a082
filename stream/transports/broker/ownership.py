"""Who may commit what: ownership epochs of partitions, and the order between commits and rebalances.

Pure but for one lock: knows nothing of Kafka and reads no clock. Invariants:

- A partition gets a new epoch with every assignment, and loses it with every revocation; epochs never repeat.
- While a commit is in flight, ``revoke`` waits for it (bounded); ``lose`` does not wait, and makes the commit stale.

Why epochs, when the group's coordinator fences old members: a process that was stopped past its session, continued,
polled (and so joined again) and then committed what it had polled before, was *accepted* under both protocols, because
its membership was current again though its messages were not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from stream.transports.contract import CommitUnit, TopicPartition


@dataclass(slots=True)
class OwnedPartition:
    """A partition that is owned now.

    ``last_offset`` is that of the last message polled, ``committed`` what is known to be committed up to (before the
    first commit, the first message polled), ``end`` the partition's end as last seen, open transactions included; -1
    until a message was polled. ``seen_end`` is the offset at which the end of what is committed was seen after the last
    message, -1 when it was not.
    """

    source: TopicPartition
    epoch: int
    last_offset: int = -1
    committed: int = -1
    end: int = -1
    seen_end: int = -1

    @property
    def reached(self) -> bool:
        """Whether everything before ``end`` was polled."""
        return max(self.seen_end, self.last_offset + 1) >= self.end

    @property
    def at_end(self) -> bool:
        """Whether the end was seen since the last message, with no transaction open beyond it.

        An open transaction hides whatever was committed after its first message, so the end before it is none.
        """
        return self.seen_end >= 0 and self.seen_end >= self.end


class Ownership:
    """The partitions owned now, shared by the thread that polls (and serves rebalances) and the one that commits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._partitions: dict[tuple[str, int], OwnedPartition] = {}
        self._last_epoch = 0
        self._version = 0
        self._received = False
        self._committing = False

    def assign(self, sources: Iterable[TopicPartition]) -> None:
        """Own these partitions from now on, each with an epoch of its own; an assignment is no longer pending."""
        with self._changed:
            for source in sources:
                self._last_epoch += 1
                self._partitions[source.topic, source.partition] = OwnedPartition(source, self._last_epoch)
            self._received = True
            self._version += 1

    def revoke(self, sources: Iterable[TopicPartition], *, pending: bool, wait_s: float) -> bool:
        """Give these partitions up once the commit in flight has ended.

        Args:
            sources: What is revoked.
            pending: Whether a new assignment follows (the classic protocol revokes everything first).
            wait_s: Longest wait for the commit in flight, s.

        Returns:
            False if the commit in flight did not end in time; it finds its units stale at its next step.
        """
        with self._changed:
            ended = self._changed.wait_for(lambda: not self._committing, wait_s)
            self._drop(sources, pending=pending)
            return ended

    def lose(self, sources: Iterable[TopicPartition], *, pending: bool) -> None:
        """Give these partitions up at once: somebody else may own them already."""
        with self._changed:
            self._drop(sources, pending=pending)

    def give_up(self, units: Sequence[CommitUnit]) -> None:
        """Lose the partitions of units, unless they have been assigned anew since."""
        with self._changed:
            current = [unit.source for unit in units if self._is_current(unit)]
            if current:
                self._drop(current, pending=True)

    def _drop(self, sources: Iterable[TopicPartition], *, pending: bool) -> None:
        for source in sources:
            self._partitions.pop((source.topic, source.partition), None)
        if pending:
            self._received = False
        self._version += 1

    @contextmanager
    def commit_in_flight(self) -> Iterator[None]:
        """Mark a commit as in flight: ``revoke`` waits for its end."""
        with self._changed:
            self._committing = True
        try:
            yield
        finally:
            with self._changed:
                self._committing = False
                self._changed.notify_all()

    def current(self, units: Sequence[CommitUnit]) -> list[CommitUnit]:
        """Return those units whose ownership epoch is still current, in order."""
        with self._changed:
            return [unit for unit in units if self._is_current(unit)]

    def _is_current(self, unit: CommitUnit) -> bool:
        partition = self._partitions.get((unit.source.topic, unit.source.partition))
        return partition is not None and partition.epoch == unit.epoch

    def committed(self, units: Iterable[CommitUnit]) -> None:
        """Remember the committed offsets of units whose partitions are still owned."""
        with self._changed:
            for unit in units:
                if self._is_current(unit):
                    self._partitions[unit.source.topic, unit.source.partition].committed = unit.next_offset

    def table(self) -> dict[tuple[str, int], OwnedPartition]:
        """Return the owned partitions by topic and partition. The polling thread alone updates what it polled."""
        with self._changed:
            return dict(self._partitions)

    def lag(self) -> dict[TopicPartition, int]:
        """Return messages not yet committed per partition: 0 at its end with nothing open.

        Elsewhere it is the distance in offsets, which counts a transaction's control records too. A partition of which
        nothing was polled yet is left out.
        """
        lags = {}
        for partition in self.table().values():
            if partition.at_end:
                lags[partition.source] = partition.last_offset + 1 - max(partition.committed, 0)
            elif partition.committed >= 0:
                lags[partition.source] = max(partition.end - partition.committed, 0)
        return lags

    def assigned(self) -> bool:
        """Return whether an assignment was received and none is pending."""
        with self._changed:
            return self._received

    def version(self) -> int:
        """Return a number that grows with each change."""
        with self._changed:
            return self._version
