"""What librdkafka is told: our settings, the user's on top, and a refusal of those that would break a guarantee.

The user's settings (``security.protocol``, ``sasl.*``, ``ssl.*``, sizes, timeouts ...) are passed through as they are
to consumer and producer alike, apart from those that only one of them knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from stream.errors import ConfigurationError

GroupProtocol: TypeAlias = Literal["classic", "consumer"]
Configuration: TypeAlias = dict[str, object]

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
"""Largest message that is produced or fetched, bytes: the roof of ``ops/kafka/server.properties``."""

CLASSIC_SESSION_MS = 6_000
"""Session of a classic member, ms. The default (45 s) would be the time until a killed replica's partitions move."""

TRANSACTION_TIMEOUT_MS = 7_000
"""After this the coordinator aborts an orphaned transaction, ms; until then its partitions' offsets cannot be read.

A replica without an instance that is killed within a commit leaves its partitions blocked for this long: with 10 s the
next commit came after 11.4 s, with 7 s it comes within the 10 s that recovery may take. A commit takes 0.03 to 0.2 s.
"""

ALLOWED_ONLY_AS: Mapping[str, tuple[str, ...]] = {
    "isolation.level": ("read_committed",),
    "enable.auto.commit": ("false",),
    "enable.auto.offset.store": ("false",),
    "enable.idempotence": ("true",),
    "enable.partition.eof": ("true",),
    "allow.auto.create.topics": ("false",),
    "acks": ("all", "-1"),
    "request.required.acks": ("all", "-1"),
}
"""Settings on which exactly-once rests, and the only values that keep it."""

OURS: Mapping[str, str] = {
    "bootstrap.servers": "the broker's URL",
    "metadata.broker.list": "the broker's URL",
    "group.id": "`group`",
    "group.instance.id": "`kafka.instance`",
    "group.protocol": "`kafka.group_protocol`",
    "transactional.id": "`group` and `kafka.instance`",
    "partition.assignment.strategy": "the classic protocol's round robin",
    "enable.gapless.guarantee": "nothing",
    "delivery.report.only.error": "the transport",
}
"""Settings that are made from others, and from which."""

PRODUCER_ONLY = (
    "acks", "batch.", "compression.", "delivery.timeout.ms", "enable.idempotence", "linger.ms", "message.send.",
    "message.timeout.ms", "partitioner", "queue.buffering.", "request.required.acks", "request.timeout.ms",
    "retries", "sticky.partitioning.", "transaction.timeout.ms",
)  # fmt: skip
CONSUMER_ONLY = (
    "allow.auto.create.topics", "auto.offset.reset", "check.crcs", "client.rack", "coordinator.query.interval.ms",
    "enable.auto.", "enable.partition.eof", "fetch.", "group.remote.assignor", "heartbeat.interval.ms",
    "isolation.level", "max.partition.fetch.bytes", "max.poll.interval.ms", "queued.", "session.timeout.ms",
)  # fmt: skip


def check_overrides(librdkafka: Mapping[str, str]) -> None:
    """Refuse settings that would break a guarantee or contradict a setting of ours.

    Raises:
        ConfigurationError: Names the key, what is expected and what came.
    """
    for key, value in librdkafka.items():
        if key in OURS:
            raise ConfigurationError(f"kafka.librdkafka: {key!r} cannot be set here, it comes from {OURS[key]}")
        allowed = ALLOWED_ONLY_AS.get(key)
        if allowed is not None and value.lower() not in allowed:
            raise ConfigurationError(
                f"kafka.librdkafka: {key!r} must be {allowed[0]!r}, got {value!r}: exactly-once rests on it"
            )


def common(bootstrap: str) -> Configuration:
    """Return what every client is told: where, who, and to come back soon after an outage."""
    return {
        "bootstrap.servers": bootstrap,
        "client.id": "specstream",
        "socket.nagle.disable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2_000,
    }


