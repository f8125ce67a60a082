"""Where the fields of many records are: one schema read from a whole batch of messages at once, without decoding them.

A record of fifty small fields and three large arrays costs a decoder of records some 70 us, nearly all of it for fields
that only travel on. Here the n messages are walked side by side, field by field, with one array operation for all of
them: the result is positions, from which a reader takes the values that it needs and copies the rest as bytes.

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
from schemas.window import Booleans, Integers, Window

FIRST_WINDOW: Final = 2_048
"""Bytes in which all fields before the first large array must lie [byte]."""
NEXT_WINDOW: Final = 1_024
"""Bytes in which the fields between two large arrays must lie [byte]."""
MAX_ITEMS: Final = 32
"""Longest list of a plain message [item]."""
_WIDTHS: Final = {"float": 4, "double": 8}
_MAX_VARINT_BYTES: Final = 10
_NOTHING: Final = np.zeros(0, np.int64)
_EIGHT: Final = np.arange(8)
_SMALL_LONG: Final = np.array([(byte >> 1) ^ -(byte & 1) for byte in range(256)], np.int64)
"""Integers written in one byte: zigzag undone."""


class Column:
    """One field of n messages; positions count from the first byte of each message.

    Attributes:
        present: (n,) False where it is null.
        size: (n,) length of the content (text, bytes) [byte].
        number: (n,) value of an integer, index of a symbol, 0 or 1 of a boolean; 0 where null.
    """

    __slots__ = ("_first", "_last", "_origin", "_start", "data", "number", "present", "size")

    def __init__(self, window: Window, first: Integers, present: Booleans) -> None:
        self.data = window.data
        self._origin = window.origin
        self._first = self._last = self._start = first
        self.present = present
        self.size: NDArray[Any] = _NOTHING
        self.number: NDArray[Any] = _NOTHING

    def content(self, start: Integers, size: NDArray[Any], last: Integers) -> None:
        """Note where the content is, how long, and where the field ends, as indices of the window's data."""
        self._start, self.size, self._last = start, size, last

    def ends(self, last: Integers) -> None:
        """Note where the field ends, as an index of the window's data."""
        self._last = last

    @property
    def at(self) -> Integers:
        """Return where its encoding begins: (n,) positions."""
        return self._first - self._origin

    @property
    def end(self) -> Integers:
        """Return the position after its encoding: (n,)."""
        return self._last - self._origin

    @property
    def start(self) -> Integers:
        """Return where its content begins (text, bytes, floating-point numbers): (n,) positions."""
        return self._start - self._origin

    def doubles(self) -> NDArray[np.float64]:
        """Return the values of a field of type double: (n,), NaN where null."""
        if not self.present.any():
            return np.full(self.present.shape, np.nan)
        raw: NDArray[np.float64] = self.data.take(self._start[:, None] + _EIGHT, mode="clip").view("<f8")[:, 0]
        return np.where(self.present, raw, np.nan)


@dataclass(frozen=True, slots=True)
class Columns:
    """The fields of n messages by name (``grid.n`` for those within a record), and which messages are ``plain``."""

    fields: dict[str, Column]
    plain: Booleans


@dataclass(frozen=True, slots=True)
class _Node:
    """A type of the schema, resolved; ``inner``: fields of a record, items of a list, the other type of a union."""

    kind: str
    inner: tuple[tuple[str, _Node], ...] = ()
    symbols: int = 0


class ColumnReader:
    """Reads messages of one schema.

    Args:
        schema: a parsed record schema whose unions are all of null, first, and one other type; without maps.

    Raises:
        CatalogueError: the schema has a type that is not read in columns.
    """

    def __init__(self, schema: JsonSchema) -> None:
        self._node = _node(schema, named_types(schema))

    def read(self, values: Sequence[bytes], start: int) -> Columns:
        """Return where the fields of messages are.

        Args:
            values: n >= 1 messages, none of them empty.
            start: index of the first byte of the record in each.
        """
        walk = _Walk(values, start)
        walk.visit(self._node, "", None)
        return walk.close()


def _node(schema: JsonSchema, names: dict[str, dict[str, Any]]) -> _Node:
    kind, definition = resolve(schema, names)
    if isinstance(definition, list):
        kinds = [resolve(branch, names)[0] for branch in definition]
        if len(kinds) == 2 and kinds[0] == "null" and kinds[1] != "null":
            return _Node("nullable", (("", _node(definition[1], names)),))
    elif kind == "record" and isinstance(definition, dict):
        return _Node(kind, tuple((field["name"], _node(field["type"], names)) for field in definition["fields"]))
    elif kind == "array" and isinstance(definition, dict):
        return _Node(kind, (("", _node(definition["items"], names)),))
    elif kind == "enum" and isinstance(definition, dict):
        return _Node(kind, symbols=len(definition["symbols"]))
    elif kind in {"string", "bytes", "int", "long", "boolean", *_WIDTHS}:
        return _Node("long" if kind == "int" else kind)
    message = f"{definition!r} is not read in columns"
    raise CatalogueError(message)


