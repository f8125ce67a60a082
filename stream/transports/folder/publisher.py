"""Outputs published together with the progress of whoever makes them: ``stream.transports.contract.Publisher``.

Progress lies in the state topic, one message for each key that changed: key is the JSON array [identity, key], value
the new value. Its last value counts. Opening walks that topic backwards, without reading the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from stream.errors import ConfigurationError
from stream.transports.contract import Message, Output, TopicPartition
from stream.transports.folder.clock import now_ms
from stream.transports.folder.commit_log import CommitLog
from stream.transports.folder.exclusive import claim
from stream.transports.folder.layout import commit_folder
from stream.transports.folder.segment_reading import read_segment
from stream.transports.folder.writer import BeforeStep, FolderWriter, pass_by


class FolderPublisher:
    """Publishes into a folder for one identity; see ``Publisher`` for what each method promises.

    Args:
        folder: the folder, created if need be.
        identity: name of the work.
        state_topic: topic that holds the progress.
        before_step: see ``FolderWriter``.
        clock_ms: append time of outputs that bring none, ms since 1970, UTC.

    Raises:
        Fatal: another live process is this identity, or the state is damaged.
        ConfigurationError: the folder cannot be written or lies on a network file system.
    """

    def __init__(
        self,
        folder: Path,
        identity: str,
        state_topic: str,
        *,
        before_step: BeforeStep = pass_by,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._identity = identity
        self._state_topic = state_topic
        with ExitStack() as opened:
            opened.callback(claim(folder, "identity", identity).release)
            self._writer = FolderWriter(folder, before_step=before_step, clock_ms=clock_ms)
            opened.callback(self._writer.close)
            self._progress = read_progress(CommitLog(folder), identity, state_topic)
            self._opened = opened.pop_all()

    def progress(self) -> Mapping[str, str]:
        """Return the last committed progress."""
        return dict(self._progress)

    def publish(self, outputs: Sequence[Output], progress: Mapping[str, str]) -> None:
        """Publish the outputs and update these progress keys in one commit."""
        if any(output.topic == self._state_topic for output in outputs):
            raise ConfigurationError(f"topic {self._state_topic!r} holds the progress and takes nothing else")
        state = [
            Output(self._state_topic, progress_key(self._identity, key), value.encode())
            for key, value in progress.items()
        ]
        if outputs or state:
            self._writer.commit([*outputs, *state])
            self._progress.update(progress)

    def close(self) -> None:
        """Let another process be the identity."""
        self._opened.close()


def progress_key(identity: str, key: str) -> bytes:
    """Return the message key that holds one progress key of one identity."""
    return json.dumps([identity, key], ensure_ascii=False, separators=(",", ":")).encode()


def read_progress(log: CommitLog, identity: str, state_topic: str) -> dict[str, str]:
    """Return the last value of each progress key of an identity, in the order in which the keys came.

    Raises:
        Fatal: a commit is damaged.
    """
    found: dict[str, str] = {}
    for message in _newest_first(log, state_topic):
        name, key = json.loads(message.key or b"[null,null]")
        if name == identity and key not in found:
            found[key] = (message.value or b"").decode()
    return dict(reversed(found.items()))


def _newest_first(log: CommitLog, topic: str) -> Iterator[Message]:
    for number, partition in enumerate(log.latest().state.topics.get(topic, ())):
        source = TopicPartition(topic, number)
        sequence = partition.last_sequence
        while sequence:
            (entry,) = (each for each in log.record(sequence).segments if each.source == source)
            path = commit_folder(log.folder, sequence) / entry.file
            yield from reversed([message for block in read_segment(path, entry, 0, 0) for message in block])
            sequence = entry.previous
