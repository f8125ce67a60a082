"""From a message to an accepted item or a rejection: dispatches on the name of the writer's schema.

Every ``Undecodable`` of the codec and every ``Rejectable`` of a decoder ends here as a ``Rejected``. A registry that is
away is not the message's fault: it passes through as ``Retryable``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, Protocol

import numpy as np

from schemas.codec import DecodedRecord
from schemas.errors import RegistryRefused, RegistryUnavailable, Undecodable
from stream.alerts import decode_alert
from stream.decode.spectrum import SpectrumDecoder
from stream.decoded import Accepted, Decoded, Lane, Rejected
from stream.errors import ConfigurationError, Reason, Rejectable, Retryable
from stream.transports.contract import Message

SPECTRUM_SCHEMA: Final = "org.specstream.l1_spectrum"
OTHER_SCHEMAS: Final = frozenset(
    f"org.specstream.{name}" for name in ("l2_classification", "dead_letter", "ledger", "label", "file_message")
)
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""Largest message that is decoded [byte]; a 4MOST spectrum is 278 kB, the largest alerts are a few MB."""


class Decoder(Protocol):
    """What decoding needs of the codec."""

    def decode(self, value: bytes) -> DecodedRecord:
        """Return the record of a framed message."""
        ...


class MessageDecoder:
    """Decodes the messages of all input topics.

    Args:
        codec: framings and schemas.
        image_topics: topics whose undecodable messages count in the image lane.
        max_message_bytes: larger messages are rejected unread.
    """

    def __init__(
        self,
        codec: Decoder,
        *,
        image_topics: Collection[str] = (),
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._codec = codec
        self._spectra = SpectrumDecoder()
        self._image_topics = frozenset(image_topics)
        self._max_message_bytes = max_message_bytes

    def decode_all(self, messages: Iterable[Message]) -> list[Decoded]:
        """Return what decoding makes of messages, in their order."""
        return [self.decode(message) for message in messages]

    def decode(self, message: Message) -> Decoded:
        """Return what decoding makes of one message.

        Raises:
            Retryable: the schema registry is away.
            ConfigurationError: the schema registry refuses us.
        """
        value = message.value
        schema_id: str | None = None
        survey: str | None = None
        lane: Lane = "image" if message.source.topic in self._image_topics else "spectrum"
        try:
            if not value:
                raise Rejectable(
                    Reason.EMPTY_MESSAGE, "the message has no value", expected="an Avro record", received=""
                )
            if len(value) > self._max_message_bytes:
                raise Rejectable(
                    Reason.MESSAGE_TOO_LARGE,
                    "the message is larger than any that is decoded",
                    expected=f"at most {self._max_message_bytes} bytes",
                    received=f"{len(value)} bytes",
                )
            decoded = self._codec.decode(value)
            record, schema_name, schema_id = decoded.record, decoded.schema_name, decoded.schema_id
            if schema_name == SPECTRUM_SCHEMA:
                lane = "spectrum"
                survey = self._spectra.survey(record["survey"])
                identity, spectrum, size_bytes = self._spectra.decode(record)
                return Accepted(message, lane, identity, spectrum, schema_text(schema_name, schema_id), size_bytes)
            if schema_name in OTHER_SCHEMAS:
                raise Rejectable(
                    Reason.WRONG_SCHEMA,
                    f"{schema_name} is no input",
                    expected="l1_spectrum or an image alert",
                    received=schema_name,
                )
            lane = "image"
            identity, stamps = decode_alert(record, schema_name)
            images = (stamps.science, stamps.template, stamps.difference)
            size_bytes = sum(image.nbytes for image in images if isinstance(image, np.ndarray))
            return Accepted(message, lane, identity, stamps, schema_text(schema_name, schema_id), size_bytes)
        except Undecodable as error:
            return Rejected(
                message,
                lane,
                Reason(error.reason),
                error.message,
                error.field,
                error.expected,
                error.received,
                error.schema_id or schema_id,
            )
        except Rejectable as error:
            return Rejected(
                message,
                lane,
                error.reason,
                error.message,
                error.field,
                error.expected,
                error.received,
                error.schema_id or schema_id,
                error.survey or survey,
            )
        except RegistryUnavailable as error:
            raise Retryable(f"schema registry: {error}") from error
        except RegistryRefused as error:
            raise ConfigurationError(f"schemas.registry: {error}") from error


def schema_text(schema_name: str, schema_id: str | None) -> str:
    """Return how an L2 record names the writer's schema: its name and its id or digest."""
    return f"{schema_name}:{schema_id}" if schema_id else schema_name
