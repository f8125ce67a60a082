"""Messages as they are: a file is one message, a tar archive is its members.

A file is known by its name below the folder it was found in and the digest of its content, so that equal files under
two names are two messages, and a killed run goes on where it stopped, within an archive too.
"""

from __future__ import annotations

import hashlib
import tarfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stream.entry import EntryLimits, EntryReport, EntrySummary, Feed, Interrupted, Patience, Silence
from stream.source_files import check_paths, expand
from stream.transports.contract import Output, Publisher

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MAX_MESSAGE_BYTES = 32 * 1024 * 1024
DONE = "done"

_TAR_MAGIC_AT, _TAR_MAGIC = 257, b"ustar"
_UNREADABLE = (OSError, tarfile.TarError, EOFError, zlib.error)


@dataclass(frozen=True, slots=True)
class MessageProgress:
    """How many messages of a file are in the stream; ``done`` when all of them are."""

    records: int
    done: bool

    def to_text(self) -> str:
        """Return the value of a progress key."""
        return f"{self.records} {DONE}" if self.done else str(self.records)

    @classmethod
    def from_text(cls, text: str) -> MessageProgress:
        """Return what a progress key says."""
        records, _, rest = text.partition(" ")
        return cls(int(records), rest == DONE)


def produce(
    paths: Sequence[Path],
    topic: str,
    publisher: Publisher,
    *,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    limits: EntryLimits | None = None,
    report: EntryReport | None = None,
    stop: threading.Event | None = None,
) -> EntrySummary:
    """Publish files and the members of tar archives, each as one message without a key.

    Args:
        paths: files and folders; of a folder every file is taken, sorted by path.
        topic: where the messages go.
        publisher: publishes them; its identity is the work, and one live process may do it.
        max_message_bytes: a larger file or member is refused.
        limits: size of a transaction.
        report: hears what happens.
        stop: set by whoever wants it to end; what was read is published first.

    Raises:
        ConfigurationError: a path is not there, or the broker refuses topic or message.
        Fatal: another process has taken the publisher's identity.
    """
    check_paths(paths)
    report, stop, summary = report or Silence(), stop or threading.Event(), EntrySummary()
    patience = Patience(report, stop)
    try:
        known = {key: MessageProgress.from_text(value) for key, value in patience(publisher.progress).items()}
        feed = Feed(publisher, limits or EntryLimits(), report, patience, summary)
        for root in paths:
            for path in expand([root], None):
                if stop.is_set():
                    break
                name = path.relative_to(root).as_posix() if path != root else path.name
                _take(path, name, topic, feed, known, max_message_bytes, report, stop, summary)
        feed.flush()
    except Interrupted:
        pass  # asked to stop while the broker was away: the next run goes on from the last transaction
    return summary


def _take(
    path: Path,
    name: str,
    topic: str,
    feed: Feed,
    known: dict[str, MessageProgress],
    max_message_bytes: int,
    report: EntryReport,
    stop: threading.Event,
    summary: EntrySummary,
) -> None:
    try:
        with path.open("rb") as file:
            key = f"{name}:sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        before = known.get(key, MessageProgress(0, done=False))
        if before.done:
            summary.skipped += 1
            report.skipped(str(path), "it is in the topic")
            return
        report.started(str(path), path.stat().st_size)
        done = before
        for number, (place, value) in enumerate(_messages(path, max_message_bytes)):
            if stop.is_set():
                return
            if number < before.records:
                continue
            if value is None:
                summary.refused += 1
                report.refused(place, f"larger than {max_message_bytes} bytes")
            else:
                feed.add(Output(topic, None, value))
            done = MessageProgress(number + 1, done=False)
            feed.note(key, done)
            if feed.full():
                feed.flush()
    except _UNREADABLE as error:
        summary.refused += 1
        report.refused(str(path), " ".join(str(error).split()) or type(error).__name__)
        return
    feed.note(key, MessageProgress(done.records, done=True))
    known[key] = MessageProgress(done.records, done=True)
    summary.finished += 1
    report.finished(str(path), done.records)


def _messages(path: Path, max_message_bytes: int) -> Iterator[tuple[str, bytes | None]]:
    """Yield place and bytes of each message of a file, in order; None for bytes that are too many."""
    if not _is_tar(path):
        yield str(path), path.read_bytes() if path.stat().st_size <= max_message_bytes else None
        return
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            if not member.isfile():
                continue
            place = f"{path}:{member.name}"
            content = archive.extractfile(member) if member.size <= max_message_bytes else None
            yield place, content.read() if content is not None else None


def _is_tar(path: Path) -> bool:
    if path.name.lower().endswith(TAR_SUFFIXES):
        return True
    with path.open("rb") as file:
        file.seek(_TAR_MAGIC_AT)
        return file.read(len(_TAR_MAGIC)) == _TAR_MAGIC
