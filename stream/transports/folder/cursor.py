"""Messages of some topics in a folder, read in order from given offsets: what ``poll`` and ``read`` share."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Mapping
from itertools import islice

from stream.errors import Fatal
from stream.transports.contract import Message, TopicPartition
from stream.transports.folder.commit_log import CommitLog
from stream.transports.folder.commit_record import CommitRecord
from stream.transports.folder.layout import commit_folder
from stream.transports.folder.segment_reading import read_segment

FIRST_WAIT_S = 0.002
LONGEST_WAIT_S = 0.02


class FolderCursor:
    """A place in a folder, which moves forward; used by one thread, except ``at_end``.

    Args:
        log: the commits.
        topics: topics to read; one that does not exist yet is read once it does.
        positions: next offset of each partition; 0 where none is given.
        epoch: ownership epoch to mark messages with.
    """

    def __init__(
        self, log: CommitLog, topics: Iterable[str], positions: Mapping[TopicPartition, int], epoch: int
    ) -> None:
        self._log = log
        self._topics = frozenset(topics)
        self._epoch = epoch
        self._closed = threading.Event()
        known = log.latest().state.partitions(self._topics)
        self._positions = dict.fromkeys(known, 0) | {
            source: offset for source, offset in positions.items() if source.topic in self._topics
        }
        starts = [log.find(source, offset) for source, offset in self._positions.items() if source in known]
        self._next_sequence = min(starts, default=log.latest().sequence + 1)
        self._open: Generator[Message, None, None] | None = None

    def take(self, max_records: int, timeout_s: float) -> list[Message]:
        """Return up to ``max_records`` next messages; wait for the first of them for ``timeout_s`` at most.

        Raises:
            Fatal: a commit is missing or damaged.
        """
        deadline = time.monotonic() + timeout_s
        wait_s = FIRST_WAIT_S
        while True:
            out = self._take_what_is_there(max_records)
            left = deadline - time.monotonic()
            if out or left <= 0 or self._closed.wait(min(wait_s, left)):
                return out
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def at_end(self) -> bool:
        """Return True when every message committed at this moment was taken."""
        state = self._log.latest().state
        positions = dict(self._positions)
        return all(
            positions.get(source, 0) >= partition.next_offset
            for source, partition in state.partitions(self._topics).items()
        )

    def close(self) -> None:
        """Close the open segment, and let a waiting ``take`` return."""
        self._closed.set()
        if self._open is not None:
            self._open.close()
            self._open = None

    def _take_what_is_there(self, max_records: int) -> list[Message]:
        out: list[Message] = []
        while len(out) < max_records:
            if self._open is None:
                record = self._next_record()
                if record is None:
                    break
                self._open = self._messages(record)
            some = list(islice(self._open, max_records - len(out)))
            if not some:
                self._open = None
            out += some
        for message in out:
            self._positions[message.source] = message.offset + 1
        return out

    def _next_record(self) -> CommitRecord | None:
        if not self._log.exists(self._next_sequence):
            if self._log.latest().sequence < self._next_sequence:
                return None
            if not self._log.exists(self._next_sequence):  # else it came between the two looks, with others behind it
                raise Fatal(f"{commit_folder(self._log.folder, self._next_sequence)}: a commit is missing")
        record = self._log.record(self._next_sequence)
        self._next_sequence += 1
        return record

    def _messages(self, record: CommitRecord) -> Generator[Message, None, None]:
        for entry in record.segments:
            start = self._positions.get(entry.source, 0)
            if entry.topic in self._topics and entry.next_offset > start:
                path = commit_folder(self._log.folder, record.sequence) / entry.file
                for block in read_segment(path, entry, start, self._epoch):
                    yield from block
