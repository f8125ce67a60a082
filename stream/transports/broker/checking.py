"""Settings looked at by librdkafka before anybody waits for a broker: clients are made and dropped, nothing is asked.

A client is given only those of the user's settings that it knows what to do with, but it checks any: so every one of
them is wrong or right whatever is opened first. How settings of one client go together is checked when that is made.
"""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from stream.transports.broker.configuration import (
    MAX_MESSAGE_BYTES,
    Configuration,
    GroupProtocol,
    check_overrides,
    member_configuration,
    producer_configuration,
)
from stream.transports.broker.connection import Connection, make_client


class _Unheard(Connection):
    """Of a client that is dropped at once; what it would log, that it has no broker, is no news."""

    def __init__(self) -> None:
        super().__init__("")

    def log(self, level: int, message: str, *arguments: object) -> None:
        """Say nothing."""


def check_properties(librdkafka: Mapping[str, str]) -> None:
    """Look at the user's settings, whichever client they are for.

    Raises:
        ConfigurationError: one breaks a guarantee, is unknown, or has a value that it cannot have; it is named.
    """
    check_overrides(librdkafka)
    make_client(AdminClient, dict(librdkafka), _Unheard())


def check_member(
    group: str,
    *,
    instance: str | None = None,
    group_protocol: GroupProtocol = "classic",
    librdkafka: Mapping[str, str] | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> None:
    """Look at the settings of all clients of a group's member.

    Args:
        group: Consumer group.
        instance: As of ``BrokerTransport``.
        group_protocol: ``classic`` or ``consumer``.
        librdkafka: The user's settings, passed through.
        max_message_bytes: Largest output message, bytes.

    Raises:
        ConfigurationError: librdkafka does not take a setting, or not together with another; it says which.
    """
    settings = dict(librdkafka or {})
    check_properties(settings)
    member = member_configuration("", group, instance=instance, group_protocol=group_protocol, librdkafka=settings)
    consumer = make_client(Consumer, _offline(member), _Unheard())
    consumer.close()
    make_client(Producer, _offline(producer_configuration("", group, max_message_bytes, settings)), _Unheard())


def _offline(configuration: Configuration) -> Configuration:
    """Return settings without an address."""
    return {key: value for key, value in configuration.items() if key != "bootstrap.servers"}
