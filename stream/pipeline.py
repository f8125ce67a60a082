"""The pipeline: which record is where between its arrival and its commit. A pure state machine, without I/O or clock.

The caller feeds it and asks what to do next; one lock around it serves an intake, a compute and a commit thread.

| the caller | the pipeline |
| --- | --- |
| ``accept(decoded, now)`` | opens a slot per record; accepted items wait in their lane, rejects are finished |
| ``next_batch(now)`` | hands out the next due engine batch |
| ``complete(batch, finished, now)`` | one output per item; extends the finished prefixes |
| ``next_commit(now, unix_ms)`` | hands out the finished prefixes of all partitions, once due; one commit at a time |
| ``settle(outcome)`` | the commit happened: what was committed is counted, what was dropped dies with its epoch |
| ``own(owned)`` | partitions that were revoked, lost or assigned anew die; their messages come again |

A commit that fails and may be retried stays in flight: the caller repeats it with the same units.

Invariants: a record leaves exactly once, as one L2 record or one dead letter; outputs of a partition leave in offset
order; no offset is handed to a commit before the output of every record up to it; once a unit was dropped, nothing of
that epoch is ever committed; at most ``Limits`` records and bytes are held beyond one poll.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from stream.batching import Flush, LaneBuffer
from stream.decoded import Accepted, Decoded, Lane, Rejected
from stream.errors import Fatal
from stream.ledger.account import Account, Balance
from stream.partition_log import PartitionLog, Slot, account_of
from stream.records.finished import GROUP_HEADER, Finished
from stream.tally import Tally
from stream.transports.contract import CommitOutcome, CommitUnit, Headers, Output, TopicPartition
from stream.work import Batch, Commit, Limits

LANES: tuple[Lane, ...] = ("spectrum", "image", "narrowband")
SLOT_BYTES = 1_024
"""What a record holds besides its message and arrays, counted towards the memory limit [byte]."""


class PipelineError(Fatal):
    """The pipeline was called in a way that its states do not allow: a defect, never a matter of data."""


class Pipeline:
    """The state of one process's share of the stream.

    Args:
        limits: when batches and commits are due, and how much is held.
        group: consumer group, which stands in a header of each output.
        dead_letter: makes the dead letter of a reject; pure.
        ledger_output: makes the ledger message of an account; pure.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        group: str,
        dead_letter: Callable[[Rejected], Finished],
        ledger_output: Callable[[Account], Output],
    ) -> None:
        self._limits = limits
        self._group = (GROUP_HEADER, group.encode())
        self._dead_letter = dead_letter
        self._ledger_output = ledger_output
        self._logs: dict[TopicPartition, PartitionLog] = {}
        self._lanes: dict[Lane, LaneBuffer[Slot]] = {lane: LaneBuffer(limits.batch) for lane in LANES}
        self._computing: set[int] = set()
        self._commit: Commit | None = None
        self._largest_bytes = SLOT_BYTES
        self.records = 0
        self.size_bytes = 0
        self.balance = Balance()

    # ---- arrivals

    def accept(self, decoded: Sequence[Decoded], now: float) -> None:
        """Take in what decoding made of polled messages, in the order of the poll.

        Records of an epoch that has passed are ignored: they come again.

        Raises:
            OffsetWentBack: the transport broke the order within an epoch.
        """
        finished_logs: dict[int, PartitionLog] = {}
        largest = SLOT_BYTES
        for item in decoded:
            message = item.message
            log = self._logs.get(message.source)
            if log is None or message.epoch > log.epoch:
                log = self._open(message.source, message.epoch)
            elif not log.alive or message.epoch < log.epoch:
                continue
            size_bytes = SLOT_BYTES + (len(message.value) if message.value is not None else 0)
            if isinstance(item, Accepted):
                size_bytes += item.size_bytes
                slot = log.append(message, item, size_bytes)
                self._lanes[item.lane].add(slot, item.size_bytes, now)
            else:
                slot = log.append(message, None, size_bytes)
                slot.finished = self._dead_letter(item)
                finished_logs[id(log)] = log
            self.records += 1
            self.size_bytes += size_bytes
            largest = max(largest, size_bytes)
        self._largest_bytes = max(largest, (self._largest_bytes + largest) // 2)
        for log in finished_logs.values():
            log.advance(now)

    def room(self, at_most: int) -> int:
        """Return how many messages may be polled now, 0 when memory is full.

        The largest of the latest records stands for the next ones, so that one poll cannot exceed the byte limit much.
        """
        if not self.wants_input():
            return 0
        by_bytes = (self._limits.max_bytes - self.size_bytes) // self._largest_bytes
        return max(1, min(at_most, self._limits.max_records - self.records, by_bytes))

    def wants_input(self) -> bool:
        """Return True while fewer records and bytes are held than the limits allow."""
        return self.records < self._limits.max_records and self.size_bytes < self._limits.max_bytes

    def fill(self) -> float:
        """Return how full memory is: records or bytes held over their limit, whichever is more."""
        return max(self.records / self._limits.max_records, self.size_bytes / self._limits.max_bytes)

    # ---- compute

    def next_batch(self, now: float, *, asked: bool = False) -> Batch | None:
        """Return the next due batch, of the lane whose oldest item waited longest; None when none is due.

        ``asked`` makes due whatever waits (idle input, drain); full memory does so by itself.
        """
        asked = asked or not self.wants_input()
        chosen: tuple[float, Lane, Flush] | None = None
        for lane, buffer in self._lanes.items():
            why = buffer.due(now, asked=asked)
            oldest = buffer.oldest()
            if why is not None and oldest is not None and (chosen is None or oldest < chosen[0]):
                chosen = (oldest, lane, why)
        if chosen is None:
            return None
        _, lane, why = chosen
        slots = tuple(self._lanes[lane].take())
        accepted = tuple(slot.accepted for slot in slots if slot.accepted is not None)
        if len(accepted) != len(slots):
            raise PipelineError(f"a batch of {len(slots)} waiting records holds only {len(accepted)} items")
        batch = Batch(lane, why, slots, accepted)
        self._computing.add(id(batch))
        return batch

    def complete(self, batch: Batch, finished: Sequence[Finished], now: float) -> None:
        """Take in one finished record per item of a batch, in its order; items of dead epochs are dropped.

        Raises:
            PipelineError: the batch is not being computed, or the numbers differ.
        """
        if id(batch) not in self._computing or len(finished) != len(batch.slots):
            raise PipelineError(
                f"expected {len(batch.slots)} results of a batch in computation, received {len(finished)}"
            )
        self._computing.discard(id(batch))
        logs: dict[int, PartitionLog] = {}
        for slot, result in zip(batch.slots, finished, strict=True):
            log = slot.log
            if log.alive:
                slot.finished = result
                logs[id(log)] = log
            slot.accepted = None
        for log in logs.values():
            log.advance(now)

    # ---- commits

    def next_commit(self, now: float, unix_ms: int, *, asked: bool = False) -> Commit | None:
        """Return the next commit when one is due and none is in flight.

        It is due by records, bytes or age of the finished prefixes, when memory is full, or when ``asked``.

        Raises:
            LedgerImbalance: in differs from out + dead.
        """
        if self._commit is not None:
            return None
        logs = [log for log in self._logs.values() if log.ready_records]
        if not logs or not (asked or not self.wants_input() or self._commit_due(logs, now)):
            return None
        published: Headers = (
            self._group,
            ("published_ms", str(unix_ms).encode()),
        )
        units = []
        taken: dict[TopicPartition, tuple[PartitionLog, list[Slot], Account]] = {}
        for log in logs:
            first_arrival = log.taken
            slots = log.take_ready()
            account = account_of(log, slots)
            account.check()
            if slots[0].arrival != first_arrival:
                raise PipelineError(f"{log.source}: expected record {first_arrival} next, received {slots[0].arrival}")
            outputs = [
                Output(done.topic, done.key, done.value, done.headers + published)
                for done in (slot.finished for slot in slots)
                if done is not None
            ]
            outputs.append(self._ledger_output(account))
            units.append(CommitUnit(log.source, log.epoch, account.next_offset, tuple(outputs)))
            taken[log.source] = (log, slots, account)
        self._commit = Commit(tuple(units), taken)
        return self._commit

    def settle(self, outcome: CommitOutcome) -> Tally:
        """Close the commit in flight and return what was committed, to be counted.

        Raises:
            PipelineError: none is in flight, or the outcome does not speak of each unit once.
        """
        commit = self._commit
        reported = sorted((*outcome.committed, *outcome.dropped))
        if commit is None or reported != sorted(commit.slots):
            raise PipelineError(f"expected the outcome of {commit}, received {outcome}")
        self._commit = None
        tally = Tally()
        for source, (log, slots, account) in commit.slots.items():
            self._release(len(slots), sum(slot.size_bytes for slot in slots))
            if source in outcome.committed:
                self.balance.add(account)
                tally.add(slot.finished for slot in slots if slot.finished is not None)
            elif log.alive:
                self._kill(log)
        return tally

    # ---- ownership

    def own(self, owned: Mapping[TopicPartition, int]) -> None:
        """Forget uncommitted work of partitions that are no longer owned, or owned under a later epoch."""
        for source, log in self._logs.items():
            if log.alive and (source not in owned or owned[source] > log.epoch):
                self._kill(log)

    # ---- what the caller waits for

    def batch_deadline(self) -> float | None:
        """Return the earliest time at which age makes a batch due; None when nothing waits."""
        return min((due for buffer in self._lanes.values() if (due := buffer.deadline()) is not None), default=None)

    def commit_deadline(self) -> float | None:
        """Return the earliest time at which age makes a commit due; None when there is none."""
        if self._commit is not None:
            return None
        since = min((log.ready_since for log in self._logs.values() if log.ready_since is not None), default=None)
        return None if since is None else since + self._limits.commit.max_age_s

    def computing(self) -> bool:
        """Return True while a batch is with the engines."""
        return bool(self._computing)

    def committing(self) -> bool:
        """Return True while a commit is in flight."""
        return self._commit is not None

    def empty(self) -> bool:
        """Return True when nothing is held: all that arrived is committed or was dropped."""
        return self.records == 0 and not self._computing and self._commit is None

    def all_finished(self) -> bool:
        """Return True when no record waits for an engine or is with one."""
        return not self._computing and not any(len(buffer) for buffer in self._lanes.values())

    # ---- inside

    def _commit_due(self, logs: Sequence[PartitionLog], now: float) -> bool:
        policy = self._limits.commit
        return (
            sum(log.ready_records for log in logs) >= policy.max_records
            or sum(log.ready_bytes for log in logs) >= policy.max_bytes
            or any(log.ready_since is not None and now >= log.ready_since + policy.max_age_s for log in logs)
        )

    def _open(self, source: TopicPartition, epoch: int) -> PartitionLog:
        before = self._logs.get(source)
        if before is not None and before.alive:
            self._kill(before)
        log = self._logs[source] = PartitionLog(source, epoch)
        return log

    def _kill(self, log: PartitionLog) -> None:
        self._release(*log.die())
        for buffer in self._lanes.values():
            buffer.discard(lambda slot: not slot.log.alive)

    def _release(self, records: int, size_bytes: int) -> None:
        self.records -= records
        self.size_bytes -= size_bytes
