"""A night kept: topics of a broker as they are, coordinates included, in a folder that ``run`` can replay."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TypeAlias

from stream.entry import EntryLimits, EntryReport, EntrySummary, Interrupted, Patience, Silence
from stream.transports.contract import Message, Reader, TopicPartition
from stream.transports.folder import FolderArchive

READ_RECORDS = 128
READ_TIMEOUT_S = 0.5

OpenReader: TypeAlias = Callable[[Mapping[TopicPartition, int]], Reader]


def archive(
    open_reader: OpenReader,
    folder: FolderArchive,
    *,
    follow: bool = False,
    limits: EntryLimits | None = None,
    report: EntryReport | None = None,
    stop: threading.Event | None = None,
) -> EntrySummary:
    """Copy what the topics hold beyond what the folder holds already.

    Args:
        open_reader: opens a reader of the topics at given first offsets.
        folder: where the messages are kept, each once, under the coordinates that they have.
        follow: go on as messages arrive, until ``stop`` is set; otherwise end once everything committed was copied.
        limits: size of a commit.
        report: hears what happens.
        stop: set by whoever wants it to end; what was read is kept first.

    Raises:
        ConfigurationError: a topic is missing.
        Fatal: the folder is damaged, or its disk failed.
    """
    limits, report, stop, summary = (
        limits or EntryLimits(),
        report or Silence(),
        stop or threading.Event(),
        EntrySummary(),
    )
    patience = Patience(report, stop)
    reader = open_reader(folder.next_offsets())
    gathered: list[Message] = []
    size_bytes = 0

    def keep() -> None:
        nonlocal gathered, size_bytes
        if gathered:
            patience(lambda: folder.append(gathered))
            summary.records += len(gathered)
            summary.size_bytes += size_bytes
            report.published(len(gathered), size_bytes)
            gathered, size_bytes = [], 0

    try:
        while not stop.is_set():
            arrived = patience(lambda: reader.read(READ_RECORDS, READ_TIMEOUT_S))
            gathered += arrived
            size_bytes += sum(len(message.value or b"") for message in arrived)
            if not arrived or size_bytes >= limits.max_bytes or len(gathered) >= limits.max_records:
                keep()
            if not arrived and not follow and patience(reader.at_end):
                break
        keep()
    except Interrupted:
        pass  # asked to stop while something was away: the next run goes on where the folder ends
    finally:
        reader.close()
    return summary
