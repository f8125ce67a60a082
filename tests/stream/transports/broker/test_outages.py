"""The broker goes away and comes back, as often as not in the middle of a commit: nothing is lost or doubled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ops.kafka.launcher import Broker, running_broker
from stream.errors import Retryable
from stream.transports.contract import CommitUnit, Message

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    # A killed broker may register again once its old session has ended.
    properties = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
    with running_broker(properties=properties) as it:
        yield it


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_broker_that_dies_and_returns_loses_and_doubles_nothing(
    broker: Broker,
    kafka_at: Callable[..., Any],
    poll_until: Callable[..., list[Message]],
    as_units: Callable[..., list[CommitUnit]],
    protocol: str,
) -> None:
    kafka = kafka_at(broker.bootstrap)
    topic, out = kafka.topic("in"), kafka.topic("out")
    kafka.send(topic, [b"%d" % n for n in range(100)])
    transport = kafka.open(topic, group_protocol=protocol, commit_timeout_s=2.0)
    held = poll_until(transport, lambda some: len(some) == 100)
    transport.commit(as_units(held[:50], out))
    broker.kill()
    poll_until_away(transport)
    assert not transport.at_end()
    units = as_units(held[50:], out)
    with pytest.raises(Retryable):
        transport.commit(units)
    broker.start()
    dropped = commit_until_answered(transport, units)
    if dropped:  # the restart outlived the session: the messages come again
        again = poll_until(transport, lambda some: len(some) == 50)
        commit_until_answered(transport, as_units(again, out))
    kafka.send(topic, [b"last"])
    came = poll_until(transport, bool)
    commit_until_answered(transport, as_units(came, out))
    assert sorted(kafka.read_all(out)) == sorted([b"%d" % n for n in range(100)] + [b"last"])


def test_commit_whose_answer_outlives_the_transaction_is_settled_by_the_groups_offsets(
    broker: Broker,
    kafka_at: Callable[..., Any],
    poll_until: Callable[..., list[Message]],
    as_units: Callable[..., list[CommitUnit]],
) -> None:
    kafka = kafka_at(broker.bootstrap, {"transaction.timeout.ms": "2000", "session.timeout.ms": "30000"})
    topic, out = kafka.topic("in"), kafka.topic("out")
    kafka.send(topic, [b"%d" % n for n in range(50)])
    transport = kafka.open(topic, commit_timeout_s=2.0)
    held = poll_until(transport, lambda some: len(some) == 50)
    units = as_units(held, out)
    sent = transport._membership.proof

    def die() -> bytes:
        """Let the broker die between the outputs and the offsets, as it may at any moment."""
        transport._transactions._producer.flush()
        broker.kill()
        return sent()

    transport._membership.proof = die  # type: ignore[method-assign]
    with pytest.raises(Retryable):
        transport.commit(units)
    transport._membership.proof = sent  # type: ignore[method-assign]
    outlived = time.monotonic() + 4.0
    poll_until(transport, lambda _: time.monotonic() > outlived)
    broker.start()
    if commit_until_answered(transport, units):
        again = poll_until(transport, lambda some: len(some) == 50)
        commit_until_answered(transport, as_units(again, out))
    assert sorted(kafka.read_all(out)) == sorted(b"%d" % n for n in range(50))


def test_transport_opened_while_the_broker_is_away_starts_once_it_is_there(
    broker: Broker, kafka_at: Callable[..., Any], poll_until: Callable[..., list[Message]]
) -> None:
    kafka = kafka_at(broker.bootstrap)
    topic = kafka.topic("in")
    kafka.send(topic, [b"a"])
    broker.stop()
    transport = kafka.open(topic)
    with pytest.raises(Retryable, match=broker.bootstrap):
        transport.poll(1, 0.1)
    starter = threading.Thread(target=broker.start)
    starter.start()
    came = poll_until(transport, bool)
    starter.join()
    assert [message.value for message in came] == [b"a"]


def poll_until_away(transport: Any) -> None:
    """Poll until the transport says that the broker is away."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        try:
            transport.poll(1, 0.2)
        except Retryable:
            return
    pytest.fail("the transport did not notice that the broker is away")


def commit_until_answered(transport: Any, units: list[CommitUnit]) -> bool:
    """Commit, polling between attempts as a service does; return whether the units were dropped."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        try:
            return not transport.commit(units).committed
        except Retryable:
            continue
    pytest.fail("the commit got no answer")
