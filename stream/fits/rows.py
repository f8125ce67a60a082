"""Some rows of a table, read together: cells and columns as native numbers, text, or None where FITS says null."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.fits.columns import Column, Columns
from stream.fits.errors import FitsError


class Rows:
    """Some consecutive rows of a table, read together; columns are found by name whatever their case."""

    __slots__ = ("_cache", "_columns", "_error", "_stored", "start", "stop")

    def __init__(
        self, columns: Columns, stored: NDArray[Any], start: int, stop: int, error: Callable[[str, str], FitsError]
    ) -> None:
        """Take the rows ``start`` to ``stop`` as ``stored``, and ``error``, which names table and column."""
        self._stored = stored
        self._columns = columns
        self._error = error
        self._cache: dict[str, NDArray[Any]] = {}
        self.start = start
        self.stop = stop

    def __len__(self) -> int:
        return self.stop - self.start

    def array(self, name: str) -> NDArray[Any]:
        """Return one column of these rows in native byte order, (row, ...); raises FitsError where it is absent."""
        column = self._columns.require(name)
        if column.name not in self._cache:
            try:
                self._cache[column.name] = column.physical(native(self._stored[self._field(column)]))
            except (ValueError, TypeError, IndexError) as error:
                raise self._error(f"cannot read the column ({error})", column.name) from error
        return self._cache[column.name]

    def _field(self, column: Column) -> str:
        return str((self._stored.dtype.names or ())[column.number - 1])

    def value(self, name: str, row: int) -> Any:
        """Return one cell (``row`` counted from the first of these rows) as a Python value; None: null, NaN, absent."""
        column = self._columns.find(name)
        if column is None:
            return None
        cell = self.array(column.name)[row]
        if isinstance(cell, str):
            return cell.strip() or None
        if isinstance(cell, np.ndarray):
            return cell.item() if cell.size == 1 else cell
        value = cell.item()
        if (isinstance(value, float) and not np.isfinite(value)) or (column.null is not None and value == column.null):
            return None
        return value


def native(array: Any) -> NDArray[Any]:
    """Return a copy in native byte order that does not hold on to the mapped file."""
    array = np.asarray(array)
    return np.array(array, dtype=array.dtype.newbyteorder("="))
