"""A folder that keeps topics of another broker as they are: topic, partition, offset, timestamp, key, headers, value.

Where the archive stands is where its partitions end, so messages and progress are one commit by themselves. What the
topics came from is recorded with the first of them, because offsets mean nothing without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from stream.errors import ConfigurationError
from stream.transports.contract import Message, Output, TopicPartition
from stream.transports.folder.commit_log import CommitLog
from stream.transports.folder.exclusive import claim
from stream.transports.folder.publisher import progress_key, read_progress
from stream.transports.folder.writer import BeforeStep, FolderWriter, pass_by

SOURCE_TOPIC = "specstream.archive_source"
_IDENTITY = "archive"


class FolderArchive:
    """Writes messages with the coordinates that they have.

    Args:
        folder: the folder, created if need be.
        sources: topic to where it comes from (its broker's address), for each topic to be archived.
        partitions: topics with their number of partitions, where known, so that empty partitions are kept too.
        before_step: see ``FolderWriter``.

    Raises:
        Fatal: another live process archives one of these topics into the folder, or a commit is damaged.
        ConfigurationError: the folder holds a topic of this name that came from elsewhere, or cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        sources: Mapping[str, str],
        partitions: Mapping[str, int] | None = None,
        *,
        before_step: BeforeStep = pass_by,
    ) -> None:
        with ExitStack() as opened:
            for topic in sorted(sources):
                opened.callback(claim(folder, "archive", topic).release)
            self._writer = FolderWriter(folder, before_step=before_step)
            opened.callback(self._writer.close)
            self._log = CommitLog(folder)
            self._topics = frozenset(sources)
            self._check(folder, sources)
            self._declare(sources, partitions or {})
            self._opened = opened.pop_all()

    def next_offsets(self) -> dict[TopicPartition, int]:
        """Return, per partition, the offset from which the archive goes on."""
        state = self._log.latest().state
        return {source: each.next_offset for source, each in state.partitions(self._topics).items()}

    def append(self, messages: Sequence[Message]) -> None:
        """Keep messages, in offset order per partition, in one commit.

        Raises:
            Retryable: the disk is full; nothing was kept.
            Fatal: an offset is there already, or the disk failed.
        """
        if messages:
            self._writer.append(messages)

    def close(self) -> None:
        """Let another process archive these topics."""
        self._opened.close()

    def _check(self, folder: Path, sources: Mapping[str, str]) -> None:
        known = read_progress(self._log, _IDENTITY, SOURCE_TOPIC)
        there = self._log.latest().state.topics
        for topic, source in sources.items():
            if topic in known and known[topic] != source:
                raise ConfigurationError(
                    f"folder {folder} keeps topic {topic!r} of {known[topic]}: "
                    f"expected a folder of its own for {source}"
                )
            if topic not in known and any(state.next_offset for state in there.get(topic, ())):
                raise ConfigurationError(
                    f"folder {folder} has a topic {topic!r} that was not archived: expected a folder of its own"
                )

    def _declare(self, sources: Mapping[str, str], partitions: Mapping[str, int]) -> None:
        known = read_progress(self._log, _IDENTITY, SOURCE_TOPIC)
        there = self._log.latest().state.topics
        topics = {topic: partitions.get(topic, 1) for topic in sources}
        new = [topic for topic in sorted(sources) if topic not in known]
        if new or any(len(there.get(topic, ())) < count for topic, count in topics.items()):
            self._writer.commit(
                [Output(SOURCE_TOPIC, progress_key(_IDENTITY, topic), sources[topic].encode()) for topic in new],
                topics=topics,
            )
