"""TLS, SASL and access control lists on a real broker: who is let in, who is not, and what is taken away mid-way.

Most of these tests wait for a broker or a time-out. So the cases of one test run side by side, each on topics and with
clients of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from ops.kafka.certificates import Authority
from ops.kafka.secured import OPERATOR, SecuredBroker, running_secured_broker
from stream.errors import ConfigurationError, Retryable
from stream.transports.broker import BrokerReader, BrokerTransport, TopicSpec, create_topics
from stream.transports.contract import CommitUnit, Message

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

DEADLINE_S = 60.0
WORKER, CERTIFIED = "worker", "CN=client"
PROTOCOLS = ("classic", "consumer")


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredBroker]:
    with running_secured_broker(others=(WORKER,)) as broker:
        yield broker


@pytest.fixture(scope="module")
def admin(secured: SecuredBroker) -> AdminClient:
    return AdminClient({"bootstrap.servers": secured.broker.bootstrap})


@pytest.fixture(scope="module")
def rule(admin: AdminClient) -> Callable[..., None]:
    """Return a function that lets an account do something with what bears a name, or forbids it."""

    def add(account: str, kind: str, name: str, operation: str, *, allow: bool = True) -> None:
        binding = AclBinding(
            ResourceType[kind],
            name,
            ResourcePatternType.LITERAL if name == "*" else ResourcePatternType.PREFIXED,
            f"User:{account}",
            "*",
            AclOperation[operation],
            AclPermissionType.ALLOW if allow else AclPermissionType.DENY,
        )
        admin.create_acls([binding])[binding].result()

    return add


def side_by_side(run: Callable[..., None], cases: Iterable[tuple[Any, ...]]) -> None:
    """Run every case in a thread of its own, and fail with the name of one that fails."""
    arguments = list(cases)
    with ThreadPoolExecutor(len(arguments)) as threads:
        for case, running in [(each, threads.submit(run, *each)) for each in arguments]:
            try:
                running.result()
            except BaseException as error:
                error.add_note(f"the case is {case}")
                raise


def poll_until_refused(transport: BrokerTransport) -> str:
    """Poll until the transport says that a person has to mend something; return what it says."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        try:
            transport.poll(100, 0.2)
        except ConfigurationError as error:
            return str(error)
        except Retryable:
            continue
    pytest.fail("nothing was refused in time")


