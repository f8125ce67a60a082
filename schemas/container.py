r"""Avro object containers (``Obj\x01``) in memory: header, sync markers and blocks, each size checked before its use.

A ZTF-like alert is one such container in one message. The library's own file reader is not used here because it trusts
announced sizes and decompresses without limit, and a deflate bomb is a 1 kB message. Pure: bytes in, values out.
"""

from __future__ import annotations

import bz2
import lzma
import mmap
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from schemas.errors import Undecodable
from schemas.wire import CONTAINER_MAGIC

Buffer: TypeAlias = bytes | mmap.mmap

SYNC_BYTES: Final = 16
MAX_SCHEMA_BYTES: Final = 4 * 1024 * 1024
_MAX_METADATA_KEYS: Final = 1024
_MAX_VARINT_BYTES: Final = 10


@dataclass(frozen=True, slots=True)
class Block:
    """One block: ``count`` records whose data stand one after the other in ``data`` (decompressed)."""

    count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """Header of a container.

    Attributes:
        schema_text: The writer's schema as JSON text.
        codec: Name of the compression.
        sync: Marker that ends the header and each block, 16 bytes.
        end: Index of the first block [byte].
    """

    schema_text: bytes
    codec: str
    sync: bytes
    end: int


def read_header(value: Buffer) -> Header:
    """Read the header of a container.

    Raises:
        Undecodable: ``UNDECODABLE`` when it is cut off or broken, ``INVALID_SCHEMA`` without a schema.
    """
    metadata: dict[bytes, bytes] = {}
    position = len(CONTAINER_MAGIC)
    while True:
        count, position = _read_long(value, position)
        if count == 0:
            break
        if count < 0:
            count = -count
            _, position = _read_long(value, position)
        if count + len(metadata) > _MAX_METADATA_KEYS:
            raise _broken("the header announces too many entries", f"at most {_MAX_METADATA_KEYS}", str(count))
        for _ in range(count):
            key, position = _read_bytes(value, position)
            metadata[key], position = _read_bytes(value, position)
    sync = value[position : position + SYNC_BYTES]
    if len(sync) < SYNC_BYTES:
        raise _broken("the container ends within its header", f"{SYNC_BYTES} bytes of sync marker", f"{len(sync)}")
    schema_text = metadata.get(b"avro.schema")
    if not schema_text:
        raise Undecodable(
            "INVALID_SCHEMA", "the container holds no schema", expected="avro.schema in its header", received="nothing"
        )
    if len(schema_text) > MAX_SCHEMA_BYTES:
        raise Undecodable(
            "MESSAGE_TOO_LARGE",
            "the container's schema is too large",
            expected=f"at most {MAX_SCHEMA_BYTES} bytes",
            received=f"{len(schema_text)} bytes",
        )
    codec = metadata.get(b"avro.codec", b"null").decode("ascii", "replace")
    return Header(schema_text, codec, sync, position + SYNC_BYTES)


def read_blocks(value: Buffer, header: Header, max_bytes: int, *, together: bool = True) -> Iterator[Block]:
    """Yield the blocks of a container, decompressed.

    Args:
        value: The whole container.
        header: Its header.
        max_bytes: Most bytes that all blocks together may decompress to.
        together: False when ``max_bytes`` holds for each block alone, for who keeps one at a time.

    Raises:
        Undecodable: ``UNDECODABLE`` when a block is cut off or broken, ``MESSAGE_TOO_LARGE`` above ``max_bytes``,
            ``UNSUPPORTED`` for a compression that the standard library does not have.
    """
    position = header.end
    left = max_bytes
    while position < len(value):
        count, position = _read_long(value, position)
        size, position = _read_long(value, position)
        if count < 0 or size < 0:
            raise _broken("a block announces a negative size", "a count and a size of 0 or more", f"{count}, {size}")
        end = position + size
        if end + SYNC_BYTES > len(value):
            raise _broken("the container ends within a block", f"{size + SYNC_BYTES} bytes", f"{len(value) - position}")
        if value[end : end + SYNC_BYTES] != header.sync:
            raise _broken("a block does not end with the sync marker", header.sync.hex(), value[end : end + 16].hex())
        data = _decompress(value[position:end], header.codec, left)
        left -= len(data) if together else 0
        yield Block(count, data)
        position = end + SYNC_BYTES


def single_record_container(head: bytes, header: Header, datum: bytes) -> bytes:
    """Return a container of one record.

    Args:
        head: The header's bytes, which the new container begins with: same schema, compression and metadata.
        header: What they say.
        datum: The record's bytes as its schema writes them.
    """
    data = _compress(datum, header.codec)
    return head + _long(1) + _long(len(data)) + data + header.sync


def _compress(data: bytes, codec: str) -> bytes:
    if codec == "deflate":
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return deflater.compress(data) + deflater.flush()
    if codec == "bzip2":
        return bz2.compress(data)
    return lzma.compress(data) if codec == "xz" else data


def _long(number: int) -> bytes:
    """Return a number of 0 or more as a zigzag variable-length integer."""
    rest, written = number << 1, bytearray()
    while rest > 0x7F:
        written.append(0x80 | rest & 0x7F)
        rest >>= 7
    written.append(rest)
    return bytes(written)


def _decompress(data: bytes, codec: str, max_bytes: int) -> bytes:
    """Return the decompressed block, never allocating more than ``max_bytes`` for it."""
    if codec == "null":
        plain = data
        finished = True
    else:
        try:
            if codec == "deflate":
                inflater = zlib.decompressobj(-zlib.MAX_WBITS)
                plain = inflater.decompress(data, max_bytes + 1)
                finished = inflater.eof
            elif codec == "bzip2":
                bzip2 = bz2.BZ2Decompressor()
                plain = bzip2.decompress(data, max_bytes + 1)
                finished = bzip2.eof
            elif codec == "xz":
                xz = lzma.LZMADecompressor(memlimit=max(max_bytes, 128 * 1024 * 1024))
                plain = xz.decompress(data, max_bytes + 1)
                finished = xz.eof
            else:
                raise Undecodable(
                    "UNSUPPORTED",
                    f"the container is compressed with {codec!r}",
                    expected="null, deflate, bzip2 or xz",
                    received=codec,
                )
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise _broken(f"a block does not decompress: {error}", f"a {codec} block", f"{len(data)} bytes") from error
    if len(plain) > max_bytes:
        raise Undecodable(
            "MESSAGE_TOO_LARGE",
            "the container decompresses to more than is allowed",
            expected=f"at most {max_bytes} bytes",
            received=f"more, from {len(data)} bytes of {codec}",
        )
    if not finished:
        raise _broken("a compressed block is cut off", f"a whole {codec} block", f"{len(data)} bytes")
    return plain


def _read_long(value: Buffer, position: int) -> tuple[int, int]:
    """Return a zigzag variable-length integer and the position after it."""
    number = 0
    for shift, byte in enumerate(value[position : position + _MAX_VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), position + shift + 1
    raise _broken("an integer is cut off or too long", "at most 10 bytes", f"{len(value) - position} bytes left")


def _read_bytes(value: Buffer, position: int) -> tuple[bytes, int]:
    size, position = _read_long(value, position)
    if size < 0 or position + size > len(value):
        raise _broken("the header is cut off", f"{size} bytes", f"{len(value) - position} bytes")
    return value[position : position + size], position + size


def _broken(message: str, expected: str, received: str) -> Undecodable:
    return Undecodable("UNDECODABLE", message, expected=expected, received=received)
