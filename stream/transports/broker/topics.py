"""Creates topics with partitions, retention and message size, and says where existing ones differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic  # type: ignore[attr-defined]

from stream.errors import ConfigurationError
from stream.transports.broker.checking import check_properties
from stream.transports.broker.configuration import admin_configuration
from stream.transports.broker.connection import Connection, ask, check_topics, make_client
from stream.transports.broker.failures import error_of, explained

REQUEST_TIMEOUT_S = 15.0
ASK_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it should be.

    Attributes:
        name: Its name.
        partitions: Number of partitions, at least 1.
        replication_factor: Copies; None: the broker's default.
        retention_ms: How long messages are kept, ms; -1 for ever; None: the broker's default.
        max_message_bytes: Largest message, bytes; None: the broker's default.
        compacted: Keep the last message of each key for ever instead of all messages for a time.
    """

    name: str
    partitions: int = 1
    replication_factor: int | None = None
    retention_ms: int | None = None
    max_message_bytes: int | None = None
    compacted: bool = False

    def __post_init__(self) -> None:
        if self.partitions < 1:
            raise ConfigurationError(f"topic {self.name!r}: partitions must be at least 1, got {self.partitions}")

    def settings(self) -> dict[str, str]:
        """Return the topic's settings as the broker names them."""
        settings = {}
        if self.retention_ms is not None:
            settings["retention.ms"] = str(self.retention_ms)
        if self.max_message_bytes is not None:
            settings["max.message.bytes"] = str(self.max_message_bytes)
        if self.compacted:
            settings["cleanup.policy"] = "compact"
        return settings


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What was found or done: ``differences`` says, per setting, what an existing topic has and what was wanted."""

    name: str
    created: bool
    differences: tuple[str, ...] = ()


def create_topics(
    bootstrap: str, specs: Sequence[TopicSpec], librdkafka: Mapping[str, str] | None = None
) -> list[TopicReport]:
    """Create the topics that are missing; existing ones are left as they are and compared.

    Args:
        bootstrap: ``HOST:PORT[,HOST:PORT]``.
        specs: The topics as they should be.
        librdkafka: The user's settings, passed through.

    Returns:
        One report for each topic, in order.

    Raises:
        Retryable: No broker answers.
        ConfigurationError: Not authorised, or the broker does not take a setting.
    """
    check_properties(librdkafka or {})
    connection = Connection(bootstrap)
    admin = make_client(AdminClient, admin_configuration(bootstrap, librdkafka or {}), connection)
    created = _create_missing(admin, specs, connection)
    return [
        TopicReport(spec.name, created=True)
        if spec.name in created
        else TopicReport(spec.name, created=False, differences=_differences(admin, spec, connection))
        for spec in specs
    ]


def ensure_topic(bootstrap: str, spec: TopicSpec, librdkafka: Mapping[str, str]) -> None:
    """Create a topic where it is missing; one that is there is not compared, which would need a right of its own.

    Raises:
        Retryable: No broker answers.
        ConfigurationError: Not authorised, or the broker does not take a setting.
    """
    connection = Connection(bootstrap)
    admin = make_client(AdminClient, admin_configuration(bootstrap, librdkafka), connection)
    _create_missing(admin, [spec], connection)


def _create_missing(admin: Any, specs: Sequence[TopicSpec], connection: Connection) -> set[str]:
    existing = ask(admin, None, connection, ASK_TIMEOUT_S).topics
    created = _create(admin, [spec for spec in specs if spec.name not in existing])
    if created:
        check_topics(admin, created, connection, REQUEST_TIMEOUT_S)
    return created


def _create(admin: Any, specs: Sequence[TopicSpec]) -> set[str]:
    if not specs:
        return set()
    wanted = [
        NewTopic(spec.name, spec.partitions, spec.replication_factor or -1, config=spec.settings()) for spec in specs
    ]
    created = set()
    for name, answer in admin.create_topics(wanted, request_timeout=REQUEST_TIMEOUT_S).items():
        try:
            answer.result()
        except KafkaException as failed:
            if error_of(failed).code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was faster
                raise explained(error_of(failed), f"creating topic {name!r}") from failed
        else:
            created.add(name)
    return created


def _differences(admin: Any, spec: TopicSpec, connection: Connection) -> tuple[str, ...]:
    partitions = check_topics(admin, [spec.name], connection, REQUEST_TIMEOUT_S)[spec.name]
    differences = []
    if partitions != spec.partitions:
        differences.append(f"partitions: has {partitions}, wanted {spec.partitions}")
    if settings := spec.settings():
        resource = ConfigResource(ConfigResource.Type.TOPIC, spec.name)
        try:
            entries = admin.describe_configs([resource])[resource].result(REQUEST_TIMEOUT_S)
        except KafkaException as failed:
            raise explained(error_of(failed), f"asking for the settings of topic {spec.name!r}") from failed
        for key, value in settings.items():
            has = entries[key].value
            if has != value:
                differences.append(f"{key}: has {has}, wanted {value}")
    return tuple(differences)
