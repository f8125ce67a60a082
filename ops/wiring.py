"""Builds the parts from the configuration: codec, transports, engines. The one place that knows how they fit."""

from __future__ import annotations

from pathlib import Path

from classifiers.suite import default_bundles, open_suites

from classifiers.classifier import Classifier
from classifiers.errors import ClassifierError
from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.registry.client import RegistryAddress, RegistryClient
from stream.decoded import Lane
from stream.errors import ConfigurationError
from stream.settings import Settings
from stream.transports.contract import Publisher, Reader, Transport
from stream.transports.opening import open_publisher, open_reader, open_transport
from stream.transports.opening import open_topic_reader as open_reader_of
from stream.transports.url import TopicUrl


def open_codec(settings: Settings) -> Codec:
    """Return the codec on the embedded schemas, the user's by id, and the registry if one is named."""
    catalogue = Catalogue.embedded().with_ids(settings.schemas.ids)
    if settings.schemas.registry is not None:
        catalogue = catalogue.with_registry(RegistryClient(RegistryAddress(settings.schemas.registry)))
    return Codec(catalogue)


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


def bundle_folders(settings: Settings) -> list[Path]:
    """Return the folders of the configured bundles: those that ship, or the named ones.

    Raises:
        ConfigurationError: a name is neither a folder nor a bundle that ships.
    """
    shipped = {folder.name: folder for folder in default_bundles()}
    folders = []
    for name in settings.engines.bundles or tuple(shipped):
        folder = Path(name).expanduser()
        if name in shipped and not folder.is_dir():
            folder = shipped[name]
        if not folder.is_dir():
            raise ConfigurationError(
                f"engines.bundles: expected a folder or one of {', '.join(sorted(shipped))}, received {name!r}"
            )
        folders.append(folder)
    return folders


def open_classifiers(settings: Settings) -> dict[Lane, Classifier]:
    """Return the engines by lane, every digest verified; nothing is consumed before this succeeds.

    Raises:
        ConfigurationError: a bundle is not intact, or the runtime is not there.
    """
    try:
        return dict(open_suites(bundle_folders(settings), settings.engines.runtime, settings.engines.threads))
    except ClassifierError as error:
        raise ConfigurationError(f"engines: {error}") from error
