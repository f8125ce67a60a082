"""Writers of record lists, one record at a time; ECSV waits for the end, since its header needs every column."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ops.console import messages
from ops.listing.columns import Column, cell, columns_of, unit_of
from ops.listing.flat import flat, plain, text_of
from ops.listing.layout import heading_of, lay_out, line_of

FORMATS = ("table", "jsonl", "csv", "ecsv")
ROWS_BETWEEN_HEADINGS = 20


class Writer(Protocol):
    """Writes records of one or several schemas."""

    def write(self, record: Mapping[str, Any], schema_name: str) -> None:
        """Write one record."""
        ...

    def close(self) -> None:
        """Write what waits for the end."""
        ...


class TableWriter:
    """Aligned columns; streams.

    A heading stands where the kind of record changes, unless one of that kind stands a few rows above.
    """

    def __init__(self, say: Callable[[str], None], first: Sequence[Column] = (), width: int | None = None) -> None:
        self._say = say
        self._first = tuple(first)
        self._width = width
        self._before: tuple[Column, ...] | None = None
        self._headed: dict[tuple[Column, ...], int] = {}
        self._rows = 0

    def write(self, record: Mapping[str, Any], schema_name: str) -> None:
        """Write one row."""
        columns = (*self._first, *columns_of(schema_name))
        layout = lay_out(columns, [column.width for column in columns], self._width)
        headed = self._headed.get(columns)
        if columns != self._before and (headed is None or self._rows - headed >= ROWS_BETWEEN_HEADINGS):
            if headed is None and layout.note:
                self._say(layout.note)
            self._headed[columns] = self._rows
            self._say(heading_of(columns, layout))
        texts = [text_of(cell(record, column.field), column.width, column.digits) for column in columns]
        self._say(line_of(texts, columns, layout, self._width))
        self._before = columns
        self._rows += 1

    def close(self) -> None:
        """Nothing waits."""


class JsonLinesWriter:
    """One JSON object a line; streams."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def write(self, record: Mapping[str, Any], schema_name: str) -> None:
        """Write one line."""
        del schema_name
        self._say(json.dumps(plain(record), separators=(",", ":"), ensure_ascii=False, allow_nan=False))

    def close(self) -> None:
        """Nothing waits."""


class CsvWriter:
    """Comma-separated values with dotted column names; streams.

    The columns are those known beforehand, else those of the first record. A map in one column, whatever its keys, is
    JSON text. What a later record has besides is told on standard error, once for each name.
    """

    def __init__(self, say: Callable[[str], None], names: Sequence[str] = ()) -> None:
        self._say = say
        self._names = dict.fromkeys(names)
        self._begun = False
        self._without: set[str] = set()

    def _line(self, values: list[Any]) -> str:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="").writerow(values)
        return buffer.getvalue()

    def write(self, record: Mapping[str, Any], schema_name: str) -> None:
        """Write one line, and the heading first."""
        row = flat(record, whole=self._names)
        if not self._begun:
            self._begun = True
            self._names = self._names or dict.fromkeys(row)
            self._say(self._line(list(self._names)))
        self._say(self._line(["" if (value := row.get(name)) is None else value for name in self._names]))
        known = self._names.keys() | self._without
        lost = [name for name, value in row.items() if value is not None and name not in known]
        if lost:
            self._without.update(lost)
            said = f"no column for {', '.join(lost)} of {schema_name}: --format jsonl and ecsv have all"
            messages().print(said, style="yellow", markup=False)

    def close(self) -> None:
        """Nothing waits."""


class EcsvWriter:
    """Enhanced CSV (astropy) with units from the schema's documentation; written at the end."""

    def __init__(self, say: Callable[[str], None], units: Mapping[str, str]) -> None:
        self._say = say
        self._units = units
        self._rows: list[dict[str, Any]] = []

    def write(self, record: Mapping[str, Any], schema_name: str) -> None:
        """Keep one row."""
        del schema_name
        self._rows.append(flat(record))

    def close(self) -> None:
        """Write the table."""
        from ops.listing.astropy_table import to_table

        buffer = io.StringIO()
        to_table(self._rows, self._units).write(buffer, format="ascii.ecsv")
        self._say(buffer.getvalue().rstrip("\n"))


def field_names(schema: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the columns of an Avro record schema: dotted names of the fields of records in it, else one a field."""
    names: list[str] = []
    for field in schema["fields"]:
        name = f"{prefix}{field['name']}"
        kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
        records = [kind for kind in kinds if isinstance(kind, Mapping) and kind["type"] == "record"]
        names += field_names(records[0], f"{name}.") if len(records) == 1 else [name]
    return names


def field_units(schema: Mapping[str, Any]) -> dict[str, str]:
    """Return the unit of each top-level field of an Avro record schema whose documentation names one."""
    units = {field["name"]: unit_of(field.get("doc", "")) for field in schema["fields"]}
    return {name: unit for name, unit in units.items() if unit is not None}


def open_writer(
    form: str,
    say: Callable[[str], None],
    units: Mapping[str, str],
    *,
    names: Sequence[str] = (),
    first: Sequence[Column] = (),
    width: int | None = None,
) -> Writer:
    """Return the writer of a format.

    Args:
        form: One of ``FORMATS``.
        say: Takes one line.
        units: Units of fields, for ECSV.
        names: Columns of CSV; those of the first record where there are none.
        first: Columns that a table shows before those of the record's kind.
        width: Characters of a line of the terminal, for a table; None where there is no terminal: nothing is cut.
    """
    if form == "jsonl":
        return JsonLinesWriter(say)
    if form == "csv":
        return CsvWriter(say, names)
    if form == "ecsv":
        return EcsvWriter(say, units)
    return TableWriter(say, first, width)
