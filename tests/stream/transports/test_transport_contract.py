"""What every input of a group promises, run against each transport.

Nothing here knows which transport it runs on: offsets may have gaps, and an assignment may take a while to come.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Any

from stream.transports.contract import CommitUnit, Message, Output, TopicPartition, Transport

DEADLINE_S = 60.0


def message(value: bytes | None, key: bytes | None = None, **rest: object) -> Output:
    return Output("", key, value, **rest)  # type: ignore[arg-type]


def numbered(count: int, start: int = 0) -> list[Output]:
    return [message(b"%d" % i) for i in range(start, start + count)]


def wait_until(condition: Callable[[], bool], transport: Transport) -> list[Message]:
    """Poll until the condition holds; return what came meanwhile."""
    came: list[Message] = []
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        came += transport.poll(100, 0.1)
    return came


def poll_some(transport: Transport, count: int) -> list[Message]:
    """Poll until at least ``count`` messages came."""
    came: list[Message] = []
    end = time.monotonic() + DEADLINE_S
    while len(came) < count:
        assert time.monotonic() < end, f"{len(came)} of {count} messages came in time"
        came += transport.poll(count - len(came), 0.2)
    return came


def units(messages: Sequence[Message], make: Callable[[Message], Sequence[Output]]) -> list[CommitUnit]:
    """Return one commit unit per partition, with the outputs of its messages."""
    by_source: dict[TopicPartition, list[Message]] = defaultdict(list)
    for each in messages:
        by_source[each.source].append(each)
    return [
        CommitUnit(source, some[-1].epoch, some[-1].offset + 1, tuple(out for each in some for out in make(each)))
        for source, some in by_source.items()
    ]


def values(messages: Sequence[Message]) -> list[bytes | None]:
    return [each.value for each in messages]


class TestTransportContract:
    def test_polled_messages_are_what_was_appended_byte_for_byte(self, harness: Any, stack: ExitStack) -> None:
        topic, sent = (
            harness.name("l1"),
            [
                message(
                    b"\x00\xff Obj\x01", b"key", headers=(("a", b"1"), ("a", None), ("é", b"\xff")), timestamp_ms=1_234
                ),
                message(None, b"tombstone"),
                message(b"", b""),
                message(b"no key", None),
                message(bytes(range(256)) * 300),
            ],
        )
        harness.create(topic, 1)
        harness.append(topic, 0, sent)
        transport = stack.enter_context(closing(harness.open([topic], harness.name("group"))))
        came = poll_some(transport, len(sent))
        assert [(m.key, m.value, m.headers) for m in came] == [(m.key, m.value, m.headers) for m in sent]
        assert came[0].timestamp_ms == 1_234
        assert abs(came[1].timestamp_ms / 1000 - time.time()) < 3600
        assert [m.source for m in came] == [TopicPartition(topic, 0)] * len(sent)
        assert all(m.epoch == transport.owned()[m.source] for m in came)

    def test_order_is_kept_in_every_partition_of_every_topic(self, harness: Any, stack: ExitStack) -> None:
        topics = [harness.name("a"), harness.name("b")]
        for topic in topics:
            harness.create(topic, 3)
            for round_ in range(4):
                for partition in range(3):
                    harness.append(topic, partition, numbered(5, start=5 * round_))
        transport = stack.enter_context(closing(harness.open(topics, harness.name("group"))))
        came = poll_some(transport, 2 * 3 * 20)
        by_source: dict[TopicPartition, list[Message]] = defaultdict(list)
        for each in came:
            by_source[each.source].append(each)
        assert set(by_source) == {TopicPartition(topic, p) for topic in topics for p in range(3)}
        for some in by_source.values():
            assert values(some) == [b"%d" % i for i in range(20)]
            offsets = [m.offset for m in some]
            assert offsets == sorted(set(offsets))

    def test_poll_returns_at_most_what_was_asked_for(self, harness: Any, stack: ExitStack) -> None:
        topic = harness.name("l1")
        harness.create(topic, 1)
        harness.append(topic, 0, numbered(10))
        transport = stack.enter_context(closing(harness.open([topic], harness.name("group"))))
        came: list[Message] = []
        end = time.monotonic() + DEADLINE_S
        while len(came) < 10 and time.monotonic() < end:
            some = transport.poll(3, 0.2)
            assert len(some) <= 3
            came += some
        assert values(came) == [b"%d" % i for i in range(10)]
        assert transport.poll(3, 0.05) == []

    def test_commit_publishes_outputs_and_offsets(self, harness: Any, stack: ExitStack) -> None:
        topic, l2, group = harness.name("l1"), harness.name("l2"), harness.name("group")
        harness.create(topic, 1)
        harness.create(l2, 1)
        harness.append(topic, 0, numbered(6))
        transport = harness.open([topic], group)
        first = poll_some(transport, 4)[:4]
        outcome = transport.commit(units(first, lambda m: [Output(l2, b"k", b"out " + (m.value or b""))]))
        transport.close()
        assert outcome.committed == (TopicPartition(topic, 0),)
        assert outcome.dropped == ()
        assert values(harness.read_all(l2)) == [b"out %d" % i for i in range(4)]
        again = stack.enter_context(closing(harness.open([topic], group)))
        assert values(poll_some(again, 2)) == [b"4", b"5"]

    def test_what_was_not_committed_is_delivered_again(self, harness: Any, stack: ExitStack) -> None:
        topic, group = harness.name("l1"), harness.name("group")
        harness.create(topic, 1)
        harness.append(topic, 0, numbered(5))
        transport = harness.open([topic], group)
        poll_some(transport, 5)
        transport.close()
        again = stack.enter_context(closing(harness.open([topic], group)))
        assert values(poll_some(again, 5)) == [b"%d" % i for i in range(5)]

    def test_groups_do_not_know_each_other(self, harness: Any, stack: ExitStack) -> None:
        topic = harness.name("l1")
        harness.create(topic, 1)
        harness.append(topic, 0, numbered(3))
        one = stack.enter_context(closing(harness.open([topic], harness.name("one"))))
        one.commit(units(poll_some(one, 3), lambda _: []))
        two = stack.enter_context(closing(harness.open([topic], harness.name("two"))))
        assert values(poll_some(two, 3)) == [b"0", b"1", b"2"]

    def test_unit_of_an_old_epoch_is_dropped_and_the_others_go_through(self, harness: Any, stack: ExitStack) -> None:
        topic, l2 = harness.name("l1"), harness.name("l2")
        harness.create(topic, 2)
        harness.create(l2, 1)
        for partition in range(2):
            harness.append(topic, partition, numbered(2))
        transport = stack.enter_context(closing(harness.open([topic], harness.name("group"))))
        polled = units(poll_some(transport, 4), lambda m: [Output(l2, None, b"from %d" % m.source.partition)])
        stale = [
            CommitUnit(u.source, u.epoch - 1, u.next_offset, u.outputs) if u.source.partition == 0 else u
            for u in polled
        ]
        outcome = transport.commit(stale)
        assert outcome.dropped == (TopicPartition(topic, 0),)
        assert outcome.committed == (TopicPartition(topic, 1),)
        assert values(harness.read_all(l2)) == [b"from 1", b"from 1"]

    def test_commit_of_old_epochs_alone_publishes_nothing(self, harness: Any, stack: ExitStack) -> None:
        topic, l2, group = harness.name("l1"), harness.name("l2"), harness.name("group")
        harness.create(topic, 1)
        harness.create(l2, 1)
        harness.append(topic, 0, numbered(2))
        transport = harness.open([topic], group)
        polled = units(poll_some(transport, 2), lambda _: [Output(l2, None, b"never")])
        stale = [CommitUnit(u.source, u.epoch - 1, u.next_offset, u.outputs) for u in polled]
        assert transport.commit(stale).committed == ()
        transport.close()
        assert harness.read_all(l2) == []
        again = stack.enter_context(closing(harness.open([topic], group)))
        assert len(poll_some(again, 2)) == 2

    def test_unit_without_outputs_still_moves_the_offset(self, harness: Any, stack: ExitStack) -> None:
        topic, group = harness.name("l1"), harness.name("group")
        harness.create(topic, 1)
        harness.append(topic, 0, numbered(3))
        transport = harness.open([topic], group)
        transport.commit(units(poll_some(transport, 2)[:2], lambda _: []))
        transport.close()
        again = stack.enter_context(closing(harness.open([topic], group)))
        assert values(poll_some(again, 1)) == [b"2"]

    def test_commits_follow_each_other(self, harness: Any, stack: ExitStack) -> None:
        topic, l2 = harness.name("l1"), harness.name("l2")
        harness.create(topic, 2)
        harness.create(l2, 1)
        transport = stack.enter_context(closing(harness.open([topic], harness.name("group"))))
        for round_ in range(5):
            harness.append(topic, round_ % 2, numbered(3, start=3 * round_))
            came = poll_some(transport, 3)
            transport.commit(units(came, lambda m: [Output(l2, None, m.value)]))
        assert values(harness.read_all(l2)) == [b"%d" % i for i in range(15)]

    def test_end_lag_and_assignment_are_told(self, harness: Any, stack: ExitStack) -> None:
        topic = harness.name("l1")
        harness.create(topic, 2)
        harness.append(topic, 0, numbered(4))
        transport = stack.enter_context(closing(harness.open([topic], harness.name("group"))))
        came = wait_until(transport.assigned, transport)
        assert set(transport.owned()) == {TopicPartition(topic, 0), TopicPartition(topic, 1)}
        came += poll_some(transport, 4 - len(came)) if len(came) < 4 else []
        came += wait_until(transport.at_end, transport)
        assert len(came) == 4
        version = transport.assignment_version()
        assert sum(transport.lag().values()) >= 4
        transport.commit(units(came, lambda _: []))
        wait_until(lambda: set(transport.lag().values()) == {0}, transport)
        assert transport.at_end()
        harness.append(topic, 1, numbered(1))
        came = poll_some(transport, 1)
        assert came[0].source.partition == 1
        wait_until(transport.at_end, transport)
        assert sum(transport.lag().values()) >= 1
        assert transport.assignment_version() == version

    def test_equal_keys_share_a_partition_and_a_named_partition_is_kept(self, harness: Any, stack: ExitStack) -> None:
        topic, l2 = harness.name("l1"), harness.name("l2")
        harness.create(topic, 1)
        harness.create(l2, 4)
        harness.append(topic, 0, numbered(40))
        transport = stack.enter_context(closing(harness.open([topic], harness.name("group"))))

        def out(source: Message) -> list[Output]:
            number = int(source.value or b"")
            return [Output(l2, b"key %d" % (number % 10), b"keyed"), Output(l2, None, b"named", partition=number % 4)]

        transport.commit(units(poll_some(transport, 40), out))
        came = harness.read_all(l2)
        homes = defaultdict(set)
        for each in came:
            homes[each.key].add(each.source.partition)
        assert all(len(home) == 1 for key, home in homes.items() if key is not None)
        assert len(set().union(*(home for key, home in homes.items() if key is not None))) > 1
        named = [each.source.partition for each in came if each.value == b"named"]
        assert sorted(named) == sorted(i % 4 for i in range(40))

    def test_timestamp_and_headers_of_outputs_are_kept(self, harness: Any, stack: ExitStack) -> None:
        topic, l2 = harness.name("l1"), harness.name("l2")
        harness.create(topic, 1)
        harness.create(l2, 1)
        harness.append(topic, 0, numbered(1))
        transport = stack.enter_context(closing(harness.open([topic], harness.name("group"))))
        headers = (("l1_append_ms", b"7"), ("empty", b""), ("null", None))
        transport.commit(
            units(poll_some(transport, 1), lambda _: [Output(l2, b"k", b"v", headers=headers, timestamp_ms=99_000)])
        )
        (came,) = harness.read_all(l2)
        assert (came.headers, came.timestamp_ms) == (headers, 99_000)
