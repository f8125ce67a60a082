from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.alerts.compression import CorruptGzip, GzipTooLarge, gunzip

LIMIT = 4 << 20


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=5000), st.integers(0, 64))
def test_what_was_compressed_comes_back_with_padding_behind_it(plain: bytes, padding: int) -> None:
    assert gunzip(gzip.compress(plain, mtime=0) + bytes(padding), max_bytes=LIMIT) == plain


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_output_up_to_the_limit_is_returned(size: int) -> None:
    assert gunzip(gzip.compress(bytes(size), mtime=0), max_bytes=1000) == bytes(size)


def test_one_byte_beyond_the_limit_is_refused() -> None:
    with pytest.raises(GzipTooLarge):
        gunzip(gzip.compress(bytes(1001), mtime=0), max_bytes=1000)


@pytest.mark.slow
def test_a_bomb_never_takes_more_memory_than_the_limit() -> None:
    bomb = gzip.compress(bytes(256 << 20), mtime=0)
    tracemalloc.start()
    try:
        with pytest.raises(GzipTooLarge):
            gunzip(bomb, max_bytes=LIMIT)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 3 * LIMIT


@settings(deadline=None, max_examples=60)
@given(st.binary(min_size=50, max_size=3000), st.data())
def test_truncated_bytes_are_corrupt(plain: bytes, data: st.DataObject) -> None:
    value = gzip.compress(plain, mtime=0)
    stop = data.draw(st.integers(0, len(value) - 1))
    with pytest.raises(CorruptGzip):
        gunzip(value[:stop], max_bytes=LIMIT)


@settings(deadline=None, max_examples=60)
@given(st.binary(min_size=50, max_size=3000), st.data())
def test_a_flipped_bit_in_the_compressed_pixels_or_the_checksum_never_passes(plain: bytes, data: st.DataObject) -> None:
    value = bytearray(gzip.compress(plain, mtime=0))
    place = data.draw(st.integers(10, len(value) - 1))  # behind the header, whose time and system bytes mean nothing
    value[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        result = gunzip(bytes(value), max_bytes=LIMIT)
    except (CorruptGzip, GzipTooLarge):
        return
    assert result == plain  # an unused bit of the deflate stream


def test_foreign_bytes_behind_the_member_are_corrupt() -> None:
    with pytest.raises(CorruptGzip, match="foreign"):
        gunzip(gzip.compress(b"pixels", mtime=0) + b"x", max_bytes=LIMIT)
