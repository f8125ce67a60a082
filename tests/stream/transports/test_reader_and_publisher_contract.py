"""What every reader and every publisher promises, run against each transport."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

import pytest

from stream.errors import Fatal, Retryable
from stream.transports.contract import Message, Output, Reader

DEADLINE_S = 60.0


def numbered(count: int, start: int = 0) -> list[Output]:
    return [Output("", None, b"%d" % i) for i in range(start, start + count)]


def values(messages: Sequence[Message | Output]) -> list[bytes | None]:
    return [each.value for each in messages]


def read_to_end(reader: Reader) -> list[Message]:
    """Read until the reader says that it is at the end."""
    came: list[Message] = []
    end = time.monotonic() + DEADLINE_S
    while not at_end(reader):
        assert time.monotonic() < end, "the reader did not reach the end in time"
        came += reader.read(100, 0.1)
    return came


def at_end(reader: Reader) -> bool:
    """Ask as callers do, who ask again: a topic that was made this moment may not have leaders yet."""
    try:
        return reader.at_end()
    except Retryable:
        return False


class TestReaderContract:
    def test_reader_reads_everything_from_the_first_offset(self, harness: Any, stack: ExitStack) -> None:
        topic = harness.name("l2")
        harness.create(topic, 2)
        harness.append(topic, 0, numbered(7))
        harness.append(topic, 1, numbered(5))
        for _ in range(2):
            reader = stack.enter_context(closing(harness.open_reader([topic])))
            came: list[Message] = []
            end = time.monotonic() + DEADLINE_S
            while len(came) < 12 and time.monotonic() < end:
                some = reader.read(4, 0.2)
                assert len(some) <= 4
                came += some
            for partition, count in ((0, 7), (1, 5)):
                assert values([m for m in came if m.source.partition == partition]) == values(numbered(count))

    def test_end_is_seen_after_the_last_message_and_again_after_new_ones(self, harness: Any, stack: ExitStack) -> None:
        topic = harness.name("l2")
        harness.create(topic, 1)
        harness.append(topic, 0, numbered(3))
        reader = stack.enter_context(closing(harness.open_reader([topic])))
        assert values(read_to_end(reader)) == [b"0", b"1", b"2"]
        harness.append(topic, 0, numbered(2, start=3))
        assert not reader.at_end()
        assert values(read_to_end(reader)) == [b"3", b"4"]
        assert reader.read(10, 0.05) == []

    def test_empty_topic_is_at_its_end(self, harness: Any, stack: ExitStack) -> None:
        topic = harness.name("l2")
        harness.create(topic, 3)
        reader = stack.enter_context(closing(harness.open_reader([topic])))
        assert read_to_end(reader) == []


class TestPublisherContract:
    def test_outputs_and_progress_are_published_together(self, harness: Any, stack: ExitStack) -> None:
        topic, identity = harness.name("l1"), harness.name("ingest")
        harness.create(topic, 1)
        publisher = harness.open_publisher(identity)
        assert dict(publisher.progress()) == {}
        publisher.publish([Output(topic, b"k", b"a"), Output(topic, b"k", b"b")], {"one.fits": "2"})
        publisher.publish([Output(topic, b"k", b"c")], {"two.fits": "1"})
        publisher.publish([], {"one.fits": "done"})
        assert dict(publisher.progress()) == {"one.fits": "done", "two.fits": "1"}
        publisher.close()
        again = stack.enter_context(closing(harness.open_publisher(identity)))
        assert dict(again.progress()) == {"one.fits": "done", "two.fits": "1"}
        assert values(harness.read_all(topic)) == [b"a", b"b", b"c"]

    def test_messages_without_a_key_are_spread_over_the_partitions(self, harness: Any, stack: ExitStack) -> None:
        """However quickly they are sent: replicas share partitions, not messages."""
        topic = harness.name("alerts")
        harness.create(topic, 4)
        publisher = stack.enter_context(closing(harness.open_publisher(harness.name("produce"))))
        publisher.publish([Output(topic, None, b"%d" % i) for i in range(400)], {"night.tar": "400"})
        counts = Counter(message.source.partition for message in harness.read_all(topic))
        assert counts.total() == 400
        assert min(counts[partition] for partition in range(4)) >= 40

    def test_identities_keep_their_own_progress(self, harness: Any, stack: ExitStack) -> None:
        topic = harness.name("l1")
        harness.create(topic, 1)
        one = stack.enter_context(closing(harness.open_publisher(harness.name("one"))))
        two = stack.enter_context(closing(harness.open_publisher(harness.name("two"))))
        one.publish([Output(topic, None, b"1")], {"file": "one"})
        two.publish([Output(topic, None, b"2")], {"file": "two"})
        assert (dict(one.progress()), dict(two.progress())) == ({"file": "one"}, {"file": "two"})

    def test_two_live_publishers_of_one_identity_end_fatally(self, harness: Any, stack: ExitStack) -> None:
        topic, identity = harness.name("l1"), harness.name("ingest")
        harness.create(topic, 1)
        first = stack.enter_context(closing(harness.open_publisher(identity)))
        first.publish([Output(topic, None, b"1")], {"file": "1"})

        def second_one_works_too() -> None:
            second = stack.enter_context(closing(harness.open_publisher(identity)))
            second.publish([Output(topic, None, b"2")], {"file": "2"})
            first.publish([Output(topic, None, b"3")], {"file": "3"})

        with pytest.raises(Fatal):
            second_one_works_too()
        assert b"3" not in values(harness.read_all(topic))
