"""Dead letters: a rejected message with its original bytes, its coordinates and the reason; pure."""

from __future__ import annotations

from typing import Any, Final

from stream.decoded import Accepted, Rejected, published_lane
from stream.encoding import Encode
from stream.errors import Reason
from stream.records.finished import Finished

MAX_TEXT: Final = 2_000
"""Longest text of a dead letter [character]: what came may be anything."""


class DeadLetterWriter:
    """Makes the dead letters."""

    def __init__(self, *, topic: str, program_version: str, encode: Encode) -> None:
        self._topic = topic
        self._program_version = program_version
        self._encode = encode

    def record(self, rejected: Rejected) -> dict[str, Any]:
        """Return the dead letter (schema ``dead_letter``) of a rejected message."""
        message = rejected.message
        return {
            "source": {
                "topic": message.source.topic,
                "partition": message.source.partition,
                "offset": message.offset,
                "timestamp_ms": message.timestamp_ms,
            },
            "reason": rejected.reason.value,
            "message": clean_text(rejected.explanation),
            "field": clean_text(rejected.field),
            "expected": clean_text(rejected.expected),
            "received": clean_text(rejected.received),
            "schema_id": clean_text(rejected.schema_id),
            "survey": clean_text(rejected.survey),
            "program_version": self._program_version,
            "original_key": message.key,
            "original_value": message.value,
            "original_headers": [{"name": clean_text(name), "value": value} for name, value in message.headers],
        }

    def finish(self, rejected: Rejected) -> Finished:
        """Return the dead-letter message of a rejected message; its key is the original's, else its coordinates."""
        message = rejected.message
        coordinates = f"{message.source.topic}/{message.source.partition}/{message.offset}".encode()
        return Finished(
            self._topic,
            message.key or coordinates,
            self._encode("dead_letter", self.record(rejected)),
            (
                ("reason", rejected.reason.encode()),
                ("lane", published_lane(rejected.lane).encode()),
                ("l1_append_ms", str(message.timestamp_ms).encode()),
            ),
            rejected.lane,
            rejected.survey or "",
            message.timestamp_ms,
            rejected.reason,
        )


def refused_by_engines(item: Accepted, error: Exception) -> Rejected:
    """Return the rejection of an item that decoded well but on which the engines failed."""
    return Rejected(
        item.message,
        item.lane,
        Reason.INVALID_VALUE,
        f"the {item.lane} engines cannot compute this item: {type(error).__name__}: {error}",
        received=type(error).__name__,
        schema_id=item.schema,
        survey=item.identity.survey,
    )


def clean_text(text: str | None) -> str | None:
    """Return text that any Avro string can hold: shortened, and without lone surrogates."""
    if text is None:
        return None
    return text[:MAX_TEXT].encode("utf-8", "backslashreplace").decode("utf-8")
