"""What a Kafka error means to the caller: wait (Retryable), mend the configuration, or stop (Fatal)."""

from __future__ import annotations

import re

from confluent_kafka import KafkaError, KafkaException

from stream.errors import ConfigurationError, Fatal, Retryable, StreamError

MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})

LOGIN_REFUSED = frozenset(
    {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError.UNSUPPORTED_SASL_MECHANISM}
)

REFUSED = LOGIN_REFUSED | frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)

WRONG = frozenset(
    {
        KafkaError._INVALID_ARG,
        KafkaError._UNSUPPORTED_FEATURE,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_GROUP_ID,
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.INVALID_SESSION_TIMEOUT,
        KafkaError.INVALID_TRANSACTION_TIMEOUT,
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
        KafkaError.POLICY_VIOLATION,
    }
)

FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.UNRELEASED_INSTANCE_ID,
    }
)

PASSED = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.STALE_MEMBER_EPOCH,
    }
)
"""The group's coordinator no longer takes offsets from this membership."""


EVICTED = PASSED - {KafkaError.STALE_MEMBER_EPOCH}
"""... and will not again: a rebalance that says so is on its way."""


WHERE_IN_THE_CLIENT = re.compile(r" ?\(after \d+ms in state \w+\)")

CONNECTING = (
    ("mechanism handshake failed", "a sasl.mechanism that the broker offers"),
    ("SASL", "a sasl.username and sasl.password that the broker accepts"),
    ("certificate verify failed", "an ssl.ca.location that vouches for the broker's certificate and host name"),
    ("certificate", "an ssl.keystore.location (or ssl.certificate.location) that the broker accepts"),
    ("", "a security.protocol and ssl settings that the broker accepts"),
)
"""What to expect of ``kafka.librdkafka`` when a connection is refused, by a word of what librdkafka says."""


def error_of(exception: KafkaException) -> KafkaError:
    """Return the error that an exception carries."""
    error = exception.args[0]
    return error if isinstance(error, KafkaError) else KafkaError(KafkaError._FAIL, str(error))


def refuses_connection(error: KafkaError) -> bool:
    """Return whether a broker is there and does not take us: our login, or one side's certificate, is refused.

    A TLS failure is told apart from a connection that broke during the handshake, which passes.
    """
    said = error.str()
    if "SSL routines" in said:  # TLS 1.3 tells us of a refused client certificate after the handshake: _TRANSPORT then
        return "alert" in said or (error.code() == KafkaError._SSL and "unexpected eof" not in said)
    return error.code() in LOGIN_REFUSED


def refused_connection(error: KafkaError, bootstrap: str) -> ConfigurationError:
    """Return the error to raise for a connection that the broker, or our side of TLS, refuses."""
    said = WHERE_IN_THE_CLIENT.sub("", error.str())
    expected = next(expected for word, expected in CONNECTING if word in said)
    return ConfigurationError(f"kafka.librdkafka: expected {expected}, received from {bootstrap}: {said}")


def means_configuration(error: KafkaError) -> bool:
    """Return whether only a person can mend this: missing, refused or impossible."""
    return error.code() in MISSING | REFUSED | WRONG


def explained(error: KafkaError, doing: str, identity: str = "") -> StreamError:
    """Return the error to raise for a Kafka error.

    Args:
        error: What Kafka said.
        doing: What was attempted, as the subject of the message: ``consuming specstream.l1.spectrum``.
        identity: The instance or identity to name when another process has taken it.
    """
    # A fatal error of a consumer comes with the code _FATAL; only its text tells what it is.
    said = f"{doing}: {error.str() or error.name()} ({error.name()})"
    if error.code() in FENCED or (error.code() == KafkaError._FATAL and "fenced" in error.str()):
        return Fatal(f"{doing}: another live process has the identity {identity or '(unset)'} ({error.name()})")
    if error.code() in MISSING:
        return ConfigurationError(f"{said}; create it with `specstream topics create`")
    if error.code() in REFUSED or (error.code() == KafkaError._FATAL and "authorization failed" in error.str()):
        return ConfigurationError(f"{said}; the account of kafka.librdkafka needs the right to it on the broker")
    if means_configuration(error):
        return ConfigurationError(said)
    return Fatal(said) if error.fatal() or error.code() == KafkaError._FATAL else Retryable(said)
