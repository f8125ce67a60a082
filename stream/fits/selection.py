"""Which rows of a file are read: the user's rule applied to the table that describes the spectra.

The rule sees the columns of FIBMETATAB (4MOST), FIBERMAP (DESI), FIBTABLE (WEAVE) or the one-row table of an SDSS file,
and the header keywords of other one-spectrum files. Names match whatever their case, as FITS demands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stream.expression import Expression
from stream.fits.opening import Extension, FitsFile
from stream.fits.rows import Rows


class _RowView(Mapping[str, Any]):
    """One row as a mapping from column name to value; null and NaN cells are None."""

    def __init__(self, rows: Rows, row: int, names: dict[str, str]) -> None:
        self._rows, self._row, self._names = rows, row, names

    def __getitem__(self, name: str) -> Any:
        return self._rows.value(self._names[name.upper()], self._row)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.values())

    def __len__(self) -> int:
        return len(self._names)


class RowSelection:
    """The user's rule, or none: then every row is selected."""

    def __init__(self, rule: Expression | None) -> None:
        self._rule = rule
        self._names: dict[str, str] = {}

    def check(self, table: Extension) -> None:
        """Raise ExpressionError if the rule names a column that ``table`` does not have; call it before reading."""
        self._names = {name.upper(): name for name in table.columns.names}
        self._check(self._names)

    def _check(self, names: dict[str, str]) -> None:
        if self._rule is not None:
            aliases = {name for name in self._rule.names if name.upper() in names}
            self._rule.check_names({*names.values(), *aliases})

    def selects(self, rows: Rows, row: int) -> bool:
        """Return whether a row (counted from the first of ``rows``) is to be read."""
        return self._rule is None or self._rule(_RowView(rows, row, self._names))

    def selects_file(self, file: FitsFile) -> bool:
        """Return whether a one-spectrum file is to be read, from its header keywords (later extensions overrule)."""
        if self._rule is None:
            return True
        values = {k.upper(): e.header for e in file.extensions for k in e.header.keywords()}
        self._check({name: name for name in values})
        return self._rule({name: values[name.upper()].get(name.upper()) for name in self._rule.names})
