"""Messages as they are: a file is one message, a tar archive is its members; a container may be split into its records.

A file is known by its name below the folder it was found in and the digest of its content, so that equal files under
two names are two messages, and a killed run goes on where it stopped, within an archive or a container too.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stream.entry import Entry, EntryLimits, EntryReport, EntrySummary, Interrupted
from stream.message_files import UNREADABLE, messages_of
from stream.source_files import check_paths, expand
from stream.transports.contract import Output, Publisher

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
DONE = "done"
SPLIT = "?split"


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
    split: bool = False,
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
        split: an Avro container of several records becomes one message per record. What a run without it has published
            whole is not published again, but for the records of such containers; what was begun with it is finished so.
        max_message_bytes: a larger message is refused.
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
        work = _Produce(topic, entry, split, max_message_bytes)
        for root in paths:
            for path in expand([root], None):
                if entry.stop.is_set():
                    break
                work.take(path, path.relative_to(root).as_posix() if path != root else path.name)
        entry.flush()
    return entry.summary


class _Produce:
    def __init__(self, topic: str, entry: Entry, split: bool, max_message_bytes: int) -> None:
        self._topic = topic
        self._entry = entry
        self._split = split
        self._max_message_bytes = max_message_bytes
        self._known = {key: MessageProgress.from_text(value) for key, value in entry.earlier().items()}

    def take(self, path: Path, name: str) -> None:
        """Publish what is not in yet of one file."""
        try:
            with path.open("rb") as file:
                whole_key = f"{name}:sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
            split = self._split or whole_key + SPLIT in self._known
            key = whole_key + SPLIT if split else whole_key
            before = self._known.get(key, MessageProgress(0, done=False))
            if before.done:
                self._entry.skipped(str(path), "it is in the topic")
                return
            entered_whole = self._known.get(whole_key, MessageProgress(0, done=False)) if split else None
            self._entry.started(str(path), path.stat().st_size)
            done = self._take_messages(path, key, before, entered_whole.records if entered_whole is not None else 0)
        except UNREADABLE as error:
            self._entry.refused(str(path), " ".join(str(error).split()) or type(error).__name__)
            return
        if done is None:
            return
        self._note(key, MessageProgress(done.records, done=True))
        self._entry.finished(str(path), done.records)

    def _take_messages(
        self, path: Path, key: str, before: MessageProgress, entered_whole: int
    ) -> MessageProgress | None:
        """Publish the messages of a file beyond those that are in; None when asked to stop before its end.

        ``entered_whole`` is how many files of an archive (or the one file) an earlier run has published undivided.
        """
        done = before
        for number, message in enumerate(messages_of(path, self._max_message_bytes, split=key.endswith(SPLIT))):
            if self._entry.stop.is_set():
                return None
            if number < before.records:
                continue
            if message.refusal is not None:
                self._entry.refused(message.place, message.refusal)
            if message.value is not None and (message.is_part or message.file_number >= entered_whole):
                self._entry.add(Output(self._topic, None, message.value))
            done = MessageProgress(number + 1, done=False)
            self._note(key, done)
            self._entry.flush_if_full()
        return done

    def _note(self, key: str, progress: MessageProgress) -> None:
        self._entry.note(key, progress)
        self._known[key] = progress
