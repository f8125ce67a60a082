"""What a client's background threads report (refused by the broker, broker away), and whether topics are there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from stream.errors import ConfigurationError, Retryable
from stream.transports.broker.configuration import Configuration
from stream.transports.broker.failures import (
    MISSING,
    error_of,
    explained,
    refused_connection,
    refuses_connection,
)

LOGGER = logging.getLogger("stream.transports.broker.librdkafka")
LOGGER.addHandler(logging.NullHandler())
"""librdkafka's own log lines; silent until the program configures logging."""

NEW_TOPIC_GRACE_S = 2.0
"""A topic created a moment ago may be unknown to the broker that is asked, s."""

ASK_AGAIN_S = 1.0

AWAY = frozenset(
    {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._SSL, KafkaError._TIMED_OUT}
)

BEFORE_THE_FIRST_ANSWER = ("APIVERSION_QUERY", "SSL_HANDSHAKE", "AUTH_HANDSHAKE")
"""States of a connection in which a broker that expects another protocol hangs up."""


class Connection:
    """Remembers what librdkafka reports about its connections; one for each transport, shared by its clients.

    It is also the logger of those clients: that a broker hangs up on the first request is told in their log alone.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._refused: KafkaError | None = None
        self._away: KafkaError | None = None
        self._hangs_up = False

    def log(self, level: int, message: str, *arguments: object) -> None:
        """Pass a log line of a client on, and look for a broker that hangs up."""
        said = message % arguments if arguments else message
        if "Disconnected" in said and any(state in said for state in BEFORE_THE_FIRST_ANSWER):
            self._hangs_up = True
        LOGGER.log(level, "%s", said)

    def report(self, error: KafkaError) -> None:
        """Take an error from a client's background thread (librdkafka's ``error_cb``)."""
        if refuses_connection(error):
            self._refused = error
        elif error.code() in AWAY and (self._away is None or error.code() != KafkaError._ALL_BROKERS_DOWN):
            self._away = error

    def raise_refusal(self) -> None:
        """Raise what the broker refused.

        Raises:
            ConfigurationError: It refused our credentials, or we its certificate.
        """
        if self._refused is not None:
            raise refused_connection(self._refused, self._bootstrap)

    def away(self) -> bool:
        """Return whether a connection was lost and nothing has been heard since."""
        return self._away is not None

    def heard(self) -> None:
        """Note that the broker has answered."""
        self._away, self._hangs_up = None, False

    def missing(self, cause: KafkaError) -> Retryable:
        """Return the error to raise while no broker answers; it names the reason that the last connection gave."""
        reason = self._away or cause
        said = reason.str() or reason.name()
        if self._hangs_up:
            said = "who listens there hangs up at once; if it expects TLS, set security.protocol in kafka.librdkafka"
        return Retryable(f"no broker answers at {self._bootstrap}: {said}")


def make_client(kind: Callable[..., Any], configuration: Configuration, connection: Connection) -> Any:
    """Return a librdkafka client of a kind (Consumer, Producer, AdminClient) that reports to the connection.

    Raises:
        ConfigurationError: librdkafka does not take a setting.
    """
    try:
        return kind({**configuration, "error_cb": connection.report}, logger=connection)
    except KafkaException as failed:
        raise ConfigurationError(f"kafka.librdkafka: {error_of(failed).str()}") from failed


def ask(client: Any, topic: str | None, connection: Connection, timeout_s: float) -> Any:
    """Return the cluster's description of a topic, or of all.

    Args:
        client: An admin client or a producer; no consumer, because it is polled, and what it brings is dropped.
        topic: The topic; None: all.
        connection: That of the client.
        timeout_s: How long to wait for a broker, s.

    Raises:
        Retryable: No broker answers.
        ConfigurationError: Our credentials are refused; found without waiting for the whole time.
    """
    ends = time.monotonic() + timeout_s
    while True:
        try:
            described = client.list_topics(topic, timeout=min(timeout_s, ASK_AGAIN_S))
        except KafkaException as failed:
            client.poll(0)  # serves the error callback, which knows more than "timed out"
            connection.raise_refusal()
            if time.monotonic() >= ends:
                raise connection.missing(error_of(failed)) from failed
        else:
            connection.heard()
            return described


def check_topics(
    client: Any,
    topics: Iterable[str],
    connection: Connection,
    timeout_s: float,
    *,
    grace_s: float = NEW_TOPIC_GRACE_S,
) -> dict[str, int]:
    """Ask the broker for topics; return how many partitions each has.

    Args:
        client: As in ``ask``.
        topics: The topics.
        connection: That of the client.
        timeout_s: How long to wait for a broker, s.
        grace_s: How long a topic may be unknown before it is missing, s.

    Raises:
        Retryable: No broker answers.
        ConfigurationError: A topic is missing or may not be read, or our credentials are refused.
    """
    found: dict[str, int] = {}
    grace_ends = time.monotonic() + grace_s
    for topic in topics:
        while topic not in found:
            description = ask(client, topic, connection, timeout_s).topics[topic]
            if description.error is None:
                found[topic] = len(description.partitions)
            elif description.error.code() in MISSING and time.monotonic() < grace_ends:
                client.poll(0.1)
            else:
                raise explained(description.error, f"topic {topic!r}")
    return found
