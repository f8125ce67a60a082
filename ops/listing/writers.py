"""Writers of record lists, one record at a time; ECSV waits for the end, since its header needs every column."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ops.listing.columns import Column, cell, columns_of, unit_of
from ops.listing.flat import flat, plain, short

FORMATS = ("table", "jsonl", "csv", "ecsv")


class Writer(Protocol):
    """Writes records of one or several schemas."""

    def write(self, record: Mapping[str, Any], schema_name: str) -> None:
        """Write one record."""
        ...

    def close(self) -> None:
        """Write what waits for the end."""
        ...


class TableWriter:
    """Aligned columns with a heading whenever the kind of record changes; streams."""

    def __init__(self, say: Callable[[str], None], first: Sequence[Column] = ()) -> None:
        self._say = say
        self._first = tuple(first)
        self._schema: str | None = None

    def write(self, record: Mapping[str, Any], schema_name: str) -> None:
        """Write one row."""
        columns = (*self._first, *columns_of(schema_name))
        if schema_name != self._schema:
            self._schema = schema_name
            self._say("  ".join(column.heading.ljust(column.width) for column in columns).rstrip())
        cells = (short(cell(record, column.field), column.width).ljust(column.width) for column in columns)
        self._say("  ".join(cells).rstrip())

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
    """Comma-separated values with dotted column names; columns are those of the first record; streams."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._names: list[str] | None = None

    def _line(self, values: list[Any]) -> str:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="").writerow(values)
        return buffer.getvalue()

    def write(self, record: Mapping[str, Any], schema_name: str) -> None:
        """Write one line, and the heading first."""
        del schema_name
        row = flat(record)
        if self._names is None:
            self._names = list(row)
            self._say(self._line(list(self._names)))
        self._say(self._line(["" if (value := row.get(name)) is None else value for name in self._names]))

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


def field_units(schema: Mapping[str, Any]) -> dict[str, str]:
    """Return the unit of each top-level field of an Avro record schema whose documentation names one."""
    units = {field["name"]: unit_of(field.get("doc", "")) for field in schema["fields"]}
    return {name: unit for name, unit in units.items() if unit is not None}


def open_writer(
    form: str, say: Callable[[str], None], units: Mapping[str, str], first: Sequence[Column] = ()
) -> Writer:
    """Return the writer of a format of ``FORMATS``; ``say`` takes one line, ``units`` are for ECSV.

    ``first``: columns that a table shows before those of the record's kind.
    """
    if form == "jsonl":
        return JsonLinesWriter(say)
    if form == "csv":
        return CsvWriter(say)
    if form == "ecsv":
        return EcsvWriter(say, units)
    return TableWriter(say, first)
