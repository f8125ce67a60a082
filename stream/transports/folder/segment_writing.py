"""Segments written: Avro object containers of ``file_message`` records, framed by hand.

The schema is fixed and the values are opaque bytes, so the encoding is written out here (Avro 1.11 specification,
"Binary encoding" and "Object container files"): a general encoder spends more on a record than the disk does. Any Avro
tool opens the result. Offsets are stored relative to the segment's base offset, which is not known when it is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache, reduce
from importlib import resources
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from stream.transports.contract import Headers

MAGIC = b"Obj\x01"
SYNC_SIZE = 16
BLOCK_BYTES = (
    1 << 20
)  # a block is closed once it holds this much: what a reader has in memory at once, plus one message


class StoredMessage(NamedTuple):
    """One message of a segment; ``offset`` is relative to the segment's base offset."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int


@cache
def segment_schema() -> str:
    """Return the Avro schema of a message in a segment, as compact JSON."""
    text = (resources.files("schemas") / "avro" / "file_message.avsc").read_text(encoding="utf-8")
    return json.dumps(json.loads(text), separators=(",", ":"))


@lru_cache(maxsize=1 << 16)
def encode_long(number: int) -> bytes:
    """Return an Avro long: zig-zag, then 7 bits a byte, least significant first."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append((rest & 0x7F) | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


class WrittenSegment(NamedTuple):
    """A segment on disk: its size, and the CRC-32 (ISO 3309, as zlib's) of what each of its blocks holds."""

    size_bytes: int
    block_crc32: list[int]


def write_segment(path: Path, messages: Iterable[StoredMessage]) -> WrittenSegment:
    """Write and fsync a new segment.

    Raises:
        OSError: the disk refused.
    """
    sync = os.urandom(SYNC_SIZE)
    checksums = []
    with path.open("xb", buffering=BLOCK_BYTES) as file:
        file.write(_header(sync))
        for count, size, parts in _blocks(messages):
            file.write(encode_long(count) + encode_long(size))
            file.writelines(parts)
            file.write(sync)
            checksums.append(reduce(lambda known, part: crc32(part, known), parts, 0))
        file.flush()
        os.fsync(file.fileno())
        return WrittenSegment(file.tell(), checksums)


def _header(sync: bytes) -> bytes:
    pairs = ((b"avro.schema", segment_schema().encode()), (b"avro.codec", b"null"))
    entries = b"".join(encode_long(len(part)) + part for pair in pairs for part in pair)
    return MAGIC + encode_long(len(pairs)) + entries + b"\x00" + sync


def _blocks(messages: Iterable[StoredMessage]) -> Iterator[tuple[int, int, list[bytes]]]:
    parts: list[bytes] = []
    count = size = 0
    for offset, key, value, headers, timestamp_ms in messages:
        head = encode_long(offset) + _optional(key)
        tail = (_headers(headers) if headers else b"\x00") + encode_long(timestamp_ms)
        if value is None:
            parts.append(head + b"\x00" + tail)
            size += len(head) + 1 + len(tail)
        else:
            head += b"\x02" + encode_long(len(value))
            parts += (head, value, tail)
            size += len(head) + len(value) + len(tail)
        count += 1
        if size >= BLOCK_BYTES:
            yield count, size, parts
            parts, count, size = [], 0, 0
    if count:
        yield count, size, parts


def _headers(headers: Headers) -> bytes:
    out = [encode_long(len(headers))]
    for name, value in headers:
        encoded = name.encode()
        out += (encode_long(len(encoded)), encoded, _optional(value))
    out.append(b"\x00")
    return b"".join(out)


def _optional(value: bytes | None) -> bytes:
    return b"\x00" if value is None else b"\x02" + encode_long(len(value)) + value