def _overrides(librdkafka: Mapping[str, str], foreign: tuple[str, ...]) -> dict[str, str]:
    return {key: value for key, value in librdkafka.items() if not key.startswith(foreign)}


def admin_configuration(bootstrap: str, librdkafka: Mapping[str, str]) -> Configuration:
    """Return the settings of an admin client."""
    check_overrides(librdkafka)
    return {**common(bootstrap), **_overrides(librdkafka, PRODUCER_ONLY + CONSUMER_ONLY)}


def reader_configuration(bootstrap: str, group: str, librdkafka: Mapping[str, str]) -> Configuration:
    """Return the settings of any consumer: committed messages only, ends reported, a bounded queue.

    ``fetch.max.bytes``: an answer of the broker stays below what malloc keeps for the next one (32 MiB). Above, each
    answer's pages are mapped anew: 15 page faults and 25 us per spectrum of 55 kB. A larger message comes all the same.
    ``fetch.queue.backoff.ms``: by default a consumer whose queue filled waits 1 s before it fetches again.
    ``fetch.wait.max.ms``: how long the broker waits at the end of a partition before it says that there is no more.
    """
    check_overrides(librdkafka)
    return {
        **common(bootstrap),
        "group.id": group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "allow.auto.create.topics": False,
        "auto.offset.reset": "earliest",
        "queued.max.messages.kbytes": 32 * 1024,
        "fetch.message.max.bytes": 4 * 1024 * 1024,
        "fetch.max.bytes": 16 * 1024 * 1024,
        "fetch.queue.backoff.ms": 20,
        "fetch.wait.max.ms": 100,
        **_overrides(librdkafka, PRODUCER_ONLY),
    }


def member_configuration(
    bootstrap: str,
    group: str,
    *,
    instance: str | None,
    group_protocol: GroupProtocol,
    librdkafka: Mapping[str, str],
) -> Configuration:
    """Return the settings of a group member.

    A static member (``group.instance.id``) exists only under the classic protocol: under KIP-848 a restart within the
    old session is refused with a fatal error. There the session is the broker's, ``group.consumer.session.timeout.ms``.
    """
    membership: Configuration = {"group.protocol": group_protocol}
    if group_protocol == "classic":
        membership["session.timeout.ms"] = CLASSIC_SESSION_MS
        membership["heartbeat.interval.ms"] = CLASSIC_SESSION_MS // 4
        membership["partition.assignment.strategy"] = "roundrobin"
        if instance is not None:
            membership["group.instance.id"] = instance
    elif "session.timeout.ms" in librdkafka or "heartbeat.interval.ms" in librdkafka:
        raise ConfigurationError(
            "kafka.librdkafka: with group_protocol 'consumer' the session belongs to the broker: "
            "set group.consumer.session.timeout.ms there"
        )
    return {**membership, **reader_configuration(bootstrap, group, librdkafka)}


def producer_configuration(
    bootstrap: str, transactional_id: str, max_message_bytes: int, librdkafka: Mapping[str, str]
) -> Configuration:
    """Return the settings of a transactional producer; keys choose partitions as in the Java client (murmur2).

    Messages without a key go to a random partition each: alerts come in bursts, and what librdkafka does by itself, one
    partition for all that is sent within 10 ms, gives most of a small night to a single replica.
    """
    check_overrides(librdkafka)
    return {
        **common(bootstrap),
        "transactional.id": transactional_id,
        "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
        "enable.idempotence": True,
        "acks": "all",
        "message.max.bytes": max_message_bytes,
        "linger.ms": 5,
        "compression.type": "lz4",
        "queue.buffering.max.kbytes": 128 * 1024,
        "queue.buffering.max.messages": 200_000,
        "delivery.report.only.error": True,
        "partitioner": "murmur2_random",
        "sticky.partitioning.linger.ms": 0,
        **_overrides(librdkafka, CONSUMER_ONLY),
    }
