"""What the ways into the stream share: transactions of bounded size, patience, and what they report.

``ingest``, ``produce``, ``redrive`` and ``archive`` print nothing; they tell an ``EntryReport``. Each record enters
once: it is published in one transaction with the progress that says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from stream.errors import Retryable
from stream.transports.contract import Output, Publisher

Result = TypeVar("Result")
RETRY_S = 1.0


class EntryReport(Protocol):
    """Hears what happens; a source is a file, an archive or a topic."""

    def started(self, source: str, size_bytes: int) -> None:
        """Begin a source of that size."""
        ...

    def published(self, records: int, size_bytes: int) -> None:
        """Count records that are published now, in one transaction."""
        ...

    def finished(self, source: str, records: int) -> None:
        """End a source that gave so many records, those of earlier runs included."""
        ...

    def skipped(self, source: str, why: str) -> None:
        """Pass over a source, for example because all of it was published before."""
        ...

    def refused(self, source: str, why: str) -> None:
        """Give up a source, or a record in it, that cannot be read; one line."""
        ...

    def waiting(self, why: str) -> None:
        """Wait for what is away: the broker, room on the disk."""
        ...


class Progress(Protocol):
    """What is noted under a progress key; it becomes text only when it is published."""

    def to_text(self) -> str:
        """Return the value of the progress key."""
        ...


class Silence:
    """An ``EntryReport`` that nobody hears."""

    def started(self, source: str, size_bytes: int) -> None:
        """Say nothing."""

    def published(self, records: int, size_bytes: int) -> None:
        """Say nothing."""

    def finished(self, source: str, records: int) -> None:
        """Say nothing."""

    def skipped(self, source: str, why: str) -> None:
        """Say nothing."""

    def refused(self, source: str, why: str) -> None:
        """Say nothing."""

    def waiting(self, why: str) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class EntryLimits:
    """When a transaction is closed: as soon as it holds this many bytes of values [byte] or records [1]."""

    max_bytes: int = 32 * 1024 * 1024
    max_records: int = 4096


@dataclass(slots=True)
class EntrySummary:
    """What one call did: records published by it, and sources by outcome."""

    records: int = 0
    size_bytes: int = 0
    finished: int = 0
    skipped: int = 0
    refused: int = 0


class Interrupted(Exception):
    """Somebody asked to stop while a call was being tried again; nothing is half done."""


class Patience:
    """Does a call again for as long as it says that it may succeed later.

    Args:
        report: told why it waits.
        stop: when set, waiting ends with ``Interrupted``.
        wait_s: time between two tries, s; None: ``RETRY_S``.
    """

    def __init__(self, report: EntryReport, stop: threading.Event, wait_s: float | None = None) -> None:
        self._report = report
        self.stop = stop
        self._wait_s = RETRY_S if wait_s is None else wait_s

    def __call__(self, call: Callable[[], Result]) -> Result:
        """Return what ``call`` returns.

        Raises:
            Interrupted: asked to stop before it did.
        """
        while True:
            try:
                return call()
            except Retryable as error:
                self._report.waiting(str(error))
                if self.stop.wait(self._wait_s):
                    raise Interrupted(str(error)) from error


class Entry:
    """One call of a way into the stream.

    It gathers records with the progress they stand for, publishes them in transactions of bounded size, and counts and
    reports what becomes of each source.

    Args:
        publisher: publishes; its progress is what earlier calls did.
        limits: size of a transaction; None: the usual one.
        report: hears what happens; None: nobody does.
        stop: set by whoever wants the call to end; None: nobody does.

    Attributes:
        summary: what was done so far.
        stop: set once the call is to end.
        patience: does a call to a broker again while it is away.
    """

    def __init__(
        self,
        publisher: Publisher,
        limits: EntryLimits | None,
        report: EntryReport | None,
        stop: threading.Event | None,
    ) -> None:
        self._publisher = publisher
        self._limits = limits or EntryLimits()
        self._report = report or Silence()
        self.stop = stop or threading.Event()
        self.patience = Patience(self._report, self.stop)
        self.summary = EntrySummary()
        self._outputs: list[Output] = []
        self._progress: dict[str, Progress] = {}
        self._size_bytes = 0

    def earlier(self) -> Mapping[str, str]:
        """Return the progress that earlier calls published, as text by key.

        Raises:
            Interrupted: asked to stop while the broker was away.
        """
        return self.patience(self._publisher.progress)

    def started(self, source: str, size_bytes: int) -> None:
        """Begin a source of that size [byte]."""
        self._report.started(source, size_bytes)

    def add(self, output: Output) -> None:
        """Take a record; its progress is to follow by ``note`` before the next ``flush_if_full``."""
        self._outputs.append(output)
        self._size_bytes += len(output.value or b"") + len(output.key or b"")

    def note(self, key: str, value: Progress) -> None:
        """Take the progress that stands for every record added so far."""
        self._progress[key] = value

    def finished(self, source: str, records: int) -> None:
        """End a source that gave so many records, those of earlier calls included."""
        self.summary.finished += 1
        self._report.finished(source, records)

    def skipped(self, source: str, why: str) -> None:
        """Pass over a source."""
        self.summary.skipped += 1
        self._report.skipped(source, why)

    def refused(self, source: str, why: str) -> None:
        """Give up a source, or a record in it."""
        self.summary.refused += 1
        self._report.refused(source, why)

    def flush_if_full(self) -> None:
        """Publish what was gathered once it is a transaction's size; raises as ``flush`` does."""
        if self._size_bytes >= self._limits.max_bytes or len(self._outputs) >= self._limits.max_records:
            self.flush()

    def flush(self) -> None:
        """Publish what was gathered.

        Raises:
            Interrupted: asked to stop while the broker was away; nothing of it is published.
        """
        if not self._outputs and not self._progress:
            return
        progress = {key: value.to_text() for key, value in self._progress.items()}
        self.patience(lambda: self._publisher.publish(self._outputs, progress))
        records, size_bytes = len(self._outputs), self._size_bytes
        self._outputs, self._progress, self._size_bytes = [], {}, 0
        self.summary.records += records
        self.summary.size_bytes += size_bytes
        self._report.published(records, size_bytes)
