"""Committed messages of a folder, outside any group: ``stream.transports.contract.Reader``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stream.errors import ConfigurationError
from stream.transports.contract import Message, TopicPartition
from stream.transports.folder.commit_log import CommitLog
from stream.transports.folder.cursor import FolderCursor


class FolderReader:
    """Reads topics of a folder; writes nothing, so that a folder may be read from wherever it can be seen.

    Args:
        folder: an existing folder.
        topics: topics to read; one that does not exist yet is read once it does.
        start: first offset wanted of a partition; 0 where none is given.

    Raises:
        ConfigurationError: there is no such folder.
        Fatal: a commit is damaged.
    """

    def __init__(self, folder: Path, topics: Sequence[str], start: Mapping[TopicPartition, int] | None = None) -> None:
        if not folder.is_dir():
            raise ConfigurationError(f"folder {folder} does not exist")
        self._cursor = FolderCursor(CommitLog(folder), topics, start or {}, epoch=0)

    def read(self, max_records: int, timeout_s: float) -> list[Message]:
        """Return up to ``max_records`` next messages; empty when none came within ``timeout_s``."""
        return self._cursor.take(max_records, timeout_s)

    def at_end(self) -> bool:
        """Return True when every message committed at this moment was read."""
        return self._cursor.at_end()

    def close(self) -> None:
        """Close the open segment."""
        self._cursor.close()
