"""A set of offsets in one bit each: what lets the ledger of a whole survey be proved in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHUNK = 65_536
"""Offsets in one chunk of the bitmap."""


class OffsetSet:
    """Offsets of one partition; dense stretches cost one bit per offset, empty ones nothing."""

    __slots__ = ("_chunks", "count")

    def __init__(self) -> None:
        self._chunks: dict[int, NDArray[np.uint8]] = {}
        self.count = 0

    def add(self, offset: int) -> bool:
        """Add an offset; return False if it was there already."""
        chunk, bit = divmod(offset, CHUNK)
        bits = self._chunks.get(chunk)
        if bits is None:
            bits = self._chunks[chunk] = np.zeros(CHUNK // 8, dtype=np.uint8)
        byte, mask = bit >> 3, 1 << (bit & 7)
        if bits[byte] & mask:
            return False
        bits[byte] |= mask
        self.count += 1
        return True

    @classmethod
    def union(cls, left: OffsetSet, right: OffsetSet) -> OffsetSet:
        """Return the offsets that are in either set."""
        joined = cls()
        for chunk in left._chunks.keys() | right._chunks.keys():
            joined._chunks[chunk] = left._bits(chunk) | right._bits(chunk)
            joined.count += int(np.bitwise_count(joined._chunks[chunk]).sum())
        return joined

    def __contains__(self, offset: int) -> bool:
        """Return True when the offset is in the set."""
        chunk, bit = divmod(offset, CHUNK)
        bits = self._chunks.get(chunk)
        return bits is not None and bool(bits[bit >> 3] & (1 << (bit & 7)))

    def first(self) -> int | None:
        """Return the lowest offset; None when the set is empty."""
        if not self._chunks:
            return None
        chunk = min(self._chunks)
        return chunk * CHUNK + int(self._offsets_of(chunk)[0])

    def last(self) -> int | None:
        """Return the highest offset; None when the set is empty."""
        if not self._chunks:
            return None
        chunk = max(self._chunks)
        return chunk * CHUNK + int(self._offsets_of(chunk)[-1])

    def between(self, first: int, last: int) -> NDArray[np.int64]:
        """Return the offsets in first..last, both included, in order: int64."""
        parts = []
        for chunk in range(first // CHUNK, last // CHUNK + 1):
            if chunk in self._chunks:
                offsets = self._offsets_of(chunk) + chunk * CHUNK
                parts.append(offsets[(offsets >= first) & (offsets <= last)])
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def first_missing_from(self, other: OffsetSet, first: int, last: int) -> int | None:
        """Return the lowest offset in first..last that is in this set but not in the other; None when there is none."""
        for chunk in sorted(self._chunks):
            if not first // CHUNK <= chunk <= last // CHUNK:
                continue
            missing = self._bits(chunk) & ~other._bits(chunk)
            offsets = np.flatnonzero(np.unpackbits(missing, bitorder="little")) + chunk * CHUNK
            offsets = offsets[(offsets >= first) & (offsets <= last)]
            if offsets.size:
                return int(offsets[0])
        return None

    def _bits(self, chunk: int) -> NDArray[np.uint8]:
        bits = self._chunks.get(chunk)
        return bits if bits is not None else np.zeros(CHUNK // 8, dtype=np.uint8)

    def _offsets_of(self, chunk: int) -> NDArray[np.int64]:
        return np.flatnonzero(np.unpackbits(self._chunks[chunk], bitorder="little")).astype(np.int64)
