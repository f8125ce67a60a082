"""The broker goes away and comes back; credentials and rights are refused. On a broker with SASL and ACLs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ops.kafka.launcher import Broker, free_port, running_broker
from stream.errors import ConfigurationError, Retryable
from stream.transports.broker import BrokerReader, TopicSpec, create_topics
from stream.transports.contract import CommitUnit, Message

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

DEADLINE_S = 60.0
USERS = "".join(f' user_{name}="{name}-secret"' for name in ("operator", "stranger"))
JAAS = f'org.apache.kafka.common.security.plain.PlainLoginModule required username="b" password="b"{USERS};'


class SecuredBroker:
    """A broker with an open listener for administrators and one that asks who you are."""

    def __init__(self, broker: Broker, secured_port: int) -> None:
        self.broker = broker
        self.bootstrap = broker.bootstrap
        self.secured = f"127.0.0.1:{secured_port}"

    def user(self, name: str, password: str | None = None) -> dict[str, str]:
        return {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": name,
            "sasl.password": password or f"{name}-secret",
        }


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredBroker]:
    port, secured_port, controller = free_port(), free_port(), free_port()
    properties = {
        "listeners": f"PLAINTEXT://127.0.0.1:{port},SECURED://127.0.0.1:{secured_port},"
        f"CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},SECURED://127.0.0.1:{secured_port}",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SECURED:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secured.plain.sasl.jaas.config": JAAS,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:operator",
        # A killed broker may register again once its old session has ended.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
    }
    with running_broker(port=port, properties=properties) as broker:
        yield SecuredBroker(broker, secured_port)


def test_sasl_settings_are_passed_to_every_client(
    secured: SecuredBroker,
    kafka_at: Callable[..., Any],
    poll_until: Callable[..., list[Message]],
    as_units: Callable[..., list[CommitUnit]],
) -> None:
    kafka = kafka_at(secured.secured, secured.user("operator"))
    topic, out = kafka.topic("in"), kafka.topic("out")
    kafka.send(topic, [b"a", b"b"])
    for protocol in ("classic", "consumer"):
        transport = kafka.open(topic, group=protocol, group_protocol=protocol)
        came = poll_until(transport, lambda some: len(some) == 2)
        transport.commit(as_units(came, out))
    assert kafka.read_all(out) == [b"a", b"b"] * 2


def test_refused_credentials_are_a_configuration_error_of_one_line(
    secured: SecuredBroker, kafka_at: Callable[..., Any]
) -> None:
    wrong = secured.user("operator", "not-the-secret")
    transport = kafka_at(secured.secured, wrong).open("any")
    with pytest.raises(ConfigurationError, match="uthentication") as caught:
        transport.poll(1, 1.0)
    assert "\n" not in str(caught.value)
    assert "not-the-secret" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="uthentication"):
        BrokerReader(secured.secured, ["any"], wrong).read(1, 1.0)
    with pytest.raises(ConfigurationError, match="uthentication"):
        create_topics(secured.secured, [TopicSpec("any")], wrong)


def test_topic_that_may_not_be_read_is_a_configuration_error(
    secured: SecuredBroker, kafka_at: Callable[..., Any]
) -> None:
    topic = kafka_at(secured.bootstrap).topic("private")
    stranger = kafka_at(secured.secured, secured.user("stranger"))
    with pytest.raises(ConfigurationError, match=topic):
        stranger.open(topic).poll(1, 1.0)
    with pytest.raises(ConfigurationError, match=topic):
        BrokerReader(secured.secured, [topic], stranger.settings).read(1, 1.0)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_broker_that_dies_and_returns_loses_and_doubles_nothing(
    secured: SecuredBroker,
    kafka_at: Callable[..., Any],
    poll_until: Callable[..., list[Message]],
    as_units: Callable[..., list[CommitUnit]],
    protocol: str,
) -> None:
    kafka = kafka_at(secured.bootstrap)
    topic, out = kafka.topic("in"), kafka.topic("out")
    kafka.send(topic, [b"%d" % n for n in range(100)])
    transport = kafka.open(topic, group_protocol=protocol, commit_timeout_s=2.0)
    held = poll_until(transport, lambda some: len(some) == 100)
    transport.commit(as_units(held[:50], out))
    secured.broker.kill()
    poll_until_away(transport)
    assert not transport.at_end()
    units = as_units(held[50:], out)
    with pytest.raises(Retryable):
        transport.commit(units)
    secured.broker.start()
    dropped = commit_until_answered(transport, units)
    if dropped:  # the restart outlived the session: the messages come again
        again = poll_until(transport, lambda some: len(some) == 50)
        commit_until_answered(transport, as_units(again, out))
    kafka.send(topic, [b"last"])
    came = poll_until(transport, bool)
    commit_until_answered(transport, as_units(came, out))
    assert sorted(kafka.read_all(out)) == sorted([b"%d" % n for n in range(100)] + [b"last"])


def test_commit_whose_answer_outlives_the_transaction_is_settled_by_the_groups_offsets(
    secured: SecuredBroker,
    kafka_at: Callable[..., Any],
    poll_until: Callable[..., list[Message]],
    as_units: Callable[..., list[CommitUnit]],
) -> None:
    kafka = kafka_at(secured.bootstrap, {"transaction.timeout.ms": "2000", "session.timeout.ms": "30000"})
    topic, out = kafka.topic("in"), kafka.topic("out")
    kafka.send(topic, [b"%d" % n for n in range(50)])
    transport = kafka.open(topic, commit_timeout_s=2.0)
    held = poll_until(transport, lambda some: len(some) == 50)
    units = as_units(held, out)
    sent = transport._membership.proof

    def die() -> bytes:
        """Let the broker die between the outputs and the offsets, as it may at any moment."""
        transport._transactions._producer.flush()
        secured.broker.kill()
        return sent()

    transport._membership.proof = die  # type: ignore[method-assign]
    with pytest.raises(Retryable):
        transport.commit(units)
    transport._membership.proof = sent  # type: ignore[method-assign]
    outlived = time.monotonic() + 4.0
    poll_until(transport, lambda _: time.monotonic() > outlived)
    secured.broker.start()
    if commit_until_answered(transport, units):
        again = poll_until(transport, lambda some: len(some) == 50)
        commit_until_answered(transport, as_units(again, out))
    assert sorted(kafka.read_all(out)) == sorted(b"%d" % n for n in range(50))


def test_transport_opened_while_the_broker_is_away_starts_once_it_is_there(
    secured: SecuredBroker, kafka_at: Callable[..., Any], poll_until: Callable[..., list[Message]]
) -> None:
    kafka = kafka_at(secured.bootstrap)
    topic = kafka.topic("in")
    kafka.send(topic, [b"a"])
    secured.broker.stop()
    transport = kafka.open(topic)
    with pytest.raises(Retryable, match=secured.bootstrap):
        transport.poll(1, 0.1)
    starter = threading.Thread(target=secured.broker.start)
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
