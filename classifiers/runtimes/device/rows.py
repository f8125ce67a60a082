"""Rows of any length as one array of one width, put side by side only where they are copied to: pinned memory.

Rows are joined by the hundred thousand bytes, in memory that stays in a core's cache, and copied on from there: each
row by itself would give up the interpreter's lock and await it, and all at once would touch fresh memory, which costs
a page fault every 4 KiB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

AT_ONCE_BYTES = 500_000


class Rows:
    """n rows, each padded to a width; to a device what a (n, width) array is."""

    def __init__(self, rows: Sequence[NDArray[Any]], width: int, dtype: DTypeLike, padding: int) -> None:
        """Take rows; nothing is copied.

        Args:
            rows: one-dimensional, none longer than ``width``.
            width: of every row once it is padded.
            dtype: that rows are brought to.
            padding: what stands behind a shorter row.
        """
        self._rows, self._width, self._padding = rows, width, padding
        self.dtype: np.dtype[Any] = np.dtype(dtype)

    @property
    def shape(self) -> tuple[int, int]:
        """Return (n, width)."""
        return len(self._rows), self._width

    @property
    def strides(self) -> tuple[int, int]:
        """Return those of the array that the rows stand for."""
        return self._width * self.dtype.itemsize, self.dtype.itemsize

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice) -> Rows:
        return Rows(self._rows[rows], self._width, self.dtype, self._padding)

    def copy_to(self, target: NDArray[Any], at_once_bytes: int = AT_ONCE_BYTES) -> None:
        """Write the rows, padded, into an array (n, width) of their dtype, so many bytes of them at once."""
        size = self.dtype.itemsize
        step = max(1, at_once_bytes // (self._width * size))
        pads: dict[int, bytes] = {}
        for start in range(0, len(self._rows), step):
            parts: list[memoryview | bytes] = []
            for row in self._rows[start : start + step]:
                missing = self._width - row.size
                if missing not in pads:
                    pads[missing] = np.full(missing, self._padding, self.dtype).tobytes()
                parts += [np.ascontiguousarray(row, self.dtype).data, pads[missing]]
            joined = np.frombuffer(b"".join(parts), self.dtype).reshape(-1, self._width)
            np.copyto(target[start : start + step], joined)


Column = NDArray[Any] | Rows
"""What a device takes as one input of n rows."""
