"""Where the fields of many records are: one schema read from a whole batch of messages at once, without decoding them.

A record of fifty small fields and three large arrays costs a decoder of records some 70 us, nearly all of it for fields
that only travel on. Here n messages are walked by compiled code: the result is positions, from which a reader takes the
values that it needs and copies the rest as bytes.

It answers for the plain messages only: ``Columns.plain`` is False for a message that is broken, that is no canonical
encoding (an integer in more bytes than it needs, a list in several blocks), whose text is not printable ASCII, or whose
small fields are larger than a window. Those are decoded one by one (``schemas.codec``), which says what is wrong, if
anything. What is said of a message never depends on those beside it. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.definitions import named_types, resolve
from schemas.errors import CatalogueError
from schemas.fingerprint import JsonSchema
from stream.decode.walk import (
    BOOLEAN,
    BYTES,
    FIELD,
    INTEGER,
    LIST,
    NEXT_ITEM,
    NOTED,
    NULLABLE,
    REAL,
    STRING,
    SYMBOL,
    walk,
)

FIRST_WINDOW: Final = 2_048
"""Bytes in which all fields before the first large array must lie [byte]."""
NEXT_WINDOW: Final = 448
"""Bytes in which the fields between two large arrays must lie [byte]; Python has pools for pieces of that size."""
_WIDTHS: Final = {"float": 4, "double": 8}
_SIMPLE: Final = {"string": STRING, "bytes": BYTES, "boolean": BOOLEAN, "int": INTEGER, "long": INTEGER}


@dataclass(frozen=True, slots=True)
class Columns:
    """What was found in n messages.

    Attributes:
        table: (n, fields, NOTED) int64, what ``stream.decode.walk`` notes of each field; positions count from the first
            byte of the message. Of fields within a field that is null nothing is noted (zeros).
        doubles: (n, columns) float64, values of the fields of type double, NaN where null.
        plain: (n,) which messages are plain; of the others nothing is said.
    """

    table: NDArray[np.int64]
    doubles: NDArray[np.float64]
    plain: NDArray[np.bool_]


class ColumnReader:
    """Reads messages of one schema.

    Args:
        schema: a parsed record schema whose unions are all of null, first, and one other type; without maps.

    Attributes:
        fields: place of each field in the table, by name: ``grid.n`` for those within a record; what is within a list
            has no place.
        doubles: column of each field of type double, by name.

    Raises:
        CatalogueError: the schema has a type that is not read in columns.
    """

    def __init__(self, schema: JsonSchema) -> None:
        self.fields: dict[str, int] = {}
        self.doubles: dict[str, int] = {}
        self._names = named_types(schema)
        self._steps: list[list[int]] = []
        self._depth = self._deepest = 0
        self._write(schema, "", -1)
        self._program = np.array(self._steps, dtype=np.int64)
        self.read([b"\x00"], 0)  # the walk is compiled, or loaded, now and not while messages wait

    def _write(self, schema: JsonSchema, name: str, field: int) -> None:
        """Write the steps of one value."""
        kind, definition = resolve(schema, self._names)
        if isinstance(definition, list) and len(definition) == 2 and resolve(definition[0], self._names)[0] == "null":
            if self._steps and self._steps[-1] == [FIELD, field, 0, 0]:
                self._steps.pop()
            step = self._step(NULLABLE, field)
            self._write(definition[1], name, field)
            step[2] = len(self._steps)
        elif kind == "record" and isinstance(definition, dict):
            for inner in definition["fields"]:
                self._field(inner["type"], inner["name"], name, nested=bool(self._depth))
        elif kind == "array" and isinstance(definition, dict):
            step = self._step(LIST, field, 0, self._depth)
            self._depth += 1
            self._deepest = max(self._depth, self._deepest)
            item = len(self._steps)
            self._write(definition["items"], "", -1)
            self._depth -= 1
            self._step(NEXT_ITEM, -1, item, self._depth)
            step[2] = len(self._steps)
        elif kind == "enum" and isinstance(definition, dict):
            self._step(SYMBOL, field, len(definition["symbols"]))
        elif kind in _WIDTHS:
            column = self.doubles.setdefault(name, len(self.doubles)) if name and kind == "double" else -1
            self._step(REAL, field, _WIDTHS[kind], column)
        elif kind in _SIMPLE:
            self._step(_SIMPLE[kind], field)
        else:
            message = f"{definition!r} is not read in columns"
            raise CatalogueError(message)

    def _field(self, schema: JsonSchema, name: str, outer: str, *, nested: bool) -> None:
        if nested:
            self._write(schema, "", -1)
            return
        full = f"{outer}.{name}" if outer else name
        field = self.fields.setdefault(full, len(self.fields))
        self._step(FIELD, field)
        self._write(schema, full, field)

    def _step(self, code: int, field: int, argument: int = 0, other: int = 0) -> list[int]:
        self._steps.append([code, field, argument, other])
        return self._steps[-1]

    def read(self, values: Sequence[bytes], start: int) -> Columns:
        """Return where the fields of messages are.

        Args:
            values: n >= 1 messages, none of them empty.
            start: index of the first byte of the record in each.
        """
        n = len(values)
        lengths = np.fromiter(map(len, values), np.int64, n)
        at: NDArray[np.int64] = np.minimum(start, lengths)
        step = np.zeros(n, np.int64)
        items = np.zeros((n, max(1, self._deepest)), np.int64)
        table = np.zeros((n, NOTED * len(self.fields)), np.int64)
        doubles: NDArray[np.float64] = np.full((n, max(1, len(self.doubles))), np.nan)
        plain = np.zeros(n, np.bool_)
        width = FIRST_WINDOW
        while True:
            data, last = _window(values, at, width)
            first = np.concatenate([_ZERO, last[:-1]])
            bits: NDArray[Any] = doubles.view(np.uint64)
            if not walk(self._program, data, first, last, lengths, at, step, items, table, bits, plain):
                return Columns(table.reshape(n, len(self.fields), NOTED), doubles, plain)
            width = NEXT_WINDOW


_ZERO: Final = np.zeros(1, np.int64)


def _window(values: Sequence[bytes], at: NDArray[np.int64], width: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the bytes of messages from a position of each, one after the other, and where each ends."""
    pieces = [value[begin : begin + width] for value, begin in zip(values, at.tolist(), strict=True)]
    return np.frombuffer(b"".join(pieces), np.uint8), np.cumsum(np.fromiter(map(len, pieces), np.int64, len(pieces)))
