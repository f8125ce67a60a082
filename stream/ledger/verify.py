"""``specstream ledger verify``: reads input, L2, dead-letter and ledger topics and proves in = out + dead.

Memory is bounded: a bit per message and kind (``offset_set``), and one small record per commit. Committed records only,
as every reader gives them. It may run beside the service: the ledger is read first, to fix how far the proof goes, then
the outputs, then the ledger again, to tell outputs committed meanwhile from outputs without an account, then the input.
Several groups may write to one topic: outputs count for the group in their header, older ones, without it, for any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from schemas.codec import Codec
from schemas.errors import Undecodable
from stream.errors import Retryable, StreamError
from stream.ledger.proof import Difference, PartitionAccount, PartitionEvidence
from stream.records.finished import GROUP_HEADER
from stream.sections import TopicsSettings
from stream.transports.contract import Message, Reader, TopicPartition

READ_RECORDS = 1_000
READ_TIMEOUT_S = 1.0
SILENT_READS = 30
"""Reads in a row without a message, before the end, after which a reader is given up: with the time-out, about 30 s."""


class ReaderStalled(StreamError):
    """A topic could not be read to its end."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What `ledger verify` found: the account of each partition, and the first difference, if any."""

    partitions: tuple[PartitionAccount, ...]
    difference: Difference | None

    @property
    def holds(self) -> bool:
        """Return True when everything agrees."""
        return self.difference is None


def verify_ledger(
    topics: TopicsSettings, group: str, open_reader: Callable[[str], Reader], codec: Codec
) -> Verification:
    """Prove in = out + dead for each partition of the input topics.

    Args:
        topics: names of the topics.
        group: consumer group whose ledger and outputs are read.
        open_reader: opens a reader of one topic from its first message on.
        codec: decodes L2 records, dead letters and ledger entries.

    Raises:
        ReaderStalled: a topic cannot be read to its end.
        ConfigurationError: a topic is missing or not authorised.
    """
    evidence: dict[TopicPartition, PartitionEvidence] = {}
    strays: list[Difference] = []

    def of(topic: str, partition: int) -> PartitionEvidence:
        source = TopicPartition(topic, partition)
        return evidence.setdefault(source, PartitionEvidence(source))

    def sources(topic: str) -> Iterator[tuple[PartitionEvidence, int]]:
        for message, record in _records(_of_group(group, _messages(topic, open_reader)), codec, strays):
            source = record.get("source")
            if not isinstance(source, dict) or source["topic"] not in topics.inputs:
                strays.append(_stray(message, "a record of one of the input topics", str(source)))
                continue
            yield of(source["topic"], source["partition"]), source["offset"]

    def entries() -> Iterator[tuple[PartitionEvidence, dict[str, Any]]]:
        for message, entry in _records(_messages(topics.ledger, open_reader), codec, strays):
            if entry.get("group") != group:
                continue
            if entry["topic"] in topics.inputs:
                yield of(entry["topic"], entry["partition"]), entry
            else:
                strays.append(_stray(message, "a ledger entry of one of the input topics", str(entry["topic"])))

    for account, entry in entries():
        account.account_to(entry["last_offset"])
    for account, offset in sources(topics.l2):
        account.add_out(offset)
    for account, offset in sources(topics.dead_letter):
        account.add_dead(offset)
    for account, entry in entries():
        account.add_entry(entry)
    for topic in topics.inputs:
        for message in _messages(topic, open_reader):
            of(topic, message.source.partition).add_input(message.offset)
    ordered = sorted(evidence.items())
    differences = [found for _, item in ordered if (found := item.difference()) is not None]
    return Verification(tuple(item.account() for _, item in ordered), next(iter([*differences, *strays]), None))


def _of_group(group: str, messages: Iterator[Message]) -> Iterator[Message]:
    """Leave out what the header says another group made."""
    own = group.encode()
    for message in messages:
        if dict(message.headers).get(GROUP_HEADER) in (own, None):
            yield message


def _records(
    messages: Iterator[Message], codec: Codec, strays: list[Difference]
) -> Iterator[tuple[Message, dict[str, Any]]]:
    for message in messages:
        try:
            yield message, codec.decode(message.value or b"").record
        except Undecodable as error:
            strays.append(_stray(message, "a record of specstream", error.message))


def _stray(message: Message, expected: str, received: str) -> Difference:
    return Difference(message.source, message.offset, "output message", expected, received)


def _messages(topic: str, open_reader: Callable[[str], Reader]) -> Iterator[Message]:
    reader = open_reader(topic)
    silent = 0
    try:
        while not reader.at_end():
            try:
                messages = reader.read(READ_RECORDS, READ_TIMEOUT_S)
            except Retryable:
                messages = []
            silent = 0 if messages else silent + 1
            if silent > SILENT_READS:
                raise ReaderStalled(
                    f"{topic}: expected to read to the end, received nothing in {SILENT_READS} attempts"
                )
            yield from messages
    finally:
        reader.close()
