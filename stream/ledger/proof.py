"""The proof that in = out + dead: collects what the topics hold of each input partition, then compares; pure.

What is proved for each partition, up to the last offset that the group's ledger accounts for:

1. every input message has exactly one L2 record or dead letter, and none stands for a message that is not there;
2. ledger entries follow each other without overlap, and committed offsets grow;
3. each entry balances, its counts are those of the topics, and its digest is that of the input's offsets.

Inputs beyond that are not yet processed: they are counted, and have no output unless a later entry accounts for it.
Where an input topic has forgotten its oldest messages (retention), outputs and entries before its first message cannot
be checked: they are counted, and the check starts behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream.ledger.account import offsets_digest
from stream.ledger.offset_set import OffsetSet
from stream.transports.contract import TopicPartition


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that does not agree in a partition."""

    source: TopicPartition
    offset: int
    what: str
    expected: str
    received: str

    def __str__(self) -> str:
        """Return the difference in one line."""
        return (
            f"{self.source.topic}[{self.source.partition}] offset {self.offset}: {self.what}: "
            f"expected {self.expected}, received {self.received}"
        )


@dataclass(frozen=True, slots=True)
class PartitionAccount:
    """What was found of one input partition.

    ``beyond``: inputs after the last accounted offset. ``forgotten``: outputs whose inputs retention has removed.
    """

    source: TopicPartition
    records_in: int
    records_out: int
    records_dead: int
    beyond: int
    forgotten: int
    entries: int
    last_accounted: int | None


class PartitionEvidence:
    """Everything that the topics say of one input partition, in a bit per message and kind."""

    __slots__ = ("_accounted", "_entries", "_source", "_suspect", "dead", "inputs", "out")

    def __init__(self, source: TopicPartition) -> None:
        self._source = source
        self.inputs = OffsetSet()
        self.out = OffsetSet()
        self.dead = OffsetSet()
        self._entries: list[Mapping[str, Any]] = []
        self._accounted = -1
        self._suspect: Difference | None = None

    def account_to(self, offset: int) -> None:
        """Note that the ledger accounts for offsets up to this one: what is proved; later entries may be under way."""
        self._accounted = max(self._accounted, offset)

    def add_input(self, offset: int) -> None:
        """Note an input message."""
        if not self.inputs.add(offset):
            self._suspected(offset, "input message", "once", "twice")

    def add_out(self, offset: int) -> None:
        """Note an L2 record."""
        if not self.out.add(offset):
            self._suspected(offset, "outputs", "one L2 record", "two L2 records")
        elif offset in self.dead:
            self._suspected(offset, "outputs", "one L2 record or dead letter", "both")

    def add_dead(self, offset: int) -> None:
        """Note a dead letter."""
        if not self.dead.add(offset):
            self._suspected(offset, "outputs", "one dead letter", "two dead letters")
        elif offset in self.out:
            self._suspected(offset, "outputs", "one L2 record or dead letter", "both")

    def add_entry(self, entry: Mapping[str, Any]) -> None:
        """Note a ledger entry (schema ``ledger``), in the order of the topic."""
        self._entries.append(entry)

    def _suspected(self, offset: int, what: str, expected: str, received: str) -> None:
        if self._suspect is None or offset < self._suspect.offset:
            self._suspect = Difference(self._source, offset, what, expected, received)

    def account(self) -> PartitionAccount:
        """Return the numbers of this partition."""
        first, last = self._range()
        return PartitionAccount(
            source=self._source,
            records_in=self.inputs.between(first, last).size,
            records_out=self.out.between(first, last).size,
            records_dead=self.dead.between(first, last).size,
            beyond=self.inputs.count - self.inputs.between(0, last).size,
            forgotten=self.out.between(0, first - 1).size + self.dead.between(0, first - 1).size if first else 0,
            entries=len(self._entries),
            last_accounted=last if last >= 0 else None,
        )

    def difference(self) -> Difference | None:
        """Return the first difference; None when everything agrees.

        A message without its one output comes before an entry that does not agree, because it names the message.
        """
        found = [item for item in (self._suspect, self._wrong_outputs()) if item is not None]
        return min(found, key=lambda item: item.offset) if found else self._wrong_entry()

    def _range(self) -> tuple[int, int]:
        """Return the first offset that the input still has and the last one to prove (-1: none)."""
        return self.inputs.first() or 0, self._accounted

    def _wrong_outputs(self) -> Difference | None:
        first, last = self._range()
        entered = max((int(entry["last_offset"]) for entry in self._entries), default=-1)
        found = []
        answered = OffsetSet.union(self.out, self.dead)
        missing = self.inputs.first_missing_from(answered, first, last)
        if missing is not None:
            found.append(Difference(self._source, missing, "outputs", "one L2 record or dead letter", "none"))
        for kind, outputs in (("L2 record", self.out), ("dead letter", self.dead)):
            highest = outputs.last()
            if highest is None:
                continue
            foreign = outputs.first_missing_from(self.inputs, first, highest)
            if foreign is not None:
                found.append(Difference(self._source, foreign, kind, "an input message", "none at this offset"))
            early = outputs.between(entered + 1, highest)
            if early.size:
                found.append(
                    Difference(self._source, int(early[0]), kind, "a ledger entry that accounts for it", "none")
                )
        return min(found, key=lambda item: item.offset, default=None)

    def _wrong_entry(self) -> Difference | None:
        first, last = self._range()
        before = -1
        for entry in self._entries:
            start, end = int(entry["first_offset"]), int(entry["last_offset"])
            if start < before or end < start or int(entry["next_offset"]) <= end:
                return Difference(
                    self._source, start, "ledger entry", f"offsets from {before} on, in order",
                    f"{start}..{end}, next {entry['next_offset']}",
                )  # fmt: skip
            skipped = self.inputs.between(max(before, first), start - 1)
            if skipped.size:
                return Difference(
                    self._source,
                    int(skipped[0]),
                    "ledger",
                    "an entry that accounts for it",
                    f"the next from {start} on",
                )
            before = int(entry["next_offset"])
            if first <= start and end <= last:
                wrong = self._compare(entry, start, end)
                if wrong is not None:
                    return wrong
        return None

    def _compare(self, entry: Mapping[str, Any], start: int, end: int) -> Difference | None:
        offsets = self.inputs.between(start, end)
        counted = {
            "records_in": offsets.size,
            "records_out": self.out.between(start, end).size,
            "records_dead": self.dead.between(start, end).size,
        }
        for name, count in counted.items():
            if int(entry[name]) != count:
                return Difference(self._source, start, f"ledger {name} of {start}..{end}", str(count), str(entry[name]))
        if int(entry["records_in"]) != int(entry["records_out"]) + int(entry["records_dead"]):
            return Difference(
                self._source, start, f"ledger entry {start}..{end}", "in = out + dead",
                f"{entry['records_in']} != {entry['records_out']} + {entry['records_dead']}",
            )  # fmt: skip
        if sum(entry["rejected"].values()) != int(entry["records_dead"]):
            return Difference(
                self._source, start, f"ledger rejected of {start}..{end}", str(entry["records_dead"]),
                str(sum(entry["rejected"].values())),
            )  # fmt: skip
        digest = offsets_digest(offsets.tolist())
        if entry["offsets_digest"] and entry["offsets_digest"] != digest:
            return Difference(
                self._source, start, f"ledger offsets_digest of {start}..{end}", digest, str(entry["offsets_digest"])
            )
        return None
