"""The one way into a folder: stage, then publish by one rename.

Staging (segments written and fsynced under a temporary name) takes as long as the bytes take and disturbs nobody. Then,
holding the writer lock for milliseconds, base offsets are assigned, ``commit.json`` is written and fsynced, and the
rename to ``commits/<sequence>`` publishes all of it. Whatever ends the process before the rename leaves nothing; after
it, everything.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from stream.errors import ConfigurationError, Fatal, Retryable
from stream.transports.contract import Message, Output, TopicPartition
from stream.transports.folder.clock import now_ms
from stream.transports.folder.commit_log import CommitLog
from stream.transports.folder.commit_record import CommitRecord, FolderState, SegmentEntry, advance
from stream.transports.folder.layout import (
    COMMIT_FILE,
    COMMITS,
    DISK_FULL,
    LOCKS,
    MAX_TOPIC_LENGTH,
    commit_folder,
    prepare,
    segment_name,
)
from stream.transports.folder.locks import publishing_lock
from stream.transports.folder.partitioner import partition_of
from stream.transports.folder.segment_writing import StoredMessage, WrittenSegment, write_segment
from stream.transports.folder.workspace import Workspace, remove_abandoned
from stream.transports.url import check_topic_name

BeforeStep: TypeAlias = Callable[[str], None]


def pass_by(step: str) -> None:
    """Do nothing before a step of a commit."""


@dataclass(frozen=True, slots=True)
class _Staged:
    """A segment that is on disk but not published. ``first_offset`` None: it goes to the end of its partition."""

    source: TopicPartition
    first_offset: int | None
    last_relative: int
    records: int
    written: WrittenSegment


class FolderWriter:
    """Publishes commits into a folder; used by one thread at a time, beside any number of other writers.

    Args:
        folder: the folder, created if need be.
        before_step: called with the name of each step of a commit before it is done.
        clock_ms: append time of messages that bring none, ms since 1970, UTC.

    Raises:
        ConfigurationError: the folder cannot be written or lies on a network file system.
    """

    def __init__(
        self,
        folder: Path,
        *,
        before_step: BeforeStep = pass_by,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        prepare(folder)
        self.folder = folder
        self.log = CommitLog(folder)
        self._before_step = before_step
        self._clock_ms = clock_ms
        self._keyless = 0
        with self._publishing():
            remove_abandoned(folder)
            self._workspace = Workspace(folder)

    def commit(
        self,
        outputs: Iterable[Output] = (),
        *,
        group: str | None = None,
        offsets: Mapping[TopicPartition, int] | None = None,
        topics: Mapping[str, int] | None = None,
    ) -> CommitRecord:
        """Publish outputs, a group's next offsets and new topics together.

        Args:
            outputs: messages to append; an unknown topic is made with one partition.
            group: whose ``offsets`` are committed.
            offsets: next offset per input partition.
            topics: topics to make, or to widen, with their number of partitions.

        Raises:
            Retryable: the disk is full; nothing was published.
            Fatal: an offset goes back, or the disk failed.
            ConfigurationError: an output names a partition that its topic does not have.
        """
        wanted = dict(topics or {})
        by_source = self._distribute(outputs, wanted, self.log.latest().state)
        placed = {source: (None, messages) for source, messages in by_source.items()}
        return self._publish(placed, wanted, group, offsets or {})

    def append(self, messages: Sequence[Message]) -> CommitRecord:
        """Publish messages under the coordinates that they have: topic, partition, offset and timestamp.

        Raises:
            Retryable: the disk is full; nothing was published.
            Fatal: an offset lies before the end of its partition, or the disk failed.
        """
        by_source: dict[TopicPartition, list[Message]] = defaultdict(list)
        wanted: dict[str, int] = {}
        for each in messages:
            by_source[each.source].append(each)
            wanted[each.source.topic] = max(wanted.get(each.source.topic, 1), each.source.partition + 1)
        placed = {
            source: (
                some[0].offset,
                [StoredMessage(m.offset - some[0].offset, m.key, m.value, m.headers, m.timestamp_ms) for m in some],
            )
            for source, some in by_source.items()
        }
        return self._publish(placed, wanted, None, {})

    def close(self) -> None:
        """Remove what was not published."""
        self._workspace.close()

    def _distribute(
        self, outputs: Iterable[Output], wanted: dict[str, int], state: FolderState
    ) -> dict[TopicPartition, list[StoredMessage]]:
        by_source: dict[TopicPartition, list[StoredMessage]] = {}
        known: dict[tuple[str, int], list[StoredMessage]] = {}
        now = self._clock_ms()
        counts: dict[str, int] = {}
        for each in outputs:
            count = counts.get(each.topic)
            if count is None:
                count = counts[each.topic] = max(len(state.topics.get(each.topic, ())), wanted.get(each.topic, 0), 1)
                wanted.setdefault(each.topic, 1)
            partition = self._partition(each, count)
            messages = known.get((each.topic, partition))
            if messages is None:
                messages = known[each.topic, partition] = by_source[TopicPartition(each.topic, partition)] = []
            timestamp_ms = now if each.timestamp_ms is None else each.timestamp_ms
            messages.append(StoredMessage(len(messages), each.key, each.value, each.headers, timestamp_ms))
        return by_source

    def _partition(self, output: Output, count: int) -> int:
        if output.partition is not None:
            if not 0 <= output.partition < count:
                raise ConfigurationError(
                    f"topic {output.topic!r} in {self.folder}: expected a partition below {count}, "
                    f"received {output.partition}"
                )
            return output.partition
        if output.key is not None:
            return partition_of(output.key, count)
        self._keyless += 1
        return self._keyless % count

    def _publish(
        self,
        placed: Mapping[TopicPartition, tuple[int | None, list[StoredMessage]]],
        topics: Mapping[str, int],
        group: str | None,
        offsets: Mapping[TopicPartition, int],
    ) -> CommitRecord:
        for topic in topics:
            if len(check_topic_name(topic)) > MAX_TOPIC_LENGTH:
                raise ConfigurationError(f"topic {topic!r}: a folder allows {MAX_TOPIC_LENGTH} characters")
        with self._disk():
            self._before_step("make the directory")
            directory = self._workspace.next_directory()
            try:
                staged = [self._stage(directory, source, *content) for source, content in placed.items()]
                self._before_step("wait for the writer lock")
                with self._publishing():
                    record = self._record(staged, topics, group, offsets)
                    self._before_step("write commit.json")
                    with (directory / COMMIT_FILE).open("xb") as file:
                        file.write(record.to_json())
                        file.flush()
                        self._before_step("fsync commit.json")
                        os.fsync(file.fileno())
                    self._before_step("fsync the directory")
                    _fsync_directory(directory)
                    self._before_step("rename")
                    directory.rename(commit_folder(self.folder, record.sequence))
                    self._before_step("fsync the commits")
                    self._settle()
            except BaseException:
                shutil.rmtree(directory, ignore_errors=True)
                raise
        self._before_step("go on")
        return record

    def _settle(self) -> None:
        try:
            _fsync_directory(self.folder / COMMITS)
        except OSError as error:
            raise Fatal(f"folder {self.folder}: a commit is published, but may not survive a crash: {error}") from error

    def _stage(
        self, directory: Path, source: TopicPartition, first_offset: int | None, messages: list[StoredMessage]
    ) -> _Staged:
        self._before_step("write a segment")
        written = write_segment(directory / segment_name(source.topic, source.partition), messages)
        return _Staged(source, first_offset, messages[-1].offset, len(messages), written)

    def _record(
        self,
        staged: Sequence[_Staged],
        topics: Mapping[str, int],
        group: str | None,
        offsets: Mapping[TopicPartition, int],
    ) -> CommitRecord:
        before = self.log.latest()
        sequence = before.sequence + 1
        segments = []
        for each in staged:
            end = before.state.next_offset(each.source)
            base = end if each.first_offset is None else each.first_offset
            if base < end:
                raise Fatal(
                    f"{self.folder}: {each.source.topic}[{each.source.partition}] ends before offset {end}; "
                    f"a message with offset {base} cannot be added"
                )
            states = before.state.topics.get(each.source.topic, [])
            segments.append(
                SegmentEntry(
                    file=segment_name(each.source.topic, each.source.partition),
                    topic=each.source.topic,
                    partition=each.source.partition,
                    base_offset=base,
                    next_offset=base + each.last_relative + 1,
                    records=each.records,
                    size_bytes=each.written.size_bytes,
                    block_crc32=each.written.block_crc32,
                    previous=states[each.source.partition].last_sequence if each.source.partition < len(states) else 0,
                )
            )
        state = advance(before.state, sequence, segments, topics, group, offsets)
        return CommitRecord(sequence=sequence, committed_ms=self._clock_ms(), segments=segments, state=state)

    @contextmanager
    def _publishing(self) -> Iterator[None]:
        with publishing_lock(self.folder / LOCKS / "writer.lock"):
            yield

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in DISK_FULL:
                raise Retryable(f"folder {self.folder}: {error.strerror}; nothing was published") from error
            raise Fatal(f"folder {self.folder}: {error}") from error


def _fsync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
