"""Segments read back, one block at a time, so that memory does not grow with the segment.

Everything that a block or message claims about lengths is checked against what is there: a damaged segment is a
``SegmentDamaged`` that says where, never a short message or a huge allocation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from zlib import crc32

from stream.errors import Fatal
from stream.transports.contract import Headers, Message, TopicPartition
from stream.transports.folder.commit_record import SegmentEntry
from stream.transports.folder.segment_writing import BLOCK_BYTES, MAGIC, SYNC_SIZE, segment_schema


class SegmentDamaged(Fatal):
    """A segment is not what its commit says; the message names the file and the byte where reading stopped."""

    def __init__(self, path: Path, position: int, what: str) -> None:
        super().__init__(f"{path}: damaged at byte {position}: {what}")
        self.path = path
        self.position = position


def read_segment(path: Path, entry: SegmentEntry, start: int, epoch: int) -> Iterator[list[Message]]:
    """Yield the messages of a segment from offset ``start`` on, in lists of a block each.

    Args:
        path: the segment.
        entry: what its commit says about it.
        start: first offset wanted, in the partition's own count.
        epoch: ownership epoch to mark the messages with.

    Raises:
        SegmentDamaged: the file is missing, shorter, longer, or holds something else.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise SegmentDamaged(path, 0, error.strerror or str(error)) from error
    with file:
        size = file.seek(0, 2)
        if size != entry.size_bytes:
            raise SegmentDamaged(path, min(size, entry.size_bytes), f"expected {entry.size_bytes} bytes, found {size}")
        file.seek(0)
        sync = _read_header(path, file, size)
        records, last, blocks = 0, -1, 0
        room = bytearray(BLOCK_BYTES)
        while (position := file.tell()) < size:
            count, length = _file_long(path, file), _file_long(path, file)
            body = file.tell()
            if count < 1 or length < 0 or body + length + SYNC_SIZE > size:
                raise SegmentDamaged(path, position, f"a block of {count} messages in {length} bytes cannot be")
            if length > len(room):
                room = bytearray(length)
            block = memoryview(room)[:length]
            if file.readinto(block) != length or file.read(SYNC_SIZE) != sync:
                raise SegmentDamaged(path, body + length, "the block does not end with the segment's sync marker")
            _check_sum(path, body, block, entry.block_crc32, blocks)
            blocks += 1
            try:
                messages, last = _decode_block(block, count, entry, start, epoch, last)
            except (IndexError, ValueError) as error:
                raise SegmentDamaged(path, body, str(error) or "a message runs past the end of its block") from error
            records += count
            if messages:
                yield messages
        if records != entry.records or entry.base_offset + last + 1 != entry.next_offset:
            raise SegmentDamaged(
                path,
                size,
                f"expected {entry.records} messages up to offset {entry.next_offset - 1}, "
                f"found {records} up to {entry.base_offset + last}",
            )


def _check_sum(path: Path, body: int, block: memoryview, known: list[int], number: int) -> None:
    """Raise where what a block holds is not what was written."""
    expected = known[number] if number < len(known) else None
    if (found := crc32(block)) != expected:
        raise SegmentDamaged(
            path, body, f"expected a block of CRC-32 {expected}, found {found}: its bytes were changed"
        )


def _read_header(path: Path, file: BufferedReader, size: int) -> bytes:
    if file.read(len(MAGIC)) != MAGIC:
        raise SegmentDamaged(path, 0, "not an Avro object container")
    found: dict[bytes, bytes] = {}
    while count := _file_long(path, file):
        if not 0 < count < 16:
            raise SegmentDamaged(path, file.tell(), f"{count} header entries cannot be")
        for _ in range(count):
            pair = []
            for _ in range(2):
                length = _file_long(path, file)
                if not 0 <= length <= size - file.tell():
                    raise SegmentDamaged(path, file.tell(), f"a header entry of {length} bytes cannot be")
                pair.append(file.read(length))
            found[pair[0]] = pair[1]
    if found.get(b"avro.codec", b"null") != b"null" or not _same_fields(found.get(b"avro.schema", b"")):
        raise SegmentDamaged(path, len(MAGIC), "expected uncompressed records of schema org.specstream.file_message")
    return file.read(SYNC_SIZE)


def _same_fields(schema: bytes) -> bool:
    """Compare what a schema says about the bytes with ours; documentation may differ between versions."""
    try:
        return _shape(json.loads(schema)) == _shape(json.loads(segment_schema()))
    except ValueError:
        return False


def _shape(schema: object) -> object:
    if isinstance(schema, dict):
        return {key: _shape(value) for key, value in schema.items() if key in {"type", "name", "fields", "items"}}
    return [_shape(each) for each in schema] if isinstance(schema, list) else schema


def _file_long(path: Path, file: BufferedReader) -> int:
    result = shift = 0
    while shift < 70:
        byte = file.read(1)
        if not byte:
            raise SegmentDamaged(path, file.tell(), "the file ends inside a number")
        result |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return (result >> 1) ^ -(result & 1)
        shift += 7
    raise SegmentDamaged(path, file.tell(), "a number of more than 64 bits")


def _long(block: memoryview, position: int) -> tuple[int, int]:
    byte = block[position]
    position += 1
    result, shift = byte & 0x7F, 7
    while byte >= 0x80:
        byte = block[position]
        position += 1
        result |= (byte & 0x7F) << shift
        shift += 7
        if shift > 70:
            raise ValueError("a number of more than 64 bits")
    return (result >> 1) ^ -(result & 1), position


def _optional(block: memoryview, position: int) -> tuple[bytes | None, int]:
    branch = block[position]
    if branch == 0:
        return None, position + 1
    if branch != 2:
        raise ValueError(f"union branch {branch} cannot be")
    length, position = _long(block, position + 1)
    end = position + length
    if length < 0 or end > len(block):
        raise ValueError(f"a value of {length} bytes runs past the end of its block")
    return bytes(block[position:end]), end


def _headers(block: memoryview, position: int) -> tuple[Headers, int]:
    out: list[tuple[str, bytes | None]] = []
    while True:
        count, position = _long(block, position)
        if count == 0:
            return tuple(out), position
        if not 0 < count <= len(block):
            raise ValueError(f"{count} headers cannot be")
        for _ in range(count):
            length, position = _long(block, position)
            end = position + length
            if length < 0 or end > len(block):
                raise ValueError(f"a header name of {length} bytes runs past the end of its block")
            name = str(block[position:end], "utf-8")
            value, position = _optional(block, end)
            out.append((name, value))


def _decode_block(
    block: memoryview, count: int, entry: SegmentEntry, start: int, epoch: int, last: int
) -> tuple[list[Message], int]:
    source = TopicPartition(entry.topic, entry.partition)
    base = entry.base_offset
    position = 0
    out: list[Message] = []
    for _ in range(count):
        relative, position = _long(block, position)
        key, position = _optional(block, position)
        value, position = _optional(block, position)
        if block[position] == 0:
            headers: Headers = ()
            position += 1
        else:
            headers, position = _headers(block, position)
        timestamp_ms, position = _long(block, position)
        if relative <= last:
            raise ValueError(f"offset {base + relative} follows {base + last}")
        last = relative
        if base + relative >= start:
            out.append(Message(source, base + relative, epoch, key, value, headers, timestamp_ms))
    if position != len(block):
        raise ValueError(f"{len(block) - position} bytes are left over at the end of a block")
    return out, last
