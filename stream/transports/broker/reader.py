"""Reads topics from their first message, committed messages only, outside any group."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import confluent_kafka as kafka
from confluent_kafka import KafkaException

from stream.transports.broker.configuration import reader_configuration
from stream.transports.broker.connection import Connection, check_topics, make_client
from stream.transports.broker.convert import take
from stream.transports.broker.failures import error_of, explained
from stream.transports.broker.ownership import OwnedPartition
from stream.transports.contract import Message, TopicPartition

OPEN_TIMEOUT_S = 5.0
CHUNK = 256


class BrokerReader:
    """Implements ``stream.transports.contract.Reader`` on Kafka.

    The partitions are those that the topics have when reading begins.

    Args:
        bootstrap: ``HOST:PORT[,HOST:PORT]``.
        topics: What to read.
        librdkafka: The user's settings, passed through.
        start: Offset of the first message wanted, per partition; others are read from their first message.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: Sequence[str],
        librdkafka: Mapping[str, str] | None = None,
        *,
        start: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        self._topics = tuple(topics)
        self._start = dict(start or {})
        self._connection = Connection(bootstrap)
        # librdkafka wants a group's name; nothing is ever joined or committed under it.
        configuration = reader_configuration(bootstrap, f"specstream-reader-{uuid.uuid4()}", librdkafka or {})
        self._consumer: Any = make_client(kafka.Consumer, configuration, self._connection)
        self._partitions: dict[tuple[str, int], OwnedPartition] = {}
        self._ends: dict[tuple[str, int], int] = {}
        self._failed: kafka.KafkaError | None = None
        self._open = False

    def read(self, max_records: int, timeout_s: float) -> list[Message]:
        """Return up to ``max_records`` next messages over all partitions; empty when none came within ``timeout_s``.

        Raises:
            Retryable: No broker answers.
            ConfigurationError: A topic is missing or not authorised, or our credentials are refused.
        """
        self._assign()
        messages: list[Message] = []
        waited = timeout_s <= 0.0
        while self._failed is None and len(messages) < max_records:
            batch = self._consumer.consume(min(CHUNK, max_records - len(messages)), 0.0)
            if not batch:
                if messages or waited:
                    break
                batch, waited = self._consumer.consume(1, timeout_s), True
            self._note_ends(batch)
            _, errors = take(batch, self._partitions, messages)
            self._failed = errors[0] if errors else None
        if messages:
            # An error behind messages is raised by the next call: they are out of librdkafka's hands already.
            self._connection.heard()
            return messages
        failed, self._failed = self._failed, None
        if failed is not None:
            raise explained(failed, f"reading {', '.join(self._topics)}")
        self._connection.raise_refusal()
        if self._connection.away():
            check_topics(self._consumer, self._topics[:1], self._connection, OPEN_TIMEOUT_S)
        return messages

    def _assign(self) -> None:
        if self._open:
            return
        counts = check_topics(self._consumer, self._topics, self._connection, OPEN_TIMEOUT_S)
        sources = [TopicPartition(topic, number) for topic, count in counts.items() for number in range(count)]
        self._partitions = {(source.topic, source.partition): OwnedPartition(source, 0) for source in sources}
        self._consumer.assign(
            [
                kafka.TopicPartition(source.topic, source.partition, self._start.get(source, kafka.OFFSET_BEGINNING))
                for source in sources
            ]
        )
        self._open = True

    def _note_ends(self, batch: Sequence[Any]) -> None:
        for raw in batch:
            error = raw.error()
            if error is not None and error.code() == kafka.KafkaError._PARTITION_EOF:
                self._ends[raw.topic(), raw.partition()] = raw.offset()

    def at_end(self) -> bool:
        """Return True when everything committed at the moment of asking was read; asks the broker.

        Raises:
            Retryable: No broker answers.
            ConfigurationError: A topic is missing or not authorised, or our credentials are refused.
        """
        self._assign()
        if not all(partition.at_end for partition in self._partitions.values()):
            return False
        for topic, number in self._partitions:
            try:
                # Under read_committed the end is that of the last stable offset, as for the end that was seen.
                _, end = self._consumer.get_watermark_offsets(kafka.TopicPartition(topic, number), OPEN_TIMEOUT_S)
            except KafkaException as failed:
                raise explained(error_of(failed), f"asking for the end of {topic!r}") from failed
            if end > self._ends[topic, number]:
                return False
        return True

    def close(self) -> None:
        """Release everything."""
        self._consumer.close()
