"""FITS files to ``l1_spectrum`` records, each spectrum exactly once.

A file is known by the digest of its content (and the row selection), so it enters once whatever it is called and
however often the work is started again. How many of its spectra are published is committed with them, so that a killed
run goes on within a file. A file, or a spectrum in it, that cannot be read is reported in one line; the rest goes on.
Files that are arms of one exposure are read together, as one source.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from schemas.errors import Unencodable
from stream.entry import Entry, EntryLimits, EntryReport, EntrySummary, Interrupted
from stream.fits import FitsError, group_arms, read_fits
from stream.source_files import FITS_SUFFIXES, Completeness, FileProgress, FileStamp, KnownFiles, check_paths, expand
from stream.transports.contract import Output, Publisher

SCHEMA = "l1_spectrum"
WATCH_INTERVAL_S = 2.0


class Encoder(Protocol):
    """The part of a codec that is needed here."""

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        """Return a record of a schema as a message."""
        ...


def ingest(
    paths: Sequence[Path],
    topic: str,
    publisher: Publisher,
    encoder: Encoder,
    *,
    rows: str | None = None,
    watch: bool = False,
    watch_interval_s: float = WATCH_INTERVAL_S,
    hold_s: float = 0.0,
    limits: EntryLimits | None = None,
    report: EntryReport | None = None,
    stop: threading.Event | None = None,
) -> EntrySummary:
    """Publish the spectra of FITS files.

    Args:
        paths: files, and folders of which all FITS files are taken.
        topic: where the records go.
        publisher: publishes them; its identity is the work, and one live process may do it.
        encoder: makes messages of records.
        rows: expression that selects rows of multi-spectrum files.
        watch: go on looking for new files until ``stop`` is set; then only complete files are taken.
        watch_interval_s: time between two looks, s.
        hold_s: how long a complete file waits for files that are arms of the same exposure, s; only with ``watch``.
        limits: size of a transaction.
        report: hears what happens.
        stop: set by whoever wants it to end; what was read is published first.

    Raises:
        ConfigurationError: a path is not there, or the broker refuses topic or message.
        Fatal: another process has taken the publisher's identity.
    """
    check_paths(paths)
    entry = Entry(publisher, limits, report, stop)
    with suppress(Interrupted):  # asked to stop while the broker was away: the next run goes on where this one ended
        work = _Ingest(topic, entry, encoder, rows)
        if watch:
            work.watch(paths, watch_interval_s, hold_s)
        else:
            work.take_all(expand(paths, FITS_SUFFIXES))
    return entry.summary


class _Ingest:
    def __init__(self, topic: str, entry: Entry, encoder: Encoder, rows: str | None) -> None:
        self._topic = topic
        self._entry = entry
        self._stop = entry.stop
        self._encoder = encoder
        self._rows = rows
        self._known = KnownFiles(entry.earlier(), f"?rows={rows}" if rows else "")

    def take_all(self, files: Iterable[Path]) -> None:
        for group in group_arms(list(files)):
            if self._stop.is_set():
                break
            self._take(group)
        self._entry.flush()

    def watch(self, paths: Sequence[Path], interval_s: float, hold_s: float) -> None:
        completeness = Completeness()
        settled: set[FileStamp] = set()
        looks_held: dict[FileStamp, int] = {}
        while not self._stop.is_set():
            complete = {path: completeness.complete(path) for path in expand(paths, FITS_SUFFIXES)}
            new = {path: stamp for path, stamp in complete.items() if stamp is not None and stamp not in settled}
            for group in group_arms(list(new)):
                stamps = [new[path] for path in group]
                looks = looks_held[stamps[0]] = looks_held.get(stamps[0], -1) + 1
                if self._stop.is_set() or (len(group) == 1 and looks * interval_s < hold_s):
                    continue
                settled.update(stamps)
                looks_held.pop(stamps[0])
                self._take(group)
            self._entry.flush()
            self._stop.wait(interval_s)

    def _take(self, group: tuple[Path, ...]) -> None:
        name = " + ".join(str(path) for path in group)
        try:
            files = tuple((stamp, self._known.digest(stamp)) for stamp in map(FileStamp.of, group))
        except OSError as error:
            self._entry.refused(name, f"{error.strerror or error}")
            return
        key = self._known.key(digest for _, digest in files)
        known = self._known.progress(key)
        if known is not None and known.done:
            self._entry.skipped(name, "its content is in the topic")
            return
        self._entry.started(name, sum(stamp.size for stamp, _ in files))
        done = self._take_spectra(
            group, key, FileProgress(files, known.records if known is not None else 0, done=False)
        )
        if done is None or self._stop.is_set():
            return
        if not _unchanged(files):
            self._entry.refused(name, "changed while it was read")
            return
        self._note(key, replace(done, done=True))
        self._entry.finished(name, done.records)

    def _take_spectra(self, group: tuple[Path, ...], key: str, before: FileProgress) -> FileProgress | None:
        """Publish the spectra that are not in yet; return how far that went, or None when the file broke."""
        now = before
        records = enumerate(read_fits(group, self._rows, self._refuse))
        while not self._stop.is_set():
            try:
                number, record = next(records)
            except StopIteration:
                break
            except FitsError as error:
                self._refuse(error)
                return None
            if number < before.records:
                continue
            try:
                value = self._encoder.encode(SCHEMA, record)
            except Unencodable as error:
                self._entry.refused(str(group[0]), f"spectrum {number}: {error}")
            else:
                self._entry.add(Output(self._topic, message_key(record), value))
            now = replace(now, records=number + 1)
            self._note(key, now)
            self._entry.flush_if_full()
        return now

    def _note(self, key: str, progress: FileProgress) -> None:
        self._entry.note(key, progress)
        self._known.note(key, progress)

    def _refuse(self, error: FitsError) -> None:
        self._entry.refused("", str(error))  # the error names the file


def _unchanged(files: Iterable[tuple[FileStamp, str]]) -> bool:
    try:
        return all(FileStamp.of(Path(stamp.path)) == stamp for stamp, _ in files)
    except OSError:
        return False


def message_key(record: Mapping[str, Any]) -> bytes:
    """Return the key of an ``l1_spectrum`` message: the object, where it has one, so that its spectra stay in order."""
    return str(record.get("object_uid") or record.get("object_id") or record["l1_id"]).encode()
