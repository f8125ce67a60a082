"""How much memory a datum may take once decoded, known from its schema before anything is decoded.

Every decoded value is paid for by bytes of the message, except where a schema lets it be free (records of nothing but
``null``). For each type we keep ``free_bytes`` and ``per_byte``, so that decoding n bytes takes at most
``free_bytes + per_byte x n`` bytes of Python objects, and ``least`` bytes on the wire. The costs are upper bounds of
CPython 3.11+ object sizes. A recursive schema has no such bound, nor has a list of things that take no bytes: both are
refused (a list of 2^60 nulls is a 20-byte message).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from schemas.definitions import named_types, resolve
from schemas.errors import Undecodable
from schemas.fingerprint import JsonSchema

_DICT_BYTES: Final = 232
_DICT_ENTRY_BYTES: Final = 48
_LIST_BYTES: Final = 88
_LIST_ENTRY_BYTES: Final = 9
_LEAST_BYTES: Final = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}
_PER_BYTE: Final = {
    "null": 0.0,
    "boolean": 0.0,
    "int": 32,
    "long": 32,
    "float": 6,
    "double": 3,
    "bytes": 40,
    "string": 80,
}
_ENUM_BYTES: Final = 8
_FIXED_BYTES: Final = 48
_MAX_DEPTH: Final = 100


@dataclass(frozen=True, slots=True)
class Bound:
    """Bound on the memory of a decoded datum: ``free_bytes + per_byte x (bytes on the wire)`` [byte].

    Attributes:
        least: Fewest bytes that a datum takes on the wire [byte].
        free_bytes: Memory that costs nothing on the wire [byte].
        per_byte: Memory for each byte on the wire [1].
    """

    least: int
    free_bytes: int
    per_byte: float

    def memory_bytes(self, wire_bytes: int) -> float:
        """Return the most memory that a datum of ``wire_bytes`` can take [byte]."""
        return self.free_bytes + self.per_byte * wire_bytes


def memory_bound(schema: JsonSchema) -> Bound:
    """Return the memory bound of a parsed schema.

    Raises:
        Undecodable: ``UNSUPPORTED`` for a schema without a bound.
    """
    return _Walk(named_types(schema)).bound(schema, 0)


class _Walk:
    """One walk over a schema: bounds of finished named types, and the names being walked (a second visit recurses)."""

    def __init__(self, names: dict[str, dict[str, Any]]) -> None:
        self._names = names
        self._finished: dict[str, Bound] = {}
        self._open: set[str] = set()

    def bound(self, schema: JsonSchema, depth: int) -> Bound:
        if depth > _MAX_DEPTH:
            raise _unbounded("is nested too deeply", f"at most {_MAX_DEPTH} levels")
        kind, definition = resolve(schema, self._names)
        if kind == "record" and isinstance(definition, dict):
            return self._record(definition, depth)
        if kind == "union":
            return self._union([self.bound(branch, depth + 1) for branch in definition])
        if kind == "array" and isinstance(definition, dict):
            return self._repeated(self.bound(definition["items"], depth + 1), 0, _LIST_BYTES, _LIST_ENTRY_BYTES)
        if kind == "map" and isinstance(definition, dict):
            values = self.bound(definition["values"], depth + 1)
            return self._repeated(values, 1, _DICT_BYTES, _DICT_ENTRY_BYTES + int(_PER_BYTE["string"]))
        if kind == "enum":
            return Bound(1, 0, _ENUM_BYTES)
        if kind == "fixed" and isinstance(definition, dict):
            return Bound(definition["size"], _FIXED_BYTES, 1)
        return Bound(_LEAST_BYTES[kind], 0, _PER_BYTE[kind])

    def _record(self, definition: dict[str, Any], depth: int) -> Bound:
        name = definition["name"]
        if name in self._finished:
            return self._finished[name]
        if name in self._open:
            raise _unbounded(f"is recursive in {name}", "a schema without recursion")
        self._open.add(name)
        parts = [self.bound(field["type"], depth + 1) for field in definition["fields"]]
        self._open.remove(name)
        free = _DICT_BYTES + _DICT_ENTRY_BYTES * len(parts) + sum(part.free_bytes for part in parts)
        bound = Bound(sum(part.least for part in parts), free, max((part.per_byte for part in parts), default=0.0))
        self._finished[name] = bound
        return bound

    @staticmethod
    def _union(branches: list[Bound]) -> Bound:
        # The branch number is a byte of its own, so what is free within a branch is paid for here.
        paid = [branch.free_bytes / (1 + branch.least) + branch.per_byte for branch in branches]
        return Bound(1 + min((branch.least for branch in branches), default=0), 0, max(paid, default=0.0))

    @staticmethod
    def _repeated(item: Bound, key_bytes: int, container_bytes: int, entry_bytes: int) -> Bound:
        least = item.least + key_bytes
        if least == 0:
            raise _unbounded("holds a list of items that take no bytes", "items of at least one byte")
        # The block that ends the list is a byte of its own, which pays for the empty list.
        return Bound(1, 0, max(container_bytes, (entry_bytes + item.free_bytes) / least + item.per_byte + _LIST_BYTES))


def _unbounded(what: str, expected: str) -> Undecodable:
    return Undecodable("UNSUPPORTED", f"the schema {what}", expected=expected, received="a schema without a bound")
