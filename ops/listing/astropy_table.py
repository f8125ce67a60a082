"""Rows to an astropy table and back, which writes and reads ECSV, CSV and FITS.

Missing values are masked; units are those that astropy knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import MaskedColumn, Table
from astropy.units import Unit

from stream.errors import ConfigurationError

TABLE_FORMATS = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".fits": "fits"}


def _column(values: list[Any], unit: str | None) -> MaskedColumn:
    mask = [value is None for value in values]
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, bool) for value in present):
        fill: Any = False
        dtype: Any = bool
    elif present and all(isinstance(value, int) for value in present):
        fill, dtype = 0, np.int64
    elif all(isinstance(value, int | float) for value in present):
        fill, dtype = np.nan, np.float64
    else:
        fill, dtype = "", str
    data = np.array([fill if value is None else value for value in values], dtype=dtype)
    parsed = Unit(unit, parse_strict="silent") if unit else None
    return MaskedColumn(data, mask=mask, unit=parsed)


def to_table(rows: Sequence[Mapping[str, Any]], units: Mapping[str, str]) -> Table:
    """Return a table of flat rows; columns in order of first appearance."""
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    table = Table()
    for name in names:
        table[name] = _column([row.get(name) for row in rows], units.get(name))
    return table


def write_table(rows: Sequence[Mapping[str, Any]], units: Mapping[str, str], path: Path) -> None:
    """Write flat rows to a file whose extension chooses the format; the file is whole or as it was before.

    Raises:
        ConfigurationError: the extension is none of ECSV, CSV, FITS, or the file cannot be written.
    """
    form = TABLE_FORMATS.get(path.suffix.lower())
    if form is None:
        raise ConfigurationError(f"--output: expected a name ending in .ecsv, .csv or .fits, got {path.name}")
    table = to_table(rows, units)
    if form == "fits":
        for column in list(table.itercols()):
            if column.dtype.kind == "U":
                table[column.name] = np.char.encode(np.asarray(column.filled("")), "utf-8")
    target = path.resolve()
    whole = target if target.exists() and not target.is_file() else target.with_name(f".{target.name}.partial")
    try:
        try:
            table.write(whole, format=form, overwrite=True)
            if whole != target:
                whole.replace(target)
        finally:
            if whole != target:
                whole.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--output: cannot write {path}: {error.strerror or error}") from error


def read_table(path: Path) -> list[Mapping[str, Any]]:
    """Return the rows of an ECSV, CSV or FITS table; masked values are None, and bytes are text.

    Raises:
        ConfigurationError: the file is no such table.
        OSError: the file cannot be read.
    """
    try:
        table = Table.read(path, format=TABLE_FORMATS[path.suffix.lower()])
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path}: expected a table, received {error}") from error
    table.convert_bytestring_to_unicode()
    rows: list[Mapping[str, Any]] = []
    for row in table:
        values = {name: row[name] for name in table.colnames}
        rows.append({name: None if np.ma.is_masked(value) else _plain(value) for name, value in values.items()})
    return rows


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
