"""Reads topics from their first message, committed messages only, outside any group."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import confluent_kafka as kafka
from confluent_kafka import IsolationLevel, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from stream.transports.broker.checking import check_properties
from stream.transports.broker.configuration import admin_configuration, reader_configuration
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
        check_properties(librdkafka or {})
        self._topics = tuple(topics)
        self._start = dict(start or {})
        self._connection = Connection(bootstrap)
        # librdkafka wants a group's name; nothing is ever joined or committed under it.
        configuration = reader_configuration(bootstrap, f"specstream-reader-{uuid.uuid4()}", librdkafka or {})
        self._consumer: Any = make_client(kafka.Consumer, configuration, self._connection)
        self._admin: Any = make_client(AdminClient, admin_configuration(bootstrap, librdkafka or {}), self._connection)
        self._partitions: dict[tuple[str, int], OwnedPartition] = {}
        self._wanted: dict[tuple[str, int], int] = {}
        self._failed: KafkaError | None = None
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
            _, errors = take(batch, self._partitions, messages)
            # librdkafka looks for the coordinator of the group all the same; nobody needs a right to it.
            self._failed = next((e for e in errors if e.code() != KafkaError.GROUP_AUTHORIZATION_FAILED), None)
        if messages:
            # An error behind messages is raised by the next call: they are out of librdkafka's hands already.
            self._connection.heard()
            return messages
        failed, self._failed = self._failed, None
        if failed is not None:
            raise explained(failed, f"reading {', '.join(self._topics)}")
        self._connection.raise_refusal()
        if self._connection.away():
            check_topics(self._admin, self._topics[:1], self._connection, OPEN_TIMEOUT_S)
        return messages

    def _assign(self) -> None:
        if self._open:
            return
        counts = check_topics(self._admin, self._topics, self._connection, OPEN_TIMEOUT_S)
        sources = [TopicPartition(topic, number) for topic, count in counts.items() for number in range(count)]
        self._partitions = {(source.topic, source.partition): OwnedPartition(source, 0) for source in sources}
        self._consumer.assign(
            [
                kafka.TopicPartition(source.topic, source.partition, self._start.get(source, kafka.OFFSET_BEGINNING))
                for source in sources
            ]
        )
        self._open = True

    def at_end(self) -> bool:
        """Return True when everything committed at the moment of asking was read; asks the broker.

        The first asking after a True fixes the ends, so that a reader of a busy topic comes to one. An open
        transaction is waited for (its producer or its timeout ends it): until then it hides what was committed after.

        Raises:
            Retryable: No broker answers.
            ConfigurationError: A topic is missing or not authorised, or our credentials are refused.
        """
        self._assign()
        if not self._wanted:
            self._wanted = self._ask_for_ends()
            for key, partition in self._partitions.items():
                partition.end = self._wanted[key]
        if not all(partition.reached for partition in self._partitions.values()):
            return False
        self._wanted = {}
        return True

    def _ask_for_ends(self) -> dict[tuple[str, int], int]:
        """Return the offset after the last message of each partition, committed or not."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        request = {kafka.TopicPartition(topic, number): latest for topic, number in self._partitions}
        answers = self._admin.list_offsets(
            request, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=OPEN_TIMEOUT_S
        )
        try:
            return {(at.topic, at.partition): int(answer.result().offset) for at, answer in answers.items()}
        except KafkaException as failed:
            raise explained(error_of(failed), f"asking for the ends of {', '.join(self._topics)}") from failed

    def close(self) -> None:
        """Release everything."""
        self._consumer.close()
