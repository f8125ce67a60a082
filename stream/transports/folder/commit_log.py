"""The numbered commits of a folder as its readers see them: whole commits, in order, each of them final.

A commit that was seen is never read again for its state; the newest one is found by asking for the next number.
"""

from __future__ import annotations

import threading
from pathlib import Path

from stream.errors import Fatal
from stream.transports.contract import TopicPartition
from stream.transports.folder.commit_record import EMPTY, CommitRecord
from stream.transports.folder.layout import COMMIT_FILE, COMMITS, commit_folder


class CommitLog:
    """The commits of one folder; may be asked from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = threading.Lock()
        self._latest: CommitRecord | None = None

    def latest(self) -> CommitRecord:
        """Return the newest commit; an empty one of sequence 0 where there is none.

        Raises:
            Fatal: it is damaged.
        """
        with self._guard:
            if self._latest is None:
                newest = max(self._sequences(), default=0)
                self._latest = self.record(newest) if newest else EMPTY
            newest = self._latest.sequence
            while self.exists(newest + 1):
                newest += 1
            if newest > self._latest.sequence:
                self._latest = self.record(newest)
            return self._latest

    def exists(self, sequence: int) -> bool:
        """Return True once the commit of this number is published."""
        return commit_folder(self.folder, sequence).exists()

    def record(self, sequence: int) -> CommitRecord:
        """Return a published commit.

        Raises:
            Fatal: it is missing or damaged.
        """
        path = commit_folder(self.folder, sequence) / COMMIT_FILE
        try:
            text = path.read_bytes()
        except OSError as error:
            raise Fatal(f"{path}: a commit is missing or cannot be read: {error.strerror}") from error
        record = CommitRecord.from_json(text, path)
        if record.sequence != sequence:
            raise Fatal(f"{path}: damaged: it says that it is commit {record.sequence}")
        return record

    def find(self, source: TopicPartition, offset: int) -> int:
        """Return the sequence of the first commit after which the partition's end lies beyond ``offset``.

        That commit holds the first message at or after ``offset``; where none does, the next commit to come may.
        """
        newest = self.latest()
        if newest.state.next_offset(source) <= offset:
            return newest.sequence + 1
        low, high = 1, newest.sequence
        while low < high:
            middle = (low + high) // 2
            if self.record(middle).state.next_offset(source) > offset:
                high = middle
            else:
                low = middle + 1
        return low

    def _sequences(self) -> list[int]:
        folder = self.folder / COMMITS
        if not folder.is_dir():
            return []
        return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
