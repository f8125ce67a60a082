"""Records made flat and plain: nested fields get dotted names, arrays become lists, bytes become base64.

JSON has no NaN: non-finite numbers become null. Nothing here does I/O.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return ``value`` as JSON types: arrays as lists, bytes as base64 text, NaN and inf as None."""
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
    return value


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return one level of plain values: ``source.topic``, ``class_probabilities.QSO_nan``; lists as JSON text."""
    row: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            row.update(flat(value, f"{name}."))
        elif isinstance(value, list | tuple | np.ndarray):
            row[name] = json.dumps(plain(value), separators=(",", ":"))
        else:
            row[name] = plain(value)
    return row


def short(value: Any, width: int) -> str:
    """Return ``value`` in at most ``width`` characters for a table cell, cut in its middle; "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        text = _number(value, width)
    elif isinstance(value, bytes | np.ndarray):
        text = f"<{len(value)} {'bytes' if isinstance(value, bytes) else 'values'}>"
    else:
        text = str(value)
    if len(text) <= width:
        return text
    tail = (width - 1) // 2  # the ends of names tell them apart
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def _number(value: float, width: int) -> str:
    """Return a number with as many significant digits, up to five, as fit."""
    if not math.isfinite(value):
        return ""
    for digits in (5, 4, 3, 2, 1):
        text = f"{value:.{digits}g}"
        if len(text) <= width:
            return text
    return text
