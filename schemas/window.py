"""A stretch of each of n messages, side by side: one array operation reads the same field of all of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Booleans: TypeAlias = NDArray[np.bool_]


class Window:
    """The bytes of n messages from a position of each, as long as the longest of them there.

    Args:
        values: n >= 1 messages.
        positions: where the stretch of each begins [byte].
        width: its greatest length [byte]; what a message lacks of it is zero.

    Attributes:
        data: (n * width,) uint8, message after message.
        width: the length of each stretch in ``data`` [byte].
        first: (n,) index in ``data`` of the first byte of each.
        origin: (n,) index in ``data`` of a message's byte minus its position in the message.
        texts: first and last-plus-one index in ``data`` of the text in each message, one pair for each text field.
    """

    def __init__(self, values: Sequence[bytes], positions: Sequence[int], width: int) -> None:
        pieces = [value[at : at + width] for value, at in zip(values, positions, strict=True)]
        width = max(1, max(map(len, pieces)))
        if min(map(len, pieces)) < width:
            pieces = [piece.ljust(width, b"\x00") for piece in pieces]
        self.data: NDArray[np.uint8] = np.frombuffer(b"".join(pieces), np.uint8)
        self.width = width
        self.first = np.arange(len(pieces), dtype=np.int64) * width
        self.origin = self.first - np.asarray(positions, dtype=np.int64)
        self.texts: list[tuple[Integers, Integers]] = []

    def strange_text(self, at: Integers) -> Booleans:
        """Return which messages have text that is not printable ASCII, up to where each was read."""
        n = self.first.shape[0]
        used = min(self.width, int((at - self.first).max()))
        edges = np.zeros((n, used + 1), np.int8)
        flat = edges.reshape(-1)
        row = np.arange(n, dtype=np.int64) * (used + 1)
        shift, last = row - self.first, row + used
        for start, end in self.texts:
            flat[np.minimum(start + shift, last)] += 1
            flat[np.minimum(end + shift, last)] -= 1
        within = np.add.accumulate(edges, axis=1, dtype=np.int8)[:, :-1].view(np.bool_)
        # 0x20 to 0x7e is printable; below 0x20 the difference wraps around.
        strange: Booleans = (self.data.reshape(n, self.width)[:, :used] - np.uint8(0x20)) > np.uint8(0x5E)
        found: Booleans = np.any(strange & within, axis=1)
        return found
