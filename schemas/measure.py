"""How much memory one datum takes once decoded, counted by walking over its bytes without decoding them.

The bound that a schema gives (``schemas.bounds``) is coarse: it takes every byte for the most expensive kind. Where a
large message exceeds the limit by that bound, it is measured here before it is given up: a 6 MB image passes, a 6 MB
list of a million small records does not. The same walk tells where a datum among others ends. Costs a microsecond an
item. Pure.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.definitions import named_types, resolve
from schemas.fingerprint import JsonSchema

# Memory of one value beyond its content [byte], upper bounds for CPython 3.11+; never below what a visit here costs.
_VALUE_BYTES: Final = 72
_RECORD_BYTES: Final = 232
_ENTRY_BYTES: Final = 48
_TEXT_FACTOR: Final = 4
_FIXED_WIDTH: Final[Mapping[str, int]] = {"float": 4, "double": 8, "boolean": 1}


class _TooMuch(Exception):
    """The limit is passed, or the bytes end: either way there is nothing more to count."""


def exceeds(schema: JsonSchema, value: bytes, start: int, limit_bytes: int) -> bool:
    """Return whether a datum takes more memory than the limit once decoded.

    Args:
        schema: Parsed schema of the writer, without recursion.
        value: The bytes that hold the datum.
        start: Index of its first byte.
        limit_bytes: The limit [byte].

    Returns:
        True when it does. Broken bytes count up to where they break: decoding stops there too.
    """
    meter = _Meter(named_types(schema), value, start, limit_bytes)
    with contextlib.suppress(_TooMuch):
        meter.visit(schema)
    return meter.left_bytes < 0


def datum_end(schema: JsonSchema, value: bytes, start: int) -> int | None:
    """Return the index after a datum, found by walking over its bytes; None where they end or break within it.

    Args:
        schema: Parsed schema of the writer, with a memory bound (``schemas.bounds``).
        value: The bytes that hold the datum.
        start: Index of its first byte.
    """
    meter = _Meter(named_types(schema), value, start, sys.maxsize)
    try:
        meter.visit(schema)
    except _TooMuch:
        return None
    return meter.position


class _Meter:
    """Position in the bytes and memory left, while a datum is walked over."""

    def __init__(self, names: dict[str, dict[str, Any]], value: bytes, start: int, limit_bytes: int) -> None:
        self.left_bytes = limit_bytes
        self._names = names
        self._value = value
        self.position = start

    def visit(self, schema: JsonSchema) -> None:
        """Walk over one value."""
        kind, definition = resolve(schema, self._names)
        if isinstance(definition, list):
            branch = self._long()
            if not 0 <= branch < len(definition):
                raise _TooMuch
            self.visit(definition[branch])
        elif kind == "record" and isinstance(definition, dict):
            self._spend(_RECORD_BYTES + _ENTRY_BYTES * len(definition["fields"]))
            for field in definition["fields"]:
                self.visit(field["type"])
        elif kind == "array" and isinstance(definition, dict):
            self._blocks(lambda: self.visit(definition["items"]))
        elif kind == "map" and isinstance(definition, dict):
            self._blocks(lambda: self._entry(definition["values"]))
        elif kind in {"int", "long", "enum"}:
            self._spend(_VALUE_BYTES)
            self._long()
        elif kind in {"bytes", "string"}:
            size = self._long()
            self._skip(size)
            self._spend(_VALUE_BYTES + (size if kind == "bytes" else _TEXT_FACTOR * size))
        elif kind == "fixed" and isinstance(definition, dict):
            self._skip(int(definition["size"]))
            self._spend(_VALUE_BYTES + int(definition["size"]))
        elif kind in _FIXED_WIDTH:
            self._spend(_VALUE_BYTES)
            self._skip(_FIXED_WIDTH[kind])

    def _entry(self, values: JsonSchema) -> None:
        self._spend(_ENTRY_BYTES)
        self.visit("string")
        self.visit(values)

    def _blocks(self, visit_item: Callable[[], None]) -> None:
        self._spend(_RECORD_BYTES)
        while count := self._long():
            if count < 0:
                count = -count
                self._long()
            for _ in range(count):
                visit_item()

    def _spend(self, size_bytes: int) -> None:
        self.left_bytes -= size_bytes
        if self.left_bytes < 0:
            raise _TooMuch

    def _skip(self, count: int) -> None:
        if count < 0 or self.position + count > len(self._value):
            raise _TooMuch
        self.position += count

    def _long(self) -> int:
        number = shift = 0
        while self.position < len(self._value):
            byte = self._value[self.position]
            self.position += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)
            shift += 7
        raise _TooMuch
