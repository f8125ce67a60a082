"""Bounded decompression of cutouts: a gzip bomb is a message of 1 kB, so the output has a limit before it exists."""

from __future__ import annotations

import zlib

GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""``wbits`` of zlib for a gzip header and trailer; the trailer's CRC and length are checked by zlib."""


class CorruptGzip(Exception):
    """The bytes are no complete gzip member, or its checksum does not fit."""


class GzipTooLarge(Exception):
    """The decompressed bytes would exceed the limit."""


def gunzip(value: bytes, *, max_bytes: int) -> bytes:
    """Decompress one gzip member into at most ``max_bytes`` bytes.

    Args:
        value: one gzip member; zero bytes may follow it, nothing else.
        max_bytes: limit of the output; no more than this plus one byte is ever allocated.

    Returns:
        The decompressed bytes.

    Raises:
        CorruptGzip: truncated, wrong checksum, wrong length, or foreign bytes after the member.
        GzipTooLarge: more than ``max_bytes`` would come out.
    """
    member = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = member.decompress(value, max_bytes + 1)
        if len(plain) <= max_bytes and not member.eof:
            # zlib stops at max_length, or before the trailer when the output ended exactly there.
            plain += member.decompress(member.unconsumed_tail, max_bytes + 1 - len(plain))
    except zlib.error as error:
        raise CorruptGzip(str(error)) from error
    if len(plain) > max_bytes:
        raise GzipTooLarge(f"more than {max_bytes} bytes")
    if not member.eof:
        raise CorruptGzip("the compressed bytes end too early")
    if member.unused_data.strip(b"\0"):
        raise CorruptGzip(f"{len(member.unused_data)} foreign bytes after the compressed ones")
    return plain
