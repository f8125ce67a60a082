"""What is particular to the file transport: topics that come later, archives, opening folders of many commits."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from stream.errors import ConfigurationError, Fatal
from stream.transports.contract import CommitUnit, Message, Output, TopicPartition
from stream.transports.folder import (
    FolderArchive,
    FolderPublisher,
    FolderReader,
    FolderTransport,
    FolderWriter,
    create_topics,
    list_topics,
)
from stream.transports.folder.commit_log import CommitLog
from stream.transports.opening import open_publisher, open_reader, open_topic_reader, open_transport

L1 = TopicPartition("l1", 0)


def test_topic_that_comes_later_is_read_from_its_first_message(tmp_path: Path) -> None:
    with closing(FolderTransport(tmp_path, ["l1"], "group")) as transport:
        assert transport.assigned()
        assert transport.at_end()
        assert (dict(transport.owned()), dict(transport.lag())) == ({}, {})
        version = transport.assignment_version()
        with closing(FolderWriter(tmp_path)) as writer:
            writer.commit([Output("l1", b"k", b"v")])
        assert [m.value for m in transport.poll(10, 5.0)] == [b"v"]
        assert set(transport.owned()) == {L1}
        assert transport.assignment_version() > version
        assert transport.lag() == {L1: 1}


def test_widened_topic_is_owned_at_the_next_poll(tmp_path: Path) -> None:
    create_topics(tmp_path, {"l1": 1})
    with closing(FolderTransport(tmp_path, ["l1"], "group")) as transport:
        assert create_topics(tmp_path, {"l1": 3, "l2": 2}) == ["l1", "l2"]
        assert create_topics(tmp_path, {"l1": 3}) == []
        transport.poll(1, 0)
        assert set(transport.owned()) == {TopicPartition("l1", number) for number in range(3)}
    assert list_topics(tmp_path) == {"l1": 3, "l2": 2}
    with pytest.raises(ConfigurationError, match="has 3 partitions"):
        create_topics(tmp_path, {"l1": 2})


def test_output_to_a_partition_that_is_not_there_is_refused(tmp_path: Path) -> None:
    create_topics(tmp_path, {"l2": 2})
    with closing(FolderWriter(tmp_path)) as writer:
        with pytest.raises(ConfigurationError, match="expected a partition below 2, received 2"):
            writer.commit([Output("l2", None, b"v", partition=2)])
        with pytest.raises(ConfigurationError, match="topic 'a b'"):
            writer.commit([Output("a b", None, b"v")])


def test_waiting_poll_returns_as_soon_as_a_message_comes(tmp_path: Path) -> None:
    with closing(FolderTransport(tmp_path, ["l1"], "group")) as transport, closing(FolderWriter(tmp_path)) as writer:
        ready = threading.Event()

        def append() -> None:
            ready.wait(10)
            writer.commit([Output("l1", None, b"v")])

        thread = threading.Thread(target=append)
        thread.start()
        begun = time.monotonic()
        ready.set()
        assert len(transport.poll(10, 30.0)) == 1
        assert time.monotonic() - begun < 15
        thread.join()


def test_close_ends_a_waiting_poll(tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path, ["l1"], "group")
    came: list[list[Message]] = []
    thread = threading.Thread(target=lambda: came.append(transport.poll(10, 60.0)))
    thread.start()
    transport.close()
    thread.join(20)
    assert came == [[]]


def test_one_partition_far_behind_the_others_is_read_from_where_it_stands(tmp_path: Path) -> None:
    create_topics(tmp_path, {"l1": 2})
    with closing(FolderWriter(tmp_path)) as writer:
        for i in range(20):
            writer.commit([Output("l1", None, b"%d" % i, partition=i % 2), Output("other", None, b"x")])
        writer.commit(group="group", offsets={TopicPartition("l1", 0): 9, TopicPartition("l1", 1): 2})
    with closing(FolderTransport(tmp_path, ["l1"], "group")) as transport:
        came = transport.poll(100, 1.0)
        assert [int(m.value or b"") for m in came if m.source.partition == 1] == list(range(5, 20, 2))
        assert [int(m.value or b"") for m in came if m.source.partition == 0] == [18]


def test_opening_reads_few_of_many_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(FolderWriter(tmp_path)) as writer:
        for i in range(300):
            writer.commit([Output("l1", None, b"%d" % i)])
        writer.commit(group="group", offsets={L1: 250})
    read: list[int] = []
    original = CommitLog.record
    monkeypatch.setattr(CommitLog, "record", lambda log, sequence: read.append(sequence) or original(log, sequence))
    with closing(FolderTransport(tmp_path, ["l1"], "group")) as transport:
        assert len(read) < 30
        assert transport.poll(1, 1.0)[0].value == b"250"


def test_unit_that_goes_back_is_fatal(tmp_path: Path) -> None:
    with closing(FolderWriter(tmp_path)) as writer:
        writer.commit([Output("l1", None, b"%d" % i) for i in range(3)])
    with closing(FolderTransport(tmp_path, ["l1"], "group")) as transport:
        transport.poll(3, 1.0)
        transport.commit([CommitUnit(L1, 1, 3, ())])
        with pytest.raises(Fatal, match=r"'group' on l1\[0\]: offset 2 would go back behind 3"):
            transport.commit([CommitUnit(L1, 1, 2, ())])


def test_progress_is_kept_by_the_last_value_of_each_key(tmp_path: Path) -> None:
    for round_ in range(3):
        with closing(FolderPublisher(tmp_path, "work", "state")) as publisher:
            publisher.publish([], {f"file {round_}": "new", "shared": str(round_), "ключ": '"'})
    with closing(FolderPublisher(tmp_path, "work", "state")) as publisher:
        assert dict(publisher.progress()) == {
            **{f"file {i}": "new" for i in range(3)}, "shared": "2", "ключ": '"'
        }  # fmt: skip
        with pytest.raises(ConfigurationError, match="holds the progress"):
            publisher.publish([Output("state", None, b"v")], {})


def archived(offset: int, partition: int = 0, value: bytes = b"v") -> Message:
    return Message(TopicPartition("l1", partition), offset, 5, b"k", value, (("h", None),), 1000 + offset)


def test_archive_keeps_coordinates_with_their_gaps(tmp_path: Path) -> None:
    sent = [archived(3), archived(4), archived(7, value=b"\xff"), archived(0, 2), archived(1_000_000_000_000, 2)]
    with closing(FolderArchive(tmp_path, {"l1": "kafka://h:1"}, {"l1": 4})) as archive:
        archive.append(sent[:2])
        archive.append(sent[2:])
        assert archive.next_offsets() == {
            TopicPartition("l1", 0): 8, TopicPartition("l1", 1): 0,
            TopicPartition("l1", 2): 1_000_000_000_001, TopicPartition("l1", 3): 0,
        }  # fmt: skip
        with pytest.raises(Fatal, match="ends before offset 8; a message with offset 7"):
            archive.append([archived(7)])
    with closing(FolderTransport(tmp_path, ["l1"], "group")) as transport:
        came = transport.poll(10, 1.0)
        key = [(m.source, m.offset, m.key, m.value, m.headers, m.timestamp_ms) for m in came]
        assert sorted(key) == sorted((m.source, m.offset, m.key, m.value, m.headers, m.timestamp_ms) for m in sent)
        assert transport.at_end()
        transport.commit([CommitUnit(L1, 1, 8, ()), CommitUnit(TopicPartition("l1", 2), 1, 1_000_000_000_001, ())])
        assert set(transport.lag().values()) == {0}
    with closing(FolderReader(tmp_path, ["l1"], {L1: 5, TopicPartition("l1", 2): 1})) as reader:
        assert sorted(m.offset for m in reader.read(10, 1.0)) == [7, 1_000_000_000_000]


def test_archive_is_of_one_source(tmp_path: Path) -> None:
    FolderArchive(tmp_path, {"l1": "kafka://h:1"}).close()
    with pytest.raises(ConfigurationError, match="keeps topic 'l1' of kafka://h:1"):
        FolderArchive(tmp_path, {"l1": "kafka://h:2"})
    FolderArchive(tmp_path, {"l1": "kafka://h:1", "l2": "kafka://h:1"}).close()
    with closing(FolderWriter(tmp_path)) as writer:
        writer.commit([Output("own", None, b"v")])
    with pytest.raises(ConfigurationError, match="'own' that was not archived"):
        FolderArchive(tmp_path, {"own": "kafka://h:1"})


def test_addresses_open_their_transport(tmp_path: Path) -> None:
    with closing(open_publisher(f"file:{tmp_path}", "work")) as publisher:
        publisher.publish([Output("l1", None, b"v")], {"a": "b"})
    for reader in (open_reader(f"file:{tmp_path}", ["l1"]), open_topic_reader(f"file:{tmp_path}/l1")):
        with closing(reader):
            assert [m.value for m in reader.read(10, 1.0)] == [b"v"]
    with closing(open_transport(f"file:{tmp_path}", ["l1"], "group", instance="unused")) as transport:
        assert len(transport.poll(10, 1.0)) == 1
    with pytest.raises(ConfigurationError, match="has no topic 'l3'; it has: l1, specstream"):
        open_topic_reader(f"file:{tmp_path}/l3")
    with pytest.raises(ConfigurationError, match="expected kafka://"):
        open_reader("nowhere", ["l1"])


def test_commit_file_is_readable_by_a_person(tmp_path: Path) -> None:
    with closing(FolderWriter(tmp_path, clock_ms=lambda: 7)) as writer:
        writer.commit([Output("l1", None, b"v")], group="g", offsets={TopicPartition("in", 2): 5})
    found = json.loads((tmp_path / "commits" / f"{1:012d}" / "commit.json").read_text())
    assert found["committed_ms"] == 7
    assert found["segments"][0]["file"] == "l1-0.avro"
    assert found["state"]["groups"] == {"g": {"in": {"2": 5}}}
