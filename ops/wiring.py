"""Builds codec and transports from the configuration.

Most commands need no more than these, so nothing here imports the engines: ``ops.engines`` opens them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial

from ops.patience import patiently
from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.errors import RegistryUnavailable
from schemas.registry.client import RegistryAddress, RegistryClient
from stream.settings import Settings
from stream.transports.contract import Publisher, Reader, Transport
from stream.transports.folder import list_topics
from stream.transports.opening import check_transport, open_publisher, open_reader, open_transport
from stream.transports.opening import open_topic_reader as open_reader_of
from stream.transports.url import FolderBroker, TopicUrl, parse_broker_url


def open_codec(
    settings: Settings,
    *,
    publishes: Mapping[str, str] | None = None,
    waiting: Callable[[str], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> Codec:
    """Return the codec on the embedded schemas, the user's by id, and the registry if one is named.

    Args:
        settings: the configuration.
        publishes: topic by name of the schema written to it; with a registry these schemas are registered under the
            subject "TOPIC-value" (forward transitive) and records carry their Confluent ids.
        waiting: told, again and again, why it waits for a registry that is away.
        stop: when set, it waits no longer.

    Raises:
        Interrupted: asked to stop while the registry was away.
        CatalogueError: a schema of the user is wrong.
        RegistryRefused: the registry says no.
    """
    catalogue = Catalogue.embedded().with_ids(settings.schemas.ids)
    registry = open_registry(settings)
    if registry is None:
        return Codec(catalogue)
    subjects = {name: f"{topic}-value" for name, topic in (publishes or {}).items()}
    ids = {}
    for name, subject in subjects.items():
        publish = partial(registry.publish, subject, catalogue.text(name))
        ids[name] = patiently(publish, RegistryUnavailable, waiting=waiting, stop=stop)
    return Codec(catalogue.with_registry(registry, ids))


def open_registry(settings: Settings) -> RegistryClient | None:
    """Return the client of the configured schema registry, None without one."""
    schemas = settings.schemas
    if schemas.registry is None:
        return None
    address = RegistryAddress(
        schemas.registry,
        user=schemas.registry_user,
        password=schemas.registry_password.get_secret_value() if schemas.registry_password else None,
        token=schemas.registry_token.get_secret_value() if schemas.registry_token else None,
        ca_file=str(schemas.registry_ca_file) if schemas.registry_ca_file else None,
    )
    topics = settings.topics
    return RegistryClient(address, subjects=[f"{topic}-value" for topic in (*topics.inputs, topics.l2)])


def service_schemas(settings: Settings) -> dict[str, str]:
    """Return the topics that the service writes, by the name of their schema."""
    topics = settings.topics
    return {"l2_classification": topics.l2, "dead_letter": topics.dead_letter, "ledger": topics.ledger}


def check_broker(settings: Settings) -> None:
    """Look at the settings of the service's transport before anything takes time; a broker is not asked.

    Raises:
        ConfigurationError: one cannot be.
    """
    kafka = settings.kafka
    check_transport(
        settings.broker,
        settings.group,
        instance=kafka.instance,
        group_protocol=kafka.group_protocol,
        librdkafka=kafka.properties(),
        max_message_bytes=kafka.message_max_bytes,
    )


def open_input(settings: Settings) -> Transport:
    """Return the service's transport."""
    topics, kafka = settings.topics, settings.kafka
    return open_transport(
        settings.broker,
        topics.inputs,
        settings.group,
        instance=kafka.instance,
        group_protocol=kafka.group_protocol,
        librdkafka=kafka.properties(),
        output_topics=(topics.l2, topics.dead_letter, topics.ledger),
        max_message_bytes=kafka.message_max_bytes,
    )


def absent_topics(settings: Settings) -> list[str]:
    """Return the input topics that a folder does not have yet, which it reads once it does; a broker refuses such."""
    broker = parse_broker_url(settings.broker)
    if not isinstance(broker, FolderBroker):
        return []
    there = list_topics(broker.folder)
    return [topic for topic in settings.topics.inputs if topic not in there]


def open_topic(settings: Settings, topic: str) -> Reader:
    """Return a reader of one topic of the configured broker."""
    return open_reader(settings.broker, [topic], librdkafka=settings.kafka.properties())


def open_topic_reader(settings: Settings, topic_url: str | TopicUrl) -> Reader:
    """Return a reader of the topic at an address, with the configuration's Kafka properties."""
    return open_reader_of(topic_url, librdkafka=settings.kafka.properties())


def open_entry(settings: Settings, topic: TopicUrl, identity: str) -> Publisher:
    """Return the publisher of one way into a topic."""
    return open_publisher(
        topic.broker,
        identity,
        settings.topics.ingest_state,
        librdkafka=settings.kafka.properties(),
        max_message_bytes=settings.kafka.message_max_bytes,
    )
