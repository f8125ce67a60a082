"""Whether a decoded record can be what its schema says: the last guard against a datum read with another's schema.

Avro data name neither fields nor types, so bytes of one schema read with another's often decode, silently, to nonsense.
Where the framing ties the bytes to their schema only by an id (Confluent) or not at all (bare), a record must pass here
before it is believed. The limits are coarse on purpose: they tell nonsense from data, and leave to the stream what a
merely wrong position or an unusable unit is. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.errors import Undecodable

_ANGLE: Final = (-720.0, 720.0)
# Some producers put Unix seconds where a Modified Julian Date belongs: wrong, but not the nonsense looked for here.
_TIME: Final = (-1e7, 1e11)
_LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "ra": _ANGLE,
    "ra_deg": _ANGLE,
    "dec": _ANGLE,
    "decl": _ANGLE,
    "dec_deg": _ANGLE,
    "mjd": _TIME,
    "mjd_start": _TIME,
    "mjd_end": _TIME,
    "midpointMjdTai": _TIME,
    "midPointTai": _TIME,
    "jd": _TIME,
    "exptime_s": (0.0, 1e9),
}
"""Largest range of a position [deg] or time [d, s] that anything but nonsense can have."""

_COUNTS: Final = frozenset(
    {"candid", "diaSourceId", "partition", "offset", "records_in", "records_out", "records_dead"}
)
"""Integers that are never negative (ZTF's candid is, in its early alerts)."""

_EXTREME: Final = (1e-30, 1e30)
_MOST_EXTREMES: Final = 0.1
_MAX_TEXT_SHOWN: Final = 40


def check_plausible(record: Mapping[str, Any], name: str) -> None:
    """Refuse a record that can only be the nonsense of a wrong schema.

    Args:
        record: A decoded record.
        name: Full name of the schema that it was decoded with.

    Raises:
        Undecodable: ``WRONG_SCHEMA`` naming the first field that gives it away.
    """
    extremes = numbers = 0
    for path, key, value in _scalars(record):
        if isinstance(value, float):
            numbers += 1
            size = abs(value)
            extremes += size > _EXTREME[1] or 0.0 < size < _EXTREME[0]
            limits = _LIMITS.get(key)
            # NaN passes: it is how some surveys say "unknown", and the stream judges it by field.
            if limits is not None and not (limits[0] <= value <= limits[1] or math.isnan(value)):
                raise _implausible(name, path, f"{limits[0]:g} to {limits[1]:g}", repr(value))
        elif isinstance(value, str):
            if not value.isprintable() and any((c < " " and c not in "\t\r\n") or c == "\x7f" for c in value):
                raise _implausible(name, path, "printable text", repr(value[:_MAX_TEXT_SHOWN]))
        elif isinstance(value, int) and value < 0 and key in _COUNTS:
            raise _implausible(name, path, "0 or more", str(value))
    if extremes > _MOST_EXTREMES * numbers:
        raise _implausible(name, "", "numbers of ordinary size", f"{extremes} of {numbers} above 1e30 or below 1e-30")


def _scalars(record: Mapping[str, Any]) -> Iterator[tuple[str, str, object]]:
    """Yield path, key and value of the record's own values and of those of the records directly in it."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            for inner_key, inner in value.items():
                yield f"{key}.{inner_key}", inner_key, inner
        else:
            yield key, key, value


def _implausible(name: str, path: str, expected: str, received: str) -> Undecodable:
    where = f" at {path}" if path else ""
    return Undecodable(
        "WRONG_SCHEMA",
        f"decoded as {name}, the message is nonsense{where}: it was written with another schema",
        field=path or None,
        expected=expected,
        received=received,
    )
