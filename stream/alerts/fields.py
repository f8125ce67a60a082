"""Typed access to an alert's fields: what is missing, mistyped or implausible is a Rejectable that names it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

from stream.errors import Reason, Rejectable

MJD_OF_JD_ZERO = 2400000.5
"""JD minus MJD [d]."""

_EARLIEST_MJD, _LATEST_MJD = 15020.0, 124594.0  # 1900-01-01 and 2200-01-01: beyond it lies a wrong schema, not an alert


class Fields:
    """One record (or one of its sub-records) of a survey."""

    __slots__ = ("_path", "_record", "survey")

    def __init__(self, record: Mapping[str, Any], survey: str, path: str = "") -> None:
        self._record = record
        self._path = path
        self.survey = survey

    def reject(self, reason: Reason, message: str, name: str, expected: str, received: object) -> NoReturn:
        """Raise Rejectable for field ``name`` of this record."""
        text = str(received)
        raise Rejectable(
            reason,
            message,
            field=self._path + name,
            expected=expected,
            received=text if len(text) <= 80 else text[:77] + "...",
            survey=self.survey,
        )

    def raw(self, name: str) -> Any:
        """Return the value of a field, None when it is absent or null."""
        return self._record.get(name)

    def record(self, name: str) -> Fields:
        """Return a mandatory sub-record."""
        value = self._record.get(name)
        if value is None:
            self.reject(Reason.MISSING_FIELD, f"{name} is missing", name, "a record", "null")
        if not isinstance(value, Mapping):
            self.reject(Reason.INVALID_VALUE, f"{name} is no record", name, "a record", type(value).__name__)
        return Fields(value, self.survey, f"{self._path}{name}.")

    def optional_record(self, name: str) -> Fields:
        """Return a sub-record, an empty one when it is absent or null."""
        return (
            self.record(name) if self._record.get(name) is not None else Fields({}, self.survey, f"{self._path}{name}.")
        )

    def identifier(self, name: str) -> str:
        """Return a mandatory identifier (integer or non-empty text) as text."""
        value = self.optional_identifier(name)
        if value is None:
            self.reject(Reason.MISSING_FIELD, f"{name} is missing", name, "an identifier", "null or empty")
        return value

    def optional_identifier(self, name: str) -> str | None:
        """Return an identifier as text; None when it is absent, null or empty."""
        value = self._record.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | str):
            self.reject(Reason.INVALID_VALUE, f"{name} is no identifier", name, "integer or text", type(value).__name__)
        return str(value).strip() or None

    def number(self, name: str) -> float | None:
        """Return a number; None when it is absent or null. NaN and inf are returned as they are."""
        value = self._record.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.reject(Reason.INVALID_VALUE, f"{name} is no number", name, "a number", type(value).__name__)
        return float(value)

    def mjd(self, name: str, *, zero: float = 0.0) -> float | None:
        """Return a time as MJD; None when it is absent or null.

        Args:
            name: field.
            zero: what to subtract: ``MJD_OF_JD_ZERO`` for a Julian date.
        """
        value = self.number(name)
        if value is None:
            return None
        mjd = value - zero
        if not _EARLIEST_MJD <= mjd <= _LATEST_MJD:  # False for NaN too
            self.reject(Reason.INVALID_VALUE, f"{name} is no plausible time", name, "a time from 1900 to 2200", value)
        return mjd

    def position(self, ra_name: str, dec_name: str) -> tuple[float, float] | tuple[None, None]:
        """Return right ascension and declination [deg]; (None, None) when both are absent or null.

        Raises:
            Rejectable: IMPLAUSIBLE_POSITION for anything but 0 <= ra < 360 and -90 <= dec <= 90.
        """
        ra_deg, dec_deg = self.number(ra_name), self.number(dec_name)
        if ra_deg is None and dec_deg is None:
            return None, None
        if ra_deg is None or not (math.isfinite(ra_deg) and 0.0 <= ra_deg < 360.0):
            self.reject(
                Reason.IMPLAUSIBLE_POSITION, "implausible right ascension", ra_name, "0 <= ra < 360 deg", ra_deg
            )
        if dec_deg is None or not (math.isfinite(dec_deg) and -90.0 <= dec_deg <= 90.0):
            self.reject(
                Reason.IMPLAUSIBLE_POSITION, "implausible declination", dec_name, "-90 <= dec <= 90 deg", dec_deg
            )
        return ra_deg, dec_deg