class _Walk:
    """The state of one reading: ``at`` is the index, in the window's data, of the next byte of each message."""

    def __init__(self, values: Sequence[bytes], start: int) -> None:
        self._values = values
        n = len(values)
        self._all, self._none = np.ones(n, np.bool_), np.zeros(n, np.bool_)
        self._bad = np.zeros(n, np.bool_)
        self._lengths = np.fromiter(map(len, values), np.int64, n)
        self._shortest = int(self._lengths.min())
        self._fields: dict[str, Column] = {}
        self._window = Window(values, [start] * n, FIRST_WINDOW)
        self._at = self._window.first

    def visit(self, node: _Node, name: str, active: Booleans | None) -> None:
        """Walk over one value; ``active`` None: in every message, else only where True."""
        column = Column(self._window, self._at, self._all if active is None else active)
        if name:
            self._fields[name] = column
        if node.kind == "nullable":
            column.present = self._branch(active)
            node = node.inner[0][1]
            if column.present is self._none or not column.present.any():
                column.ends(self._at)
                return
            active = None if column.present.all() else column.present
        if node.kind == "string":
            size = self._size(active)
            start, self._at = self._at, self._at + size
            column.content(start, size, self._at)
            self._window.texts.append((start, self._at))
            return
        if node.kind == "bytes":
            self._bytes(column, active)
            return
        if node.kind == "record":
            for inner_name, inner in node.inner:
                self.visit(inner, f"{name}.{inner_name}" if name else inner_name, active)
        elif node.kind == "array":
            self._items(node.inner[0][1], active)
        elif node.kind in _WIDTHS:
            width = _WIDTHS[node.kind]
            start, self._at = self._at, self._at + (width if active is None else width * active)
            column.content(start, _NOTHING, self._at)
        elif node.kind == "boolean":
            column.number = self._byte(active)
            self._bad |= column.number > 1
        else:
            column.number = self._long(active)
            if node.kind == "enum":
                self._bad |= (column.number < 0) | (column.number >= node.symbols)
        column.ends(self._at)

    def close(self) -> Columns:
        """Return what was found."""
        self._leave()
        self._bad |= self._at - self._window.origin != self._lengths
        return Columns(self._fields, ~self._bad)

    def _bytes(self, column: Column, active: Booleans | None) -> None:
        """Read the length, leap over the content, and open the next window behind it."""
        size = self._size(active)
        column.content(self._at, size, self._at + size)
        if not size.any():
            return
        self._leave()
        # A length beyond its message ends the walk there: the position is not the message's end, so it is not plain.
        after = column.end
        self._bad |= after > self._lengths
        after = np.minimum(after, self._lengths)
        self._window = Window(self._values, after.tolist(), NEXT_WINDOW)
        self._at = self._window.first

    def _leave(self) -> None:
        """Close the window: what was read in it must lie in it, and its text must be plain."""
        window = self._window
        self._bad |= self._at > window.first + window.width
        if window.texts:
            self._bad |= window.strange_text(self._at)

    def _items(self, node: _Node, active: Booleans | None) -> None:
        """Read a list written as one block, or an empty one."""
        left = self._long(active)
        if not left.any():
            return
        self._bad |= (left < 0) | (left > MAX_ITEMS)
        left = np.where(self._bad, 0, left)
        filled = left > 0
        while (more := left > 0).any():
            self.visit(node, "", more)
            left = left - more
        if filled.any():
            self._bad |= self._long(filled) != 0

    def _branch(self, active: Booleans | None) -> Booleans:
        byte = self._byte(active)
        if not byte.any():
            return self._none
        present: Booleans = byte == 2  # a branch number is a zigzag integer: 0 is written as 0, 1 as 2
        self._bad |= (byte & 0xFD) != 0
        return present

    def _size(self, active: Booleans | None) -> Integers:
        size = self._long(active)
        if size.min() < 0 or size.max() > self._shortest:
            impossible = (size < 0) | (size > self._lengths)
            self._bad |= impossible
            size = np.where(impossible, 0, size)  # two lengths near 2^63 would add up to a place before the message
        return size

    def _byte(self, active: Booleans | None) -> NDArray[np.uint8]:
        byte: NDArray[np.uint8] = self._window.data.take(self._at, mode="clip")
        if active is None:
            self._at = self._at + 1
        else:
            byte *= active
            self._at = self._at + active
        return byte

    def _long(self, active: Booleans | None) -> Integers:
        byte = self._byte(active)
        if byte.max() > 0x7F:
            return self._rest_of_long(byte)
        number: Integers = _SMALL_LONG.take(byte)
        return number

    def _rest_of_long(self, byte: NDArray[np.uint8]) -> Integers:
        """Read on after the first byte of integers of which some have several."""
        number = (byte & 0x7F).astype(np.int64)
        more = byte > 0x7F
        for count in range(1, _MAX_VARINT_BYTES - 1):
            byte = self._byte(more)
            number |= (byte & 0x7F).astype(np.int64) << (7 * count)
            self._bad |= more & (byte == 0)
            more = byte > 0x7F
            if not more.any():
                break
        self._bad |= more
        return (number >> 1) ^ -(number & 1)
