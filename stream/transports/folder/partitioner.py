"""Which partition a key belongs to: as in Kafka's Java client, so that equal keys stay together across transports."""

from __future__ import annotations

from functools import lru_cache

_MASK = 0xFFFFFFFF
_MULTIPLIER = 0x5BD1E995


def murmur2(key: bytes) -> int:
    """Return the 32-bit MurmurHash2 of ``key`` with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2)."""
    length = len(key)
    value = 0x9747B28C ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        word = int.from_bytes(key[i : i + 4], "little") * _MULTIPLIER & _MASK
        word = (word ^ (word >> 24)) * _MULTIPLIER & _MASK
        value = (value * _MULTIPLIER & _MASK) ^ word
    if length > whole:
        value = (value ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _MASK
    value = (value ^ (value >> 13)) * _MULTIPLIER & _MASK
    return value ^ (value >> 15)


@lru_cache(maxsize=65536)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key among ``partitions``."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