def commit_until_refused(transport: BrokerTransport, units: list[CommitUnit]) -> str:
    """Commit until the transport says that a person has to mend something; return what it says."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        try:
            outcome = transport.commit(units)
        except ConfigurationError as error:
            return str(error)
        except Retryable:
            continue
        pytest.fail(f"it was committed: {outcome}")
    pytest.fail("nothing was refused in time")


def test_every_client_works_over_tls_with_a_certificate_or_a_password(
    secured: SecuredBroker,
    rule: Callable[..., None],
    kafka_at: Callable[..., Any],
    poll_until: Callable[..., list[Message]],
    as_units: Callable[..., list[CommitUnit]],
) -> None:
    for kind in ("TOPIC", "GROUP", "TRANSACTIONAL_ID"):
        rule(CERTIFIED, kind, "*", "ALL")
    clients = ((secured.tls, secured.tls_client()), (secured.sasl, secured.sasl_client(OPERATOR)))

    def work(client: tuple[str, dict[str, str]], protocol: str) -> None:
        kafka = kafka_at(*client)
        topic, out = kafka.topic("in"), kafka.topic("out")
        kafka.send(topic, [b"a", b"b"])
        transport = kafka.open(topic, group_protocol=protocol)
        came = poll_until(transport, lambda some: len(some) == 2)
        transport.commit(as_units(came, out))
        assert kafka.read_all(out) == [b"a", b"b"]

    side_by_side(work, product(clients, PROTOCOLS))


def refused_settings(secured: SecuredBroker, folder: Path) -> dict[str, tuple[str, Mapping[str, str], str]]:
    """Return, by name: where to connect, with what, and the key that the error is to name."""
    operator, certified = secured.sasl_client(OPERATOR), secured.tls_client()
    other = Authority(folder)
    without = {key: value for key, value in certified.items() if "keystore" not in key}
    return {
        "an authority that is not the broker's": (
            secured.sasl, {**operator, "ssl.ca.location": str(other.certificate)}, "ssl.ca.location"
        ),
        "a password that is wrong": (secured.sasl, {**operator, "sasl.password": "not-it"}, "sasl.password"),
        "a mechanism that is not offered": (secured.sasl, {**operator, "sasl.mechanism": "PLAIN"}, "sasl.mechanism"),
        "no certificate": (secured.tls, without, "ssl.keystore.location"),
        "a certificate of another authority": (
            secured.tls,
            {
                **without,
                "ssl.keystore.location": str(other.vouch_for("client")),
                "ssl.keystore.password": other.password,
            },
            "ssl.keystore.location",
        ),
    }  # fmt: skip


def test_a_refused_connection_is_one_line_that_names_the_key(
    secured: SecuredBroker, kafka_at: Callable[..., Any], tmp_path: Path
) -> None:
    def refused(bootstrap: str, settings: Mapping[str, str], key: str) -> None:
        transport = kafka_at(bootstrap, settings).open("any")
        with pytest.raises(ConfigurationError) as caught:
            transport.poll(1, 1.0)
        assert "kafka.librdkafka: expected a" in str(caught.value)
        assert key in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "not-it" not in str(caught.value)
        with pytest.raises(ConfigurationError, match=key):
            BrokerReader(bootstrap, ["any"], settings).read(1, 1.0)
        with pytest.raises(ConfigurationError, match=key):
            create_topics(bootstrap, [TopicSpec("any")], settings)

    side_by_side(refused, refused_settings(secured, tmp_path / "other").values())


def test_a_client_without_tls_is_told_that_the_listener_hangs_up(
    secured: SecuredBroker, kafka_at: Callable[..., Any]
) -> None:
    transport = kafka_at(secured.sasl).open("any")
    with pytest.raises(Retryable, match=r"hangs up.*security\.protocol"):
        transport.poll(1, 1.0)


def test_a_topic_that_may_not_be_read_is_named(secured: SecuredBroker, kafka_at: Callable[..., Any]) -> None:
    topic = kafka_at(secured.broker.bootstrap).topic("private")
    stranger = kafka_at(secured.sasl, secured.sasl_client(WORKER))
    with pytest.raises(ConfigurationError, match=topic):
        stranger.open(topic).poll(1, 1.0)
    with pytest.raises(ConfigurationError, match=topic):
        BrokerReader(secured.sasl, [topic], stranger.settings).read(1, 1.0)


class Midway:
    """A member in the middle of its work: half of what came is committed, the other half is at hand."""

    def __init__(self, kafka: Any, topic: str, out: str, group: str) -> None:
        self.kafka, self.topic, self.out, self.group = kafka, topic, out, group
        self.transport: BrokerTransport
        self.rest: list[CommitUnit]


@pytest.fixture
def midway(
    secured: SecuredBroker,
    rule: Callable[..., None],
    kafka_at: Callable[..., Any],
    poll_until: Callable[..., list[Message]],
    as_units: Callable[..., list[CommitUnit]],
) -> Callable[[str], Midway]:
    """Return a function that brings a member with the account ``WORKER`` to the middle of its work."""

    def begin(protocol: str) -> Midway:
        owner, kafka = kafka_at(secured.broker.bootstrap), kafka_at(secured.sasl, secured.sasl_client(WORKER))
        it = Midway(kafka, owner.topic("in"), owner.topic("out"), kafka.name("group"))
        for kind, name, operation in (
            ("TOPIC", it.topic, "READ"),
            ("TOPIC", it.out, "WRITE"),
            ("GROUP", it.group, "READ"),
            ("TRANSACTIONAL_ID", it.group, "WRITE"),
        ):
            rule(WORKER, kind, name, operation)
        owner.send(it.topic, [b"%d" % number for number in range(10)])
        it.transport = kafka.open(it.topic, group_protocol=protocol, output_topics=[it.out], commit_timeout_s=3.0)
        came = poll_until(it.transport, lambda some: len(some) == 10)
        it.transport.commit(as_units(came[:5], it.out))
        it.rest = as_units(came[5:], it.out)
        return it

    return begin


def test_a_topic_deleted_under_an_idle_member_is_named(midway: Callable[[str], Midway], admin: AdminClient) -> None:
    def delete(which: str, protocol: str) -> None:
        member = midway(protocol)
        topic = getattr(member, which)
        admin.delete_topics([topic])[topic].result()
        assert f"topic {topic!r}" in poll_until_refused(member.transport)

    side_by_side(delete, product(("topic", "out"), PROTOCOLS))


def test_an_output_topic_deleted_before_a_commit_is_named(midway: Callable[[str], Midway], admin: AdminClient) -> None:
    def delete(protocol: str) -> None:
        member = midway(protocol)
        admin.delete_topics([member.out])[member.out].result()
        said = commit_until_refused(member.transport, member.rest)
        assert f"topic {member.out!r}" in said
        assert "specstream topics create" in said

    side_by_side(delete, product(PROTOCOLS))


def test_a_right_to_read_that_is_taken_away_ends_the_polling(
    midway: Callable[[str], Midway], rule: Callable[..., None]
) -> None:
    def forbid(right: tuple[str, str], operation: str, protocol: str) -> None:
        member = midway(protocol)
        kind, which = right
        rule(WORKER, kind, getattr(member, which), operation, allow=False)
        said = poll_until_refused(member.transport)
        assert "authorization failed" in said
        assert "the account of kafka.librdkafka" in said

    side_by_side(forbid, product((("TOPIC", "topic"), ("GROUP", "group")), ("READ", "ALL"), PROTOCOLS))


def test_a_right_to_publish_that_is_taken_away_ends_the_commit_and_nothing_of_it_is_published(
    midway: Callable[[str], Midway],
    rule: Callable[..., None],
    secured: SecuredBroker,
    kafka_at: Callable[..., Any],
) -> None:
    def forbid(right: tuple[str, str], protocol: str) -> None:
        member = midway(protocol)
        kind, which = right
        rule(WORKER, kind, getattr(member, which), "ALL", allow=False)
        said = commit_until_refused(member.transport, member.rest)
        assert "authorization failed" in said.lower()
        assert member.group in said
        published = kafka_at(secured.broker.bootstrap).read_all(member.out)
        assert published == [b"%d" % number for number in range(5)]

    rights = (("TOPIC", "out"), ("GROUP", "group"), ("TRANSACTIONAL_ID", "group"))
    side_by_side(forbid, product(rights, PROTOCOLS))
