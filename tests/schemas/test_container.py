"""Containers are read block by block, and nothing that they announce is believed."""

import bz2
import io
import lzma
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.container import read_blocks, read_header
from schemas.errors import Undecodable

SCHEMA: dict[str, Any] = {"type": "record", "name": "r", "fields": [{"name": "x", "type": "long"}]}
MANY = 1 << 20
# Compressed in haste, with the dictionary that xz has by default: 8 MiB, which are kept beside the output.
XZ = {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 8 << 20}


def container(records: list[dict[str, Any]], codec: str = "null", block_bytes: int = 16000) -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, SCHEMA, records, codec=codec, sync_interval=block_bytes)
    return out.getvalue()


def varint(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def hand_made(block: bytes, codec: bytes, announced: int | None = None) -> bytes:
    text = b'"long"'
    header = b"Obj\x01" + varint(2)
    for key, value in ((b"avro.schema", text), (b"avro.codec", codec)):
        header += varint(len(key)) + key + varint(len(value)) + value
    sync = bytes(range(16))
    size = len(block) if announced is None else announced
    return header + b"\x00" + sync + varint(1) + varint(size) + block + sync


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
@given(records=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40))
def test_blocks_hold_every_record_of_any_compression(codec: str, records: list[int]) -> None:
    value = container([{"x": x} for x in records], codec, block_bytes=50)
    header = read_header(value)
    assert header.codec == codec
    decoded = []
    for block in read_blocks(value, header, MANY):
        stream = io.BytesIO(block.data)
        decoded += [fastavro.schemaless_reader(stream, SCHEMA, None)["x"] for _ in range(block.count)]
        assert not stream.read()
    assert decoded == records


def test_every_truncation_is_refused_or_yields_whole_blocks_only() -> None:
    value = container([{"x": x} for x in range(20)], block_bytes=10)
    header = read_header(value)
    ends = {header.end}
    for block_end in range(header.end, len(value) + 1):
        if value[:block_end].endswith(header.sync) and block_end > header.end:
            ends.add(block_end)
    for length in range(4, len(value)):
        cut = value[:length]
        if length in ends:
            list(read_blocks(cut, read_header(cut), MANY))
            continue
        with pytest.raises(Undecodable) as caught:
            list(read_blocks(cut, read_header(cut), MANY))
        assert caught.value.reason in {"UNDECODABLE", "INVALID_SCHEMA"}


@pytest.mark.parametrize(
    ("codec", "bomb"),
    [
        (b"deflate", lambda: zlib.compress(bytes(1 << 26), 9, -15)),
        pytest.param(b"bzip2", lambda: bz2.compress(bytes(1 << 26)), marks=pytest.mark.slow),
        pytest.param(b"xz", lambda: lzma.compress(bytes(1 << 26), filters=[XZ]), marks=pytest.mark.slow),
    ],
    ids=["deflate", "bzip2", "xz"],
)
def test_a_bomb_is_refused_without_the_memory_it_asks_for(codec: bytes, bomb: Callable[[], bytes]) -> None:
    value = hand_made(bomb(), codec)
    tracemalloc.start()
    try:
        with pytest.raises(Undecodable) as caught:
            list(read_blocks(value, read_header(value), MANY))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.reason == "MESSAGE_TOO_LARGE"
    assert peak_bytes < 16 * MANY


def test_the_limit_is_shared_by_all_blocks() -> None:
    value = container([{"x": 2**60} for _ in range(100)], "deflate", block_bytes=50)
    with pytest.raises(Undecodable) as caught:
        list(read_blocks(value, read_header(value), 500))
    assert caught.value.reason == "MESSAGE_TOO_LARGE"


@pytest.mark.parametrize("announced", [2**31, 2**62, -1, -(2**63)])
def test_an_announced_size_is_not_allocated(announced: int) -> None:
    value = hand_made(b"\x02", b"null", announced)
    with pytest.raises(Undecodable) as caught:
        list(read_blocks(value, read_header(value), MANY))
    assert caught.value.reason == "UNDECODABLE"


def test_half_a_compressed_block_is_refused() -> None:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole = compressor.compress(bytes(range(256)) * 8) + compressor.flush()
    value = hand_made(whole[:-20], b"deflate")
    with pytest.raises(Undecodable) as caught:
        list(read_blocks(value, read_header(value), MANY))
    assert caught.value.reason == "UNDECODABLE"


def test_bytes_that_do_not_decompress_are_refused() -> None:
    for codec in (b"deflate", b"bzip2", b"xz"):
        value = hand_made(b"\xff" * 40, codec)
        with pytest.raises(Undecodable) as caught:
            list(read_blocks(value, read_header(value), MANY))
        assert caught.value.reason == "UNDECODABLE"


def test_unknown_compression_is_unsupported() -> None:
    value = hand_made(b"\x02", b"snappy")
    with pytest.raises(Undecodable) as caught:
        list(read_blocks(value, read_header(value), MANY))
    assert (caught.value.reason, caught.value.received) == ("UNSUPPORTED", "snappy")


def test_header_without_schema_is_an_invalid_schema() -> None:
    value = b"Obj\x01" + varint(1) + varint(3) + b"key" + varint(0) + b"\x00" + bytes(16)
    with pytest.raises(Undecodable) as caught:
        read_header(value)
    assert caught.value.reason == "INVALID_SCHEMA"


def test_header_that_announces_a_billion_entries_is_refused() -> None:
    with pytest.raises(Undecodable) as caught:
        read_header(b"Obj\x01" + varint(10**9) + bytes(100))
    assert caught.value.reason == "UNDECODABLE"
