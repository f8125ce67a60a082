"""Avro's binary encoding of the few types that an L2 record uses, one value or one column at a time; pure.

Written for the hot path of the L2 records; the codec encodes everything else.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

NULL: Final = b"\x00"
PRESENT: Final = b"\x02"
"""Branches 0 and 1 of a union ["null", T]."""

pack_double: Final[Callable[[float], bytes]] = struct.Struct("<d").pack


def long_bytes(value: int) -> bytes:
    """Return an int or long: zigzag, then seven bits a byte, lowest first."""
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


_LENGTHS: Final = tuple(long_bytes(length) for length in range(256))


def string_bytes(text: str) -> bytes:
    """Return a string."""
    raw = text.encode()
    return (_LENGTHS[len(raw)] if len(raw) < 256 else long_bytes(len(raw))) + raw


def nullable_string(text: str | None) -> bytes:
    """Return a ["null", "string"]."""
    return NULL if text is None else PRESENT + string_bytes(text)


def nullable_long(value: int | None) -> bytes:
    """Return a ["null", "int"] or ["null", "long"]."""
    return NULL if value is None else PRESENT + long_bytes(value)


def nullable_double(value: float | None) -> bytes:
    """Return a ["null", "double"]."""
    return NULL if value is None else PRESENT + pack_double(value)


def nullable_double_rows(columns: Sequence[NDArray[np.float64] | None], n: int) -> list[bytes]:
    """Return for each of n rows its consecutive ["null", "double"] fields: NaN is null, a column None all null.

    All rows are laid out at full width at once; the bytes of values that are NaN are then squeezed out.
    """
    width = len(columns)
    table = np.zeros((n, width, 9), dtype=np.uint8)
    keep = np.zeros((n, width, 9), dtype=np.bool_)
    keep[:, :, 0] = True
    for place, column in enumerate(columns):
        if column is None:
            continue
        values = np.ascontiguousarray(column, dtype="<f8")
        present = ~np.isnan(values)
        table[:, place, 0] = np.where(present, PRESENT[0], NULL[0])
        table[:, place, 1:] = values.view(np.uint8).reshape(n, 8)
        keep[:, place, 1:] = present[:, None]
    squeezed = table[keep].tobytes()
    ends = np.cumsum(keep.reshape(n, -1).sum(axis=1)).tolist()
    return [squeezed[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def double_map_rows(keys: Sequence[str], values: NDArray[np.float64]) -> list[bytes]:
    """Return for each row a map<double> with these keys in their order.

    Args:
        keys: k keys.
        values: (n, k); a row with NaN is absent and gives an empty map: NaN is never published as a probability.
    """
    n, k = values.shape
    if k == 0:
        return [NULL] * n
    names = [string_bytes(key) for key in keys]
    head = long_bytes(k)
    width = len(head) + sum(len(name) + 8 for name in names) + 1
    table = np.zeros((n, width), dtype=np.uint8)
    raw = np.ascontiguousarray(values, dtype="<f8").view(np.uint8).reshape(n, k, 8)
    table[:, : len(head)] = np.frombuffer(head, dtype=np.uint8)
    place = len(head)
    for column, name in enumerate(names):
        table[:, place : place + len(name)] = np.frombuffer(name, dtype=np.uint8)
        place += len(name)
        table[:, place : place + 8] = raw[:, column]
        place += 8
    joined = table.tobytes()
    absent = set(np.flatnonzero(np.isnan(values).any(axis=1)).tolist())
    return [NULL if row in absent else joined[row * width : (row + 1) * width] for row in range(n)]
