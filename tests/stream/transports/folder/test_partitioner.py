from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.transports.folder.partitioner import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "signed"),
    # Known answers of Kafka's own Java client.
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
     (b"a-little-bit-longer-string", -1486304829), (b"abc", 479470107)],
)  # fmt: skip
def test_hash_is_that_of_the_java_client(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


@given(st.binary(), st.integers(1, 64))
def test_partition_exists_and_depends_on_the_key_alone(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(key, partitions) == partition_of(bytes(key), partitions)
