"""Whatever writers and readers do, and in whatever order: nothing is lost, doubled or reordered."""

from __future__ import annotations

import tempfile
import threading
from collections import defaultdict
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stream.transports.contract import CommitUnit, Message, Output, TopicPartition
from stream.transports.folder import FolderReader, FolderTransport, FolderWriter, create_topics, list_topics
from stream.transports.folder.commit_log import CommitLog

TOPICS = ("a", "b")


class FolderMachine(RuleBasedStateMachine):
    """Two writers, a group that is closed and opened again, and a reader, compared with plain lists."""

    @initialize(partitions=st.integers(1, 3))
    def begin(self, partitions: int) -> None:
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        create_topics(self.folder, {"a": partitions})
        self.writers = [self.stack.enter_context(closing(FolderWriter(self.folder))) for _ in range(2)]
        self.appended: dict[TopicPartition, list[bytes]] = defaultdict(list)
        self.committed: list[bytes] = []
        self.polled: list[Message] = []
        self.seen: dict[TopicPartition, list[bytes | None]] = defaultdict(list)
        self.count = 0
        self.transport = FolderTransport(self.folder, TOPICS, "group")
        self.reader = FolderReader(self.folder, [*TOPICS, "out"])

    @rule(writer=st.integers(0, 1), topics=st.lists(st.sampled_from(TOPICS), min_size=1, max_size=6), data=st.data())
    def append(self, writer: int, topics: list[str], data: st.DataObject) -> None:
        there = list_topics(self.folder)
        # Drawn before anything changes: an example may end within a draw, and is torn down as it is then.
        partitions = [data.draw(st.integers(0, there.get(topic, 1) - 1)) for topic in topics]
        outputs = []
        for topic, partition in zip(topics, partitions, strict=True):
            value = b"%d" % self.count
            self.count += 1
            outputs.append(Output(topic, None, value, partition=partition))
            self.appended[TopicPartition(topic, partition)].append(value)
        self.writers[writer].commit(outputs)

    @rule(max_records=st.integers(1, 7))
    def poll(self, max_records: int) -> None:
        came = self.transport.poll(max_records, 0)
        assert len(came) <= max_records
        self.polled += came

    @rule(share=st.floats(0, 1))
    def commit(self, share: float) -> None:
        taken = self.polled[: round(share * len(self.polled))]
        self.polled = self.polled[len(taken) :]
        by_source: dict[TopicPartition, list[Message]] = defaultdict(list)
        for message in taken:
            by_source[message.source].append(message)
        units = [
            CommitUnit(source, some[-1].epoch, some[-1].offset + 1, tuple(Output("out", None, m.value) for m in some))
            for source, some in by_source.items()
        ]
        outcome = self.transport.commit(units)
        assert set(outcome.committed) == set(by_source)
        self.committed += [m.value or b"" for some in by_source.values() for m in some]

    @rule()
    def reopen(self) -> None:
        self.transport.close()
        self.polled = []
        self.transport = FolderTransport(self.folder, TOPICS, "group")

    @rule(max_records=st.integers(1, 9))
    def read(self, max_records: int) -> None:
        for message in self.reader.read(max_records, 0):
            assert message.offset == len(self.seen[message.source])
            self.seen[message.source].append(message.value)

    @invariant()
    def reader_has_seen_a_beginning(self) -> None:
        for source, values in getattr(self, "seen", {}).items():
            whole = self.committed if source.topic == "out" else self.appended[source]
            assert values == whole[: len(values)]

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        with self.stack:
            while not self.transport.at_end():
                self.poll(5)
            self.commit(1.0)
            assert set(self.transport.lag().values()) <= {0}
            while not self.reader.at_end():
                self.read(9)
            expected = sorted(value for values in self.appended.values() for value in values)
            assert sorted(self.committed) == expected
            assert self.seen.get(TopicPartition("out", 0), []) == self.committed
            self.transport.close()
            self.reader.close()


TestFolderMachine = pytest.mark.slow(FolderMachine.TestCase)
TestFolderMachine.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_writers_in_many_threads_share_one_sequence(tmp_path: Path) -> None:
    create_topics(tmp_path, {"t": 2})
    failures: list[BaseException] = []

    def write(name: int) -> None:
        try:
            with closing(FolderWriter(tmp_path)) as writer:
                for i in range(15):
                    writer.commit([Output("t", None, b"%d %d" % (name, i), partition=p) for p in range(2)])
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            failures.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    came: list[Message] = []
    with closing(FolderReader(tmp_path, ["t"])) as reader:
        while any(thread.is_alive() for thread in threads) or not reader.at_end():
            some = reader.read(3, 0.01)
            came += some
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(came) == 4 * 15 * 2
    for partition in range(2):
        mine = [m for m in came if m.source.partition == partition]
        assert [m.offset for m in mine] == list(range(60))
        for name in range(4):
            numbers = [int((m.value or b"").split()[1]) for m in mine if (m.value or b"").startswith(b"%d " % name)]
            assert numbers == list(range(15))


def test_a_commit_that_comes_between_two_looks_is_no_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look finds nothing, and at the second there are several: all of them are read."""
    create_topics(tmp_path, {"t": 1})
    exists, looks = CommitLog.exists, iter([False])
    with closing(FolderWriter(tmp_path)) as writer, closing(FolderReader(tmp_path, ["t"])) as reader:
        assert reader.read(10, 0.0) == []
        for value in (b"1", b"2", b"3"):
            writer.commit([Output("t", None, value, partition=0)])
        monkeypatch.setattr(CommitLog, "exists", lambda self, number: next(looks, True) and exists(self, number))
        assert [message.value for message in reader.read(10, 0.0)] == [b"1", b"2", b"3"]
