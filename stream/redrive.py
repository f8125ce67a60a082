"""Dead letters back into their input topic, byte for byte, each at most once.

Which dead letters were redriven is committed with them, as one bit per offset of the dead-letter topic, so neither a
killed run nor a second one with another selection sends one again. A message that fails again is a new dead letter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.codec import DecodedRecord
from schemas.errors import Undecodable
from stream.entry import Entry, EntryLimits, EntryReport, EntrySummary, Interrupted, Patience
from stream.transports.contract import Headers, Message, Output, Publisher, Reader

SCHEMA = "org.specstream.dead_letter"
OFFSETS_PER_KEY = 1024
READ_RECORDS = 128
READ_TIMEOUT_S = 0.5


class Decoder(Protocol):
    """The part of a codec that is needed here."""

    def decode(self, value: bytes) -> DecodedRecord:
        """Return the record of a message."""
        ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter where it stands in its topic, with its fields as the schema ``dead_letter`` names them."""

    message: Message
    record: Mapping[str, Any]

    def redriven(self, *, keep_partition: bool) -> Output:
        """Return the original message for its input topic; its append time is the time it is published again."""
        headers: Headers = tuple((each["name"], each["value"]) for each in self.record["original_headers"])
        source = self.record["source"]
        return Output(
            source["topic"],
            self.record["original_key"],
            self.record["original_value"],
            headers,
            source["partition"] if keep_partition else None,
        )


def read_dead_letters(
    reader: Reader, decoder: Decoder, refused: Callable[[Message, str], None], patience: Patience
) -> Iterator[DeadLetter]:
    """Yield the dead letters that a reader of their topic finds, up to the end of the topic.

    Args:
        reader: reads the dead-letter topic.
        decoder: makes records of messages.
        refused: told of messages in the topic that are no dead letters, and why.
        patience: tries again while the broker is away.

    Raises:
        Interrupted: asked to stop while the broker was away.
    """
    while not patience.stop.is_set() and not patience(reader.at_end):
        for message in patience(lambda: reader.read(READ_RECORDS, READ_TIMEOUT_S)):
            try:
                decoded = decoder.decode(message.value or b"")
            except Undecodable as error:
                refused(message, str(error))
                continue
            if decoded.schema_name == SCHEMA:
                yield DeadLetter(message, decoded.record)
            else:
                refused(message, f"expected a {SCHEMA}, received a {decoded.schema_name}")


@dataclass(slots=True)
class RedrivenOffsets:
    """Which of ``OFFSETS_PER_KEY`` successive offsets were redriven: bit i stands for the i-th of them."""

    bits: int = 0

    def to_text(self) -> str:
        """Return the bits in hexadecimal."""
        return f"{self.bits:x}"

    def add(self, offset: int) -> bool:
        """Mark an offset; return False where it was marked before."""
        bit = 1 << offset % OFFSETS_PER_KEY
        if self.bits & bit:
            return False
        self.bits |= bit
        return True


def redrive(
    reader: Reader,
    publisher: Publisher,
    decoder: Decoder,
    *,
    reasons: Collection[str] = (),
    where: Callable[[Mapping[str, Any]], bool] | None = None,
    keep_partition: bool = True,
    limits: EntryLimits | None = None,
    report: EntryReport | None = None,
    stop: threading.Event | None = None,
) -> EntrySummary:
    """Publish the original messages of dead letters in their input topics.

    Args:
        reader: reads the dead-letter topic, on the broker of the input topics.
        publisher: publishes; its identity is that of redriving this topic, and one live process may have it.
        decoder: makes records of messages.
        reasons: redrive dead letters of these reasons; empty: of all.
        where: redrive dead letters whose record satisfies it; None: all.
        keep_partition: into the partition that a message came from; otherwise the key decides.
        limits: size of a transaction.
        report: hears what happens.
        stop: set by whoever wants it to end; what was read is published first.

    Returns:
        ``finished`` counts dead letters redriven, ``skipped`` those redriven before, ``refused`` messages that are
        no dead letters.

    Raises:
        ConfigurationError: the broker refuses a topic or message.
        Fatal: another process has taken the publisher's identity.
    """
    entry = Entry(publisher, limits, report, stop)

    def refused(message: Message, why: str) -> None:
        entry.refused(f"{message.source.topic}[{message.source.partition}] offset {message.offset}", why)

    with suppress(Interrupted):  # asked to stop while the broker was away: the next run redrives what this one did not
        known = {key: RedrivenOffsets(int(value, 16)) for key, value in entry.earlier().items()}
        for letter in read_dead_letters(reader, decoder, refused, entry.patience):
            if entry.stop.is_set():
                break
            if (reasons and letter.record["reason"] not in reasons) or (where and not where(letter.record)):
                continue
            key = _key(letter.message)
            offsets = known.setdefault(key, RedrivenOffsets())
            if not offsets.add(letter.message.offset):
                entry.summary.skipped += 1  # a letter is too small a source to report each
                continue
            entry.add(letter.redriven(keep_partition=keep_partition))
            entry.note(key, offsets)
            entry.summary.finished += 1
            entry.flush_if_full()
        entry.flush()
    return entry.summary


def _key(message: Message) -> str:
    return f"{message.source.topic}/{message.source.partition}/{message.offset // OFFSETS_PER_KEY}"
