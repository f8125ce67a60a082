"""Records made flat and plain: nested fields get dotted names, arrays become lists, bytes become base64.

JSON has no NaN: non-finite numbers become null. Nothing here does I/O.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Collection, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from schemas.maps import AvroMap


def plain(value: Any) -> Any:
    """Return ``value`` as JSON types: arrays as lists, bytes as base64 text, times in ISO 8601, NaN and inf as None."""
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    return value


def flat(record: Mapping[str, Any], prefix: str = "", *, whole: Collection[str] | None = None) -> dict[str, Any]:
    """Return one level of plain values: ``source.topic``, ``class_probabilities.QSO_nan``; lists as JSON text.

    Args:
        record: The record.
        prefix: What its names begin with.
        whole: Names whose value is JSON text where it is a record; decoded maps are then as well. None: neither.
    """
    row: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and (whole is None or not (name in whole or isinstance(value, AvroMap))):
            row.update(flat(value, f"{name}.", whole=whole))
        elif isinstance(value, Mapping | list | tuple | np.ndarray):
            row[name] = json.dumps(plain(value), separators=(",", ":"))
        else:
            row[name] = plain(value)
    return row


def text_of(value: Any, width: int | None = None, digits: int = 5) -> str:
    """Return ``value`` as a table cell shows it, "" for None.

    Args:
        value: A value of a record.
        width: Characters that a number is rounded to fit; it is longer where no rounding fits.
        digits: Most significant digits of a number.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return _number(value, width, digits)
    if isinstance(value, bytes | np.ndarray):
        return f"<{len(value)} {'bytes' if isinstance(value, bytes) else 'values'}>"
    return str(value)


def short(text: str, width: int) -> str:
    """Return a name in at most ``width`` characters, cut in its middle."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2  # the ends of names tell them apart
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def _number(value: float, width: int | None, most: int) -> str:
    """Return a number with as many significant digits, up to ``most``, as fit."""
    if not math.isfinite(value):
        return ""
    for digits in range(most, 0, -1):
        text = f"{value:.{digits}g}"
        if width is None or len(text) <= width:
            return text
    return text
