"""Membership of the group: serves rebalances, proves the right to commit, knows when an empty assignment is final."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as Position
from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]

from stream.errors import Retryable
from stream.transports.broker.configuration import (
    CLASSIC_SESSION_MS,
    GroupProtocol,
    reader_configuration,
)
from stream.transports.broker.connection import Connection, make_client
from stream.transports.broker.failures import error_of
from stream.transports.broker.ownership import Ownership
from stream.transports.broker.transaction import OwnershipPassed
from stream.transports.contract import TopicPartition

UNKNOWN_SESSION_MS = 45_000
"""Kafka's default ``group.consumer.session.timeout.ms``, assumed where the broker does not tell its own."""

UNKNOWN_HEARTBEAT_MS = 5_000
"""Kafka's default ``group.consumer.heartbeat.interval.ms``."""

REBALANCE_MARGIN_S = 3.0
METADATA_MAGIC = b"CGMDv2:"


def generation(metadata: bytes) -> int:
    """Return the generation (KIP-848: member epoch) in librdkafka's serialised group metadata; -1 if not told."""
    if not metadata.startswith(METADATA_MAGIC) or len(metadata) < len(METADATA_MAGIC) + 4:
        return -1
    (number,) = struct.unpack_from("<i", metadata, len(METADATA_MAGIC))
    return int(number)


class Membership:
    """Connects a consumer's rebalances with the ownership of partitions.

    confluent_kafka lets one thread at a time into a consumer, and not in turn: a thread that only polls keeps every
    other one out for minutes. So the polling thread alone touches the consumer, and leaves the group metadata here.

    Args:
        consumer: The group member.
        admin: Asked for the group's session timeout.
        ownership: What it owns.
        bootstrap: Where to ask for the group's offsets.
        group: The group.
        protocol: ``classic`` revokes everything before each assignment; ``consumer`` moves partitions one by one.
        librdkafka: The user's settings.
        revoke_wait_s: How long a revocation waits for a commit in flight, s.
        clock: Monotonic time, s.
    """

    def __init__(
        self,
        consumer: Any,
        admin: Any,
        ownership: Ownership,
        bootstrap: str,
        group: str,
        protocol: GroupProtocol,
        librdkafka: Mapping[str, str],
        revoke_wait_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._consumer = consumer
        self._admin = admin
        self._ownership = ownership
        self._bootstrap = bootstrap
        self._group = group
        self._classic = protocol == "classic"
        self._librdkafka = librdkafka
        self._revoke_wait_s = revoke_wait_s
        self._clock = clock
        self._polling_thread = 0
        self._metadata = b""
        self._metadata_at_assignment = b""
        self._empty_since: float | None = None
        self._sessions: Future[Any] | None = None

    def join(self, topics: Sequence[str]) -> None:
        """Subscribe; under KIP-848 also ask the broker for the group's session timeout, which is its to set."""
        if not self._classic:
            resource = ConfigResource(ConfigResource.Type.GROUP, self._group)
            self._sessions = self._admin.describe_configs([resource])[resource]
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def _on_assign(self, consumer: Any, partitions: Iterable[Any]) -> None:
        self._metadata = self._metadata_at_assignment = consumer.consumer_group_metadata()
        self._ownership.assign(_sources(partitions))
        self._empty_since = None

    def _on_revoke(self, consumer: Any, partitions: Iterable[Any]) -> None:
        del consumer
        self._ownership.revoke(_sources(partitions), pending=self._classic, wait_s=self._revoke_wait_s)
        self._empty_since = None

    def _on_lost(self, consumer: Any, partitions: Iterable[Any]) -> None:
        del consumer
        self._ownership.lose(_sources(partitions), pending=True)
        self._empty_since = None

    def look(self) -> None:
        """Note the group metadata as they are now; for the polling thread."""
        self._polling_thread = threading.get_ident()
        self._metadata = self._consumer.consumer_group_metadata()

    def proof(self) -> bytes:
        """Return the group metadata to commit with: those of now in the polling thread, of the newest poll elsewhere.

        Older ones than the group's are no danger: the coordinator refuses them.

        Raises:
            OwnershipPassed: They are not those of the assignment (classic protocol).
        """
        if threading.get_ident() == self._polling_thread:
            self.look()
        metadata = self._metadata
        if self._classic and metadata != self._metadata_at_assignment:
            raise OwnershipPassed("the group metadata are not those of the assignment", evicted=True)
        return metadata

    def stored(self, sources: Sequence[TopicPartition], timeout_s: float) -> list[int]:
        """Return the group's committed offsets, once no transaction is open on them; by a client outside the group.

        Raises:
            Retryable: No answer in time.
        """
        connection = Connection(self._bootstrap)
        configuration = reader_configuration(self._bootstrap, self._group, self._librdkafka)
        asking = make_client(Consumer, configuration, connection)
        try:
            answer = asking.committed([Position(source.topic, source.partition) for source in sources], timeout_s)
        except KafkaException as failed:
            raise Retryable(f"asking for the group's offsets: {error_of(failed).str()}") from failed
        finally:
            asking.close()
        return [position.offset for position in answer]

    def assigned(self) -> bool:
        """Return whether an assignment was received and none is pending.

        Under KIP-848 an empty assignment calls nothing back; there a member epoch says that the group has us.
        """
        if self._ownership.assigned():
            return True
        return not self._classic and self._joined_with_nothing()

    def _joined_with_nothing(self) -> bool:
        return not self._ownership.table() and generation(self._metadata) > 0

    def surely_empty(self) -> bool:
        """Return whether an empty assignment has lasted longer than a dead member could have held partitions."""
        now = self._clock()
        if self._empty_since is None:
            self._empty_since = now
        return now - self._empty_since >= self._longest_session_s()

    def _longest_session_s(self) -> float:
        if self._classic:
            session_ms = float(self._librdkafka.get("session.timeout.ms", CLASSIC_SESSION_MS))
            return session_ms / 1000 + REBALANCE_MARGIN_S
        session_ms, heartbeat_ms = float(UNKNOWN_SESSION_MS), float(UNKNOWN_HEARTBEAT_MS)
        if self._sessions is not None and self._sessions.done():
            try:
                told = self._sessions.result()
            except KafkaException:
                told = {}  # not authorised to ask: Kafka's default is assumed
            if "consumer.session.timeout.ms" in told:
                session_ms = float(told["consumer.session.timeout.ms"].value)
                heartbeat_ms = float(told["consumer.heartbeat.interval.ms"].value)
        return (session_ms + 2 * heartbeat_ms) / 1000 + REBALANCE_MARGIN_S


def _sources(partitions: Iterable[Any]) -> list[TopicPartition]:
    return [TopicPartition(partition.topic, partition.partition) for partition in partitions]
