"""From a message to an accepted item or a rejection: dispatches on the name of the writer's schema.

Every ``Undecodable`` of the codec and every ``Rejectable`` of a decoder ends here as a ``Rejected``. A registry that is
away is not the message's fault: it passes through as ``Retryable``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol

import numpy as np

from schemas.catalogue import Catalogue
from schemas.codec import DecodedRecord
from schemas.errors import RegistryRefused, RegistryUnavailable, Undecodable
from stream.alerts import decode_alert
from stream.decode.plain import PlainSpectra
from stream.decode.spectrum import SpectrumDecoder
from stream.decoded import Accepted, Decoded, Lane, Rejected, lane_of
from stream.errors import ConfigurationError, Reason, Rejectable, Retryable
from stream.records.identity import encode_identity
from stream.transports.contract import Message

SPECTRUM_SCHEMA: Final = "org.specstream.l1_spectrum"
OTHER_SCHEMAS: Final = frozenset(
    f"org.specstream.{name}" for name in ("l2_classification", "dead_letter", "ledger", "label", "file_message")
)
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""Largest message that is decoded [byte]; a 4MOST spectrum is 278 kB, the largest alerts are a few MB."""


MAX_PLAIN_BYTES: Final = 1024 * 1024
"""Largest spectrum that is read among others [byte]."""
MIN_PLAIN_RECORDS: Final = 4
"""Fewer messages of one framing are decoded one by one [1]."""


class Decoder(Protocol):
    """What decoding needs of the codec."""

    @property
    def catalogue(self) -> Catalogue:
        """Return the schemas."""
        ...

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
        self._plain = PlainSpectra(codec.catalogue.current(SPECTRUM_SCHEMA).schema, self._spectra)
        self._headers: dict[bytes, str] = {}
        self._image_topics = frozenset(image_topics)
        self._max_message_bytes = max_message_bytes

    def decode_plain(self, messages: Sequence[Message]) -> list[Accepted | None]:
        """Return what ``decode`` makes of those messages that can be read together, and None for the others.

        Those are spectra of a framing and schema that ``decode`` has met before. Asks nobody and raises nothing.
        """
        found: list[Accepted | None] = [None] * len(messages)
        for header, schema in self._headers.items():
            rows = [
                row
                for row, message in enumerate(messages)
                if message.value is not None
                and message.value.startswith(header)
                and len(message.value) <= min(MAX_PLAIN_BYTES, self._max_message_bytes)
            ]
            if len(rows) < MIN_PLAIN_RECORDS:
                continue
            spectra = self._plain.read([messages[row].value or b"" for row in rows], len(header))
            for row, plain in zip(rows, spectra, strict=True):
                if plain is not None:
                    identity, spectrum, size_bytes = plain
                    lane = lane_of(spectrum)
                    found[row] = Accepted(messages[row], lane, identity, spectrum, schema, size_bytes)
        return found

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
                lane = lane_of(spectrum)
                schema = schema_text(schema_name, schema_id)
                if decoded.header:
                    self._headers[decoded.header] = schema
                return Accepted(message, lane, encode_identity(identity, lane), spectrum, schema, size_bytes)
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
            schema = schema_text(schema_name, schema_id)
            return Accepted(message, lane, encode_identity(identity, lane), stamps, schema, size_bytes)
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
