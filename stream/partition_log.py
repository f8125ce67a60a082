"""One partition under one ownership epoch: its records in offset order, from arrival to commit; pure.

A record's slot goes through these states, and no other moves exist:

| state | where it is | next |
| --- | --- | --- |
| WAITING | in a lane buffer | COMPUTING |
| COMPUTING | in an engine batch | FINISHED |
| FINISHED | has its output; dead letters arrive so | READY once everything before it is finished |
| READY | in the finished prefix | COMMITTING |
| COMMITTING | in the commit in flight | gone, when the commit is reported |

When the epoch passes, the log dies: every slot that is not COMMITTING is dropped, and its messages come again.
"""

from __future__ import annotations

from collections import deque

from stream.decoded import Accepted
from stream.errors import Fatal
from stream.ledger.account import Account, offsets_digest
from stream.records.finished import Finished
from stream.transports.contract import Message, TopicPartition


class OffsetWentBack(Fatal):
    """A transport delivered an offset twice, or out of order, within one ownership epoch."""

    def __init__(self, message: Message, last_offset: int) -> None:
        super().__init__(
            f"{message.source.topic}[{message.source.partition}] epoch {message.epoch}: "
            f"expected an offset above {last_offset}, received {message.offset}"
        )
        self.message = message
        self.last_offset = last_offset


class Slot:
    """One input record on its way: ``arrival`` numbers the records of its log from 0, ``size_bytes`` is held."""

    __slots__ = ("accepted", "arrival", "finished", "log", "offset", "size_bytes")

    def __init__(
        self, log: PartitionLog, arrival: int, offset: int, accepted: Accepted | None, size_bytes: int
    ) -> None:
        self.log = log
        self.arrival = arrival
        self.offset = offset
        self.accepted = accepted
        self.size_bytes = size_bytes
        self.finished: Finished | None = None


class PartitionLog:
    """The records of one partition and epoch that are not committed, in offset order."""

    __slots__ = (
        "_open",
        "_ready",
        "_ready_bytes",
        "_ready_since",
        "alive",
        "arrived",
        "epoch",
        "last_offset",
        "source",
        "taken",
    )

    def __init__(self, source: TopicPartition, epoch: int) -> None:
        self.source = source
        self.epoch = epoch
        self.alive = True
        self.arrived = 0
        self.taken = 0
        self.last_offset = -1
        self._open: deque[Slot] = deque()
        self._ready: deque[Slot] = deque()
        self._ready_bytes = 0
        self._ready_since: float | None = None

    @property
    def ready_records(self) -> int:
        """Return the number of records in the finished prefix."""
        return len(self._ready)

    @property
    def ready_bytes(self) -> int:
        """Return the bytes to publish for the finished prefix."""
        return self._ready_bytes

    @property
    def ready_since(self) -> float | None:
        """Return when the finished prefix began to wait; None when it is empty."""
        return self._ready_since

    def append(self, message: Message, accepted: Accepted | None, size_bytes: int) -> Slot:
        """Append the next message.

        Raises:
            OffsetWentBack: its offset is not above the last one.
        """
        if message.offset <= self.last_offset:
            raise OffsetWentBack(message, self.last_offset)
        slot = Slot(self, self.arrived, message.offset, accepted, size_bytes)
        self.arrived += 1
        self.last_offset = message.offset
        self._open.append(slot)
        return slot

    def advance(self, now: float) -> None:
        """Move what is finished without a gap into the ready prefix."""
        waiting = self._open
        while waiting and (finished := waiting[0].finished) is not None:
            self._ready.append(waiting.popleft())
            self._ready_bytes += len(finished.value)
            if self._ready_since is None:
                self._ready_since = now

    def take_ready(self) -> list[Slot]:
        """Remove and return the whole ready prefix."""
        slots = list(self._ready)
        self._ready.clear()
        self._ready_bytes = 0
        self._ready_since = None
        self.taken += len(slots)
        return slots

    def die(self) -> tuple[int, int]:
        """Drop everything not yet in a commit; return the records and bytes that this sets free."""
        self.alive = False
        records = len(self._open) + len(self._ready)
        size_bytes = sum(slot.size_bytes for slot in self._open) + sum(slot.size_bytes for slot in self._ready)
        for slot in self._open:
            slot.accepted = None
        self._open.clear()
        self.take_ready()
        return records, size_bytes


def account_of(log: PartitionLog, slots: list[Slot]) -> Account:
    """Return the account of a non-empty prefix that was just taken from its log."""
    rejected: dict[str, int] = {}
    records_out = 0
    newest_ms = -1
    for slot in slots:
        finished = slot.finished
        if finished is None:
            continue
        newest_ms = max(newest_ms, finished.l1_append_ms)
        if finished.reason is None:
            records_out += 1
        else:
            rejected[finished.reason] = rejected.get(finished.reason, 0) + 1
    return Account(
        source=log.source,
        first_offset=slots[0].offset,
        last_offset=slots[-1].offset,
        records_in=slots[-1].arrival - slots[0].arrival + 1,
        records_out=records_out,
        records_dead=sum(rejected.values()),
        rejected=rejected,
        offsets_digest=offsets_digest([slot.offset for slot in slots]),
        newest_ms=newest_ms,
    )
