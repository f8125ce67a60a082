"""What the Kafka transport promises beyond the contract, on a real broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from stream.errors import ConfigurationError, Fatal, Retryable
from stream.transports.broker import BrokerReader, BrokerTransport, TopicSpec, create_topics
from stream.transports.broker.configuration import GroupProtocol
from stream.transports.contract import CommitUnit, Message, Output, TopicPartition

pytestmark = pytest.mark.kafka


def test_missing_topic_is_a_configuration_error_that_names_it(kafka: Any) -> None:
    transport = kafka.open(kafka.name("nowhere"))
    with pytest.raises(ConfigurationError, match=kafka.name("nowhere")) as caught:
        transport.poll(1, 1.0)
    assert "\n" not in str(caught.value)


def test_missing_output_topic_is_found_before_anything_is_consumed(kafka: Any) -> None:
    transport = kafka.open(kafka.topic("in"), output_topics=[kafka.name("no-l2")])
    with pytest.raises(ConfigurationError, match=kafka.name("no-l2")):
        transport.poll(1, 1.0)


def test_messages_of_open_and_aborted_transactions_are_never_seen(
    kafka: Any, poll_until: Callable[..., list[Message]]
) -> None:
    topic = kafka.topic("in")
    publisher = kafka.publisher(kafka.name("writer"))
    publisher.progress()
    raw = publisher._transactions._producer
    raw.begin_transaction()
    raw.produce(topic, b"aborted")
    raw.flush()
    kafka.send(topic, [b"committed, but hidden behind the open transaction"])
    transport = kafka.open(topic)
    reader = BrokerReader(kafka.bootstrap, [topic])
    assert poll_until(transport, lambda _: transport.assigned()) == []
    for _ in range(10):
        assert transport.poll(10, 0.1) == []
        assert reader.read(10, 0.1) == []
        assert not transport.at_end()
        assert not reader.at_end()
    raw.abort_transaction()
    assert [m.value for m in poll_until(transport, lambda _: transport.at_end())] == [
        b"committed, but hidden behind the open transaction"
    ]
    assert [m.value for m in reader.read(10, 5.0)] == [b"committed, but hidden behind the open transaction"]
    reader.close()


def test_large_messages_pass_both_ways(
    kafka: Any, poll_until: Callable[..., list[Message]], as_units: Callable[..., list[CommitUnit]]
) -> None:
    topic, out = kafka.topic("in", max_message_bytes=12_000_000), kafka.topic("out", max_message_bytes=12_000_000)
    values = [bytes([n]) * 10_000_000 for n in range(3)]
    kafka.send(topic, values)
    transport = kafka.open(topic, max_poll_bytes=5_000_000)
    came = poll_until(transport, lambda some: len(some) == 3)
    transport.commit(as_units(came, out))
    assert kafka.read_all(out) == values


def test_poll_stops_at_its_limit_of_bytes(kafka: Any, poll_until: Callable[..., list[Message]]) -> None:
    topic = kafka.topic("in")
    kafka.send(topic, [bytes(100_000)] * 200)
    transport = kafka.open(topic, max_poll_bytes=1_000_000)
    sizes: list[int] = []
    while sum(sizes) < 200:
        sizes.append(len(transport.poll(1000, 1.0)))
    assert max(sizes) < 10 + 64


def test_output_larger_than_its_topic_allows_is_a_configuration_error_and_nothing_is_published(
    kafka: Any, poll_until: Callable[..., list[Message]], as_units: Callable[..., list[CommitUnit]]
) -> None:
    topic, out = kafka.topic("in"), kafka.topic("out", max_message_bytes=1_000)
    kafka.send(topic, [b"small", bytes(range(256)) * 400])
    transport = kafka.open(topic)
    came = poll_until(transport, lambda some: len(some) == 2)
    with pytest.raises(ConfigurationError, match=out):
        transport.commit(as_units(came, out))
    assert kafka.read_all(out) == []
    transport.commit(as_units(came[:1], out))
    assert kafka.read_all(out) == [b"small"]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_members_share_partitions_and_units_of_moved_ones_are_dropped(
    kafka: Any, poll_until: Callable[..., list[Message]], as_units: Callable[..., list[CommitUnit]], protocol: str
) -> None:
    topic, out = kafka.topic("in", partitions=2), kafka.topic("out")
    kafka.send(topic, [b"%d" % n for n in range(100)])
    one = kafka.open(topic, group_protocol=protocol)
    held = poll_until(one, lambda some: len(some) == 100)
    two = kafka.open(topic, group_protocol=protocol)
    stop = threading.Event()
    owned_by_two: list[Message] = []

    def run_two() -> None:
        while not stop.is_set():
            owned_by_two.extend(two.poll(500, 0.05))

    thread = threading.Thread(target=run_two)
    thread.start()
    try:
        again = poll_until(one, lambda _: len(one.owned()) == 1 and len(two.owned()) == 1 and bool(owned_by_two))
        outcome = one.commit(as_units(held, out))
        moved = set(two.owned())
        assert moved <= set(outcome.dropped)
        assert set(outcome.committed) | set(outcome.dropped) == {TopicPartition(topic, 0), TopicPartition(topic, 1)}
        if protocol == "classic":  # everything was revoked, and what is still ours comes again
            assert outcome.committed == ()
            again += poll_until(one, lambda some: len(some) + len(again) >= 100 - len(owned_by_two))
            one.commit(as_units(again, out))
    finally:
        stop.set()
        thread.join()
    two.commit(as_units(owned_by_two, out))
    assert sorted(int(value) for value in kafka.read_all(out)) == list(range(100))


def test_second_transport_of_one_instance_makes_the_first_fatal(
    kafka: Any, poll_until: Callable[..., list[Message]], as_units: Callable[..., list[CommitUnit]]
) -> None:
    topic, out = kafka.topic("in"), kafka.topic("out")
    kafka.send(topic, [b"a"])
    one = kafka.open(topic, instance="ordinal-4", group_protocol="consumer")
    came = poll_until(one, bool)
    two = kafka.open(topic, instance="ordinal-4", group_protocol="consumer")
    two.poll(1, 0.1)
    with pytest.raises(Fatal, match="ordinal-4"):
        one.commit(as_units(came, out))
    assert kafka.read_all(out) == []


def test_paused_transport_delivers_nothing_and_keeps_its_partitions(
    kafka: Any, poll_until: Callable[..., list[Message]]
) -> None:
    topic = kafka.topic("in")
    transport = kafka.open(topic)
    poll_until(transport, lambda _: transport.at_end())
    transport.pause()
    kafka.send(topic, [b"a", b"b"])
    assert transport.poll(10, 1.0) == []
    assert transport.assigned()
    transport.resume()
    assert [m.value for m in poll_until(transport, lambda some: len(some) == 2)] == [b"a", b"b"]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_partitions_that_come_back_after_a_pause_are_read_again(
    kafka: Any, poll_until: Callable[..., list[Message]], protocol: GroupProtocol
) -> None:
    topic = kafka.topic("in", partitions=4)
    one = kafka.open(topic, group_protocol=protocol)
    poll_until(one, lambda _: len(one.owned()) == 4)
    one.pause()
    two = kafka.open(topic, group_protocol=protocol)
    came_to_two = _share_with(one, two, until=lambda: len(one.owned()) < 4)
    one.resume()
    came_to_two += _share_with(one, two, until=lambda: (len(one.owned()), len(two.owned())) == (2, 2))
    assert came_to_two == []
    two.close()
    kafka.send(topic, [b"%d" % n for n in range(100)])
    came = poll_until(one, lambda some: len({message.value for message in some}) == 100)
    assert {int(message.value or b"") for message in came} == set(range(100))


def _share_with(one: BrokerTransport, two: BrokerTransport, until: Callable[[], bool]) -> list[Message]:
    """Poll two members in turn; return what came to the second."""
    came: list[Message] = []
    deadline = time.monotonic() + 60.0
    while not until():
        assert time.monotonic() < deadline
        one.poll(10, 0.05)
        came += two.poll(10, 0.05)
    return came


def test_absent_broker_is_retryable_and_says_why() -> None:
    transport = BrokerTransport("127.0.0.1:1", ["t"], "g")
    try:
        with pytest.raises(Retryable, match=r"127\.0\.0\.1:1"):
            transport.poll(1, 0.1)
        assert not transport.assigned()
        assert not transport.at_end()
    finally:
        transport.close()


def test_reader_starts_where_it_is_told(kafka: Any) -> None:
    topic = kafka.topic("in")
    kafka.send(topic, [b"%d" % n for n in range(10)])
    reader = BrokerReader(kafka.bootstrap, [topic], start={TopicPartition(topic, 0): 7})
    found: list[bytes | None] = []
    while not reader.at_end():
        found += [message.value for message in reader.read(100, 0.5)]
    reader.close()
    assert found == [b"7", b"8", b"9"]


def test_topics_are_created_once_and_differences_are_told(kafka: Any) -> None:
    name = kafka.name("l2")
    spec = TopicSpec(name, partitions=3, retention_ms=86_400_000, max_message_bytes=2_000_000)
    (made,) = create_topics(kafka.bootstrap, [spec])
    (again,) = create_topics(kafka.bootstrap, [spec])
    assert (made.created, again.created, again.differences) == (True, False, ())
    (other,) = create_topics(kafka.bootstrap, [TopicSpec(name, partitions=4, max_message_bytes=3_000_000)])
    assert other.differences == ("partitions: has 3, wanted 4", "max.message.bytes: has 2000000, wanted 3000000")


def test_impossible_topic_is_a_configuration_error(kafka: Any) -> None:
    with pytest.raises(ConfigurationError, match="bad name"):
        create_topics(kafka.bootstrap, [TopicSpec("bad name")])


def test_publisher_forgets_what_was_not_committed(kafka: Any) -> None:
    topic, identity = kafka.topic("in"), kafka.name("ingest")
    first = kafka.publisher(identity)
    first.publish([Output(topic, None, b"1")], {"file": "1"})
    raw = first._transactions._producer
    raw.begin_transaction()
    raw.produce(topic, b"orphan")
    raw.flush()
    second = kafka.publisher(identity)
    assert dict(second.progress()) == {"file": "1"}
    second.publish([Output(topic, None, b"2")], {"file": "2"})
    assert kafka.read_all(topic) == [b"1", b"2"]
