"""Avro schema fingerprints: CRC-64-AVRO over the parsing canonical form (Avro 1.11, "Schema Fingerprints")."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from fastavro.schema import to_parsing_canonical_form

JsonSchema: TypeAlias = str | list[Any] | dict[str, Any]
"""An Avro schema as JSON gives it: a type name, a union, or a definition."""

_EMPTY: Final = 0xC15D213AA4D7A795


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        row = byte
        for _ in range(8):
            row = (row >> 1) ^ (_EMPTY if row & 1 else 0)
        rows.append(row)
    return tuple(rows)


_TABLE: Final = _table()


def crc_64_avro(data: bytes) -> int:
    """Return the 64-bit Rabin fingerprint of ``data`` as the Avro specification defines it.

    >>> hex(crc_64_avro(b'"int"'))
    '0x7275d51a3f395c8f'
    """
    value = _EMPTY
    for byte in data:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value


def fingerprint(schema: JsonSchema) -> int:
    """Return the fingerprint of a schema: equal for schemas that read the same bytes the same way.

    Documentation, defaults and logical types do not enter (they are not part of the parsing canonical form).
    """
    return crc_64_avro(to_parsing_canonical_form(schema).encode())
