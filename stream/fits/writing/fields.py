"""What all layouts take from a record alike: numbers for objects, times, the r magnitude, the truth of a simulation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.fits.writing.hdus import Card, Cards, ColumnData, Hdu, table

SECONDS_PER_DAY: Final = 86_400.0
TRUTH_TABLE: Final = "TRUTH"
_COLUMN_FORMS: Final = {bool: "L", int: "K", float: "D"}
_NUMBER_BYTES: Final = 6


def object_number(record: Mapping[str, Any]) -> int:
    """Return a number below 2^48 that stands for the record's object, the same each time."""
    digest = hashlib.sha256(str(record["object_id"]).encode()).digest()
    return int.from_bytes(digest[:_NUMBER_BYTES], "big")


def is_sky(record: Mapping[str, Any]) -> bool:
    """Return whether the fibre looked at blank sky."""
    return bool(record["fibre_use"] == "SKY")


def r_magnitude(record: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the AB magnitude in r with its error, or None."""
    found = next((each for each in record["magnitudes"] if each["band"] == "r"), None)
    return None if found is None else (float(found["value"]), float(found["error"] or 0.0))


def stacked(records: Sequence[Mapping[str, Any]], name: str) -> NDArray[Any]:
    """Return an array of each record as the rows of one, (record, pixel)."""
    return np.stack([record[name] for record in records])


def shared_grid(records: Sequence[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    """Return the grid of the records.

    Raises:
        ValueError: a record has another one, or one of another kind.
    """
    grid = records[0]["grid"]
    if grid is None or grid["kind"] != kind or any(record["grid"] != grid for record in records):
        found = sorted({str(record["grid"]) for record in records})
        raise ValueError(f"grid: expected one {kind} grid for all spectra of the file, got {', '.join(found)}")
    return dict(grid)


def truth_table(truths: Sequence[Cards]) -> Hdu:
    """Return the table of what each spectrum of a file really is, one row a spectrum, columns named as keywords."""
    columns = []
    for keyword in truths[0]:
        values = [_value(truth[keyword]) for truth in truths]
        form = _COLUMN_FORMS.get(type(values[0]))
        columns.append(ColumnData(keyword, form or f"{max(1, *(len(str(value)) for value in values))}A", values))
    return table(TRUTH_TABLE, columns)


def _value(card: Card) -> str | bool | int | float:
    return card[0] if isinstance(card, tuple) else card
