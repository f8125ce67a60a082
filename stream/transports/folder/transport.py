"""The input of a group on a folder, with atomic output: ``stream.transports.contract.Transport``.

One process is the group, so it owns every partition from ``open`` to ``close``, with one ownership epoch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from stream.errors import Fatal
from stream.transports.contract import CommitOutcome, CommitUnit, Message, TopicPartition
from stream.transports.folder.clock import now_ms
from stream.transports.folder.commit_log import CommitLog
from stream.transports.folder.cursor import FolderCursor
from stream.transports.folder.exclusive import claim
from stream.transports.folder.writer import BeforeStep, FolderWriter, pass_by

EPOCH = 1


class FolderTransport:
    """Input topics of a folder as one group reads them; see ``Transport`` for what each method promises.

    Args:
        folder: the folder, created if need be.
        topics: input topics; one that does not exist yet is read once it does.
        group: name of the group, whose offsets lie in the folder.
        before_step: see ``FolderWriter``.
        clock_ms: append time of outputs that bring none, ms since 1970, UTC.

    Raises:
        Fatal: another live process is this group on this folder, or a commit is damaged.
        ConfigurationError: the folder cannot be written or lies on a network file system.
    """

    def __init__(
        self,
        folder: Path,
        topics: Sequence[str],
        group: str,
        *,
        before_step: BeforeStep = pass_by,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._group = group
        self._topics = frozenset(topics)
        with ExitStack() as opened:
            opened.callback(claim(folder, "group", group).release)
            self._writer = FolderWriter(folder, before_step=before_step, clock_ms=clock_ms)
            opened.callback(self._writer.close)
            self._log = CommitLog(folder)
            self._committed = self._log.latest().state.committed(group)
            self._cursor = FolderCursor(self._log, self._topics, self._committed, EPOCH)
            opened.callback(self._cursor.close)
            self._opened = opened.pop_all()
        self._guard = threading.Lock()
        self._owned: dict[TopicPartition, int] = {}
        self._version = 0
        self._assign()

    def poll(self, max_records: int, timeout_s: float) -> list[Message]:
        """Return up to ``max_records`` next messages; empty when none came within ``timeout_s``."""
        messages = self._cursor.take(max_records, timeout_s)
        self._assign()
        return messages

    def commit(self, units: Sequence[CommitUnit]) -> CommitOutcome:
        """Publish the outputs and next offsets of the units in one commit, leaving out units of old epochs."""
        owned = self.owned()
        live = [unit for unit in units if owned.get(unit.source) == unit.epoch]
        dropped = tuple(unit.source for unit in units if owned.get(unit.source) != unit.epoch)
        offsets: dict[TopicPartition, int] = {}
        for unit in live:
            before = offsets.get(unit.source, self._committed.get(unit.source, 0))
            if unit.next_offset < before:
                raise Fatal(
                    f"group {self._group!r} on {unit.source.topic}[{unit.source.partition}]: "
                    f"offset {unit.next_offset} would go back behind {before}"
                )
            offsets[unit.source] = unit.next_offset
        if live:
            self._writer.commit(
                (output for unit in live for output in unit.outputs), group=self._group, offsets=offsets
            )
            self._committed = self._committed | offsets
        return CommitOutcome(tuple(offsets), dropped)

    def owned(self) -> Mapping[TopicPartition, int]:
        """Return every partition of the topics, with the one epoch that there is."""
        with self._guard:
            return dict(self._owned)

    def assigned(self) -> bool:
        """Return True: the group's lock is the assignment."""
        return True

    def at_end(self) -> bool:
        """Return True when every message committed at this moment was polled."""
        return self._cursor.at_end()

    def assignment_version(self) -> int:
        """Return a number that grows when a topic gets partitions."""
        with self._guard:
            return self._version

    def lag(self) -> Mapping[TopicPartition, int]:
        """Return how far each partition's end lies beyond the group's committed offset."""
        state = self._log.latest().state
        committed = self._committed
        return {source: state.next_offset(source) - committed.get(source, 0) for source in self.owned()}

    def close(self) -> None:
        """Let another process be the group."""
        self._opened.close()

    def _assign(self) -> None:
        partitions = self._log.latest().state.partitions(self._topics)
        with self._guard:
            if partitions.keys() != self._owned.keys():
                self._owned = dict.fromkeys(partitions, EPOCH)
                self._version += 1
