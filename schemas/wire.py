r"""The framings of an Avro message, told apart by their first bytes before anything else is read.

| first bytes | framing | what follows |
| --- | --- | --- |
| ``00`` | Confluent | 4-byte big-endian schema id, one datum |
| ``C3 01`` | single-object encoding | 8-byte little-endian CRC-64-AVRO fingerprint, one datum |
| ``4F 62 6A 01`` (``Obj\x01``) | object container | header with its own schema, blocks of data |
| anything else | bare | one datum; the schema must be known from elsewhere |

The order matters: feeding a framed message to a container reader asks for gigabytes, and a datum read with another's
schema can succeed silently. Pure: bytes in, values out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.errors import Undecodable

CONFLUENT_MAGIC: Final = b"\x00"
SINGLE_OBJECT_MAGIC: Final = b"\xc3\x01"
CONTAINER_MAGIC: Final = b"Obj\x01"

_CONFLUENT: Final = struct.Struct(">I")
_SINGLE_OBJECT: Final = struct.Struct("<Q")


class Framing(StrEnum):
    """How a message says which schema it was written with."""

    CONFLUENT = "confluent"
    SINGLE_OBJECT = "single-object"
    CONTAINER = "container"
    BARE = "bare"


@dataclass(frozen=True, slots=True)
class Frame:
    """The framing of one message.

    Attributes:
        framing: Which framing.
        start: Index of the first byte after the framing [byte].
        schema_key: Confluent id or CRC-64-AVRO fingerprint; None where the framing holds none.
    """

    framing: Framing
    start: int
    schema_key: int | None = None

    @property
    def schema_id(self) -> str | None:
        """The id (decimal) or fingerprint (16 hex digits) as text; None where the framing holds none."""
        if self.schema_key is None:
            return None
        return str(self.schema_key) if self.framing is Framing.CONFLUENT else format_fingerprint(self.schema_key)


def format_fingerprint(value: int) -> str:
    """Return a 64-bit fingerprint as 16 hex digits, most significant first."""
    return f"{value:016x}"


def recognise(value: bytes) -> Frame:
    """Tell the framing of a message from its first bytes.

    Args:
        value: The whole message.

    Raises:
        Undecodable: ``EMPTY_MESSAGE`` without any byte, ``UNDECODABLE`` when it ends within its framing.
    """
    if not value:
        raise Undecodable("EMPTY_MESSAGE", "the message is empty", expected="an Avro message", received="0 bytes")
    first = value[0]
    if first == 0x00:
        if len(value) < 5:
            raise _cut(Framing.CONFLUENT, 5, value)
        return Frame(Framing.CONFLUENT, 5, _CONFLUENT.unpack_from(value, 1)[0])
    if first == 0xC3 and value[:2] == SINGLE_OBJECT_MAGIC:
        if len(value) < 10:
            raise _cut(Framing.SINGLE_OBJECT, 10, value)
        return Frame(Framing.SINGLE_OBJECT, 10, _SINGLE_OBJECT.unpack_from(value, 2)[0])
    if first == 0x4F and value[:4] == CONTAINER_MAGIC:
        return Frame(Framing.CONTAINER, 4)
    return Frame(Framing.BARE, 0)


def confluent_header(schema_id: int) -> bytes:
    """Return the 5 bytes that precede a datum in Confluent framing."""
    return CONFLUENT_MAGIC + _CONFLUENT.pack(schema_id)


def single_object_header(fingerprint: int) -> bytes:
    """Return the 10 bytes that precede a datum in single-object encoding."""
    return SINGLE_OBJECT_MAGIC + _SINGLE_OBJECT.pack(fingerprint)


def _cut(framing: Framing, header_bytes: int, value: bytes) -> Undecodable:
    return Undecodable(
        "UNDECODABLE",
        f"the message ends within its {framing} header",
        expected=f"at least {header_bytes} bytes",
        received=f"{len(value)} bytes",
    )
