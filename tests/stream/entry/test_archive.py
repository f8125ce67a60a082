from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stream.archive import archive
from stream.entry import EntryLimits
from stream.errors import ConfigurationError, Retryable
from stream.transports.contract import CommitUnit, Message, Output, Reader, TopicPartition
from stream.transports.folder import (
    FolderArchive,
    FolderReader,
    FolderTransport,
    FolderWriter,
    create_topics,
    list_topics,
)

TOPICS = ("l1", "l2")


def fill(folder: Path, start: int, count: int) -> None:
    create_topics(folder, {"l1": 3, "l2": 1})
    with closing(FolderWriter(folder)) as writer:
        for i in range(start, start + count):
            key, headers = b"k%d" % i, (("h", b"%d" % i), ("n", None))
            writer.commit([Output(topic, key, b"%d" % i, headers, timestamp_ms=100 + i) for topic in TOPICS])


def read_all(folder: Path) -> list[Message]:
    out: list[Message] = []
    with closing(FolderReader(folder, TOPICS)) as reader:
        while not reader.at_end():
            out += reader.read(1000, 1.0)
    return sorted(out, key=lambda message: (message.source, message.offset))


def run(source: Path, target: Path, **options: Any) -> Any:
    addresses = dict.fromkeys(TOPICS, f"file:{source}")
    with closing(FolderArchive(target, addresses, list_topics(source))) as kept:
        return archive(lambda start: FolderReader(source, TOPICS, start), kept, **options)


def test_archive_has_the_messages_and_their_coordinates(tmp_path: Path) -> None:
    fill(tmp_path / "a", 0, 20)
    assert run(tmp_path / "a", tmp_path / "b").records == 40
    assert read_all(tmp_path / "b") == read_all(tmp_path / "a")
    fill(tmp_path / "a", 20, 5)
    assert run(tmp_path / "a", tmp_path / "b", limits=EntryLimits(max_records=3)).records == 10
    assert run(tmp_path / "a", tmp_path / "b").records == 0
    assert read_all(tmp_path / "b") == read_all(tmp_path / "a")
    assert {topic: list_topics(tmp_path / "b")[topic] for topic in TOPICS} == {"l1": 3, "l2": 1}


def test_replay_from_the_archive_has_the_same_coordinates(tmp_path: Path) -> None:
    fill(tmp_path / "a", 0, 12)
    run(tmp_path / "a", tmp_path / "b")
    seen = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        with closing(FolderTransport(folder, ["l1"], "group")) as transport:
            came: list[Message] = []
            while not transport.at_end():
                some = transport.poll(5, 1.0)
                transport.commit([CommitUnit(m.source, m.epoch, m.offset + 1, ()) for m in some])
                came += some
        seen.append(sorted(came, key=lambda message: (message.source, message.offset)))
    assert seen[0] == seen[1]


class Gapped:
    """A reader of a topic whose offsets have gaps, as those of transactions have; it is away now and then."""

    def __init__(self, messages: Sequence[Message], start: Mapping[TopicPartition, int]) -> None:
        self.left = [message for message in messages if message.offset >= start.get(message.source, 0)]
        self.calls = 0

    def read(self, max_records: int, timeout_s: float) -> list[Message]:
        del timeout_s
        self.calls += 1
        if self.calls % 3 == 2:
            raise Retryable("broker away")
        some, self.left = self.left[: min(4, max_records)], self.left[4:]
        return some

    def at_end(self) -> bool:
        return not self.left

    def close(self) -> None:
        self.left = []


def test_gaps_and_a_broker_that_goes_away_change_nothing(
    tmp_path: Path, heard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.entry.RETRY_S", 0.001)
    sent = [
        Message(TopicPartition("l1", i % 2), 7 * i, 0, None, b"%d" % i, (), i) for i in range(30)
    ]  # fmt: skip
    stop = threading.Event()
    heard.on_published = lambda records: stop.set() if records > 8 else None
    for report, ended in ((heard, stop), (heard, threading.Event())):
        with closing(FolderArchive(tmp_path, {"l1": "kafka://h:1"})) as kept:
            readers: list[Reader] = []
            archive(
                lambda start, opened=readers: opened.append(Gapped(sent, start)) or opened[-1],  # type: ignore[func-returns-value,misc]
                kept, limits=EntryLimits(max_records=6), report=report, stop=ended,
            )  # fmt: skip
        report.on_published = lambda _: None
    assert read_all(tmp_path) == sorted(sent, key=lambda message: (message.source, message.offset))
    assert heard.of("waiting")


def test_archive_that_follows_goes_on_until_it_is_stopped(tmp_path: Path, heard: Any) -> None:
    fill(tmp_path / "a", 0, 2)
    stop, first, second = threading.Event(), threading.Event(), threading.Event()

    def heard_of(records: int) -> None:
        if records >= 4:
            first.set()
        if records >= 10:
            second.set()

    heard.on_published = heard_of
    thread = threading.Thread(target=lambda: run(tmp_path / "a", tmp_path / "b", follow=True, report=heard, stop=stop))
    thread.start()
    assert first.wait(30)
    fill(tmp_path / "a", 2, 3)
    assert second.wait(30)
    stop.set()
    thread.join(30)
    assert read_all(tmp_path / "b") == read_all(tmp_path / "a")


def test_folder_is_not_archived_into_itself(tmp_path: Path) -> None:
    fill(tmp_path, 0, 1)
    with pytest.raises(ConfigurationError, match="was not archived"):
        run(tmp_path, tmp_path)
