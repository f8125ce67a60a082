"""Opens the transport that an address names; each kind is imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from stream.errors import ConfigurationError
from stream.transports.contract import Publisher, Reader, TopicPartition, Transport
from stream.transports.url import BrokerUrl, FolderBroker, TopicUrl, parse_broker_url, parse_topic_url

STATE_TOPIC = "specstream.ingest_state"
MAX_MESSAGE_BYTES = 32 * 1024 * 1024


def open_transport(
    broker: str | BrokerUrl,
    topics: Sequence[str],
    group: str,
    *,
    instance: str | None = None,
    group_protocol: Literal["classic", "consumer"] = "classic",
    librdkafka: Mapping[str, str] | None = None,
    output_topics: Sequence[str] = (),
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> Transport:
    """Open the input of a group.

    Args:
        broker: ``kafka://HOST:PORT[,HOST:PORT]`` or ``file:FOLDER``.
        topics: input topics.
        group: consumer group.
        instance: stable name of this replica; Kafka only, a folder has one process per group.
        group_protocol: Kafka only.
        librdkafka: properties passed through; Kafka only.
        output_topics: topics that will be written; on Kafka they must exist before anything is consumed.
        max_message_bytes: largest output message, bytes; Kafka only.

    Raises:
        ConfigurationError: the address cannot be, or the folder cannot be used.
        Fatal: another live process is this group on the folder.
    """
    url = _broker(broker)
    if isinstance(url, FolderBroker):
        from stream.transports.folder import FolderTransport

        return FolderTransport(url.folder, topics, group)
    from stream.transports.broker import BrokerTransport

    return BrokerTransport(
        url.servers,
        topics,
        group,
        instance=instance,
        group_protocol=group_protocol,
        librdkafka=librdkafka,
        output_topics=output_topics,
        max_message_bytes=max_message_bytes,
    )


def check_transport(
    broker: str | BrokerUrl,
    group: str,
    *,
    instance: str | None = None,
    group_protocol: Literal["classic", "consumer"] = "classic",
    librdkafka: Mapping[str, str] | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> None:
    """Look at what ``open_transport`` would be given, without a word to the broker; nothing is opened or made.

    Raises:
        ConfigurationError: the address or a setting cannot be.
    """
    if isinstance(_broker(broker), FolderBroker):
        return
    from stream.transports.broker.checking import check_member

    check_member(
        group,
        instance=instance,
        group_protocol=group_protocol,
        librdkafka=librdkafka,
        max_message_bytes=max_message_bytes,
    )


def open_reader(
    broker: str | BrokerUrl,
    topics: Sequence[str],
    *,
    start: Mapping[TopicPartition, int] | None = None,
    librdkafka: Mapping[str, str] | None = None,
) -> Reader:
    """Open a reader of committed messages outside any group.

    Args:
        broker: see ``open_transport``.
        topics: what to read.
        start: first offset wanted, per partition; others are read from their first message.
        librdkafka: properties passed through; Kafka only.

    Raises:
        ConfigurationError: the address cannot be, or there is no such folder.
    """
    url = _broker(broker)
    if isinstance(url, FolderBroker):
        from stream.transports.folder import FolderReader

        return FolderReader(url.folder, topics, start)
    from stream.transports.broker import BrokerReader

    return BrokerReader(url.servers, topics, librdkafka, start=start)


def open_topic_reader(topic: str | TopicUrl, *, librdkafka: Mapping[str, str] | None = None) -> Reader:
    """Open a reader of one topic by its address; a topic that a folder does not have is refused.

    Raises:
        ConfigurationError: the address cannot be, or there is no such folder or topic in it.
    """
    url = parse_topic_url(topic) if isinstance(topic, str) else topic
    check_folder_topic(url)
    return open_reader(url.broker, [url.topic], librdkafka=librdkafka)


def check_folder_topic(url: TopicUrl) -> None:
    """Refuse a topic that its folder does not have: a reader would wait for it.

    Raises:
        ConfigurationError: there is no such folder, or no such topic in it.
    """
    if isinstance(url.broker, FolderBroker):
        if not url.broker.folder.is_dir():
            raise ConfigurationError(f"folder {url.broker.folder} does not exist")
        from stream.transports.folder import list_topics

        known = list_topics(url.broker.folder)
        if url.topic not in known:
            there = ", ".join(sorted(known)) or "none"
            raise ConfigurationError(f"folder {url.broker.folder} has no topic {url.topic!r}; it has: {there}")


def open_publisher(
    broker: str | BrokerUrl,
    identity: str,
    state_topic: str = STATE_TOPIC,
    *,
    librdkafka: Mapping[str, str] | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> Publisher:
    """Open a publisher that keeps its progress in ``state_topic``.

    Args:
        broker: see ``open_transport``.
        identity: name of the work; one live process may have it.
        state_topic: topic of the progress.
        librdkafka: properties passed through; Kafka only.
        max_message_bytes: largest message, bytes; Kafka only.

    Raises:
        ConfigurationError: the address cannot be, or the folder cannot be used.
        Fatal: another live process has the identity on the folder.
    """
    url = _broker(broker)
    if isinstance(url, FolderBroker):
        from stream.transports.folder import FolderPublisher

        return FolderPublisher(url.folder, identity, state_topic)
    from stream.transports.broker import BrokerPublisher

    return BrokerPublisher(url.servers, identity, state_topic, librdkafka, max_message_bytes=max_message_bytes)


def _broker(broker: str | BrokerUrl) -> BrokerUrl:
    return parse_broker_url(broker) if isinstance(broker, str) else broker
