"""The keywords of one extension, each found by name and checked when asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeAlias

from stream.fits.errors import FitsError

KeywordValue: TypeAlias = str | bool | int | float


class Header:
    """The keywords of one extension; never raises on a card it cannot parse, but says so."""

    __slots__ = ("_keywords", "_value_of", "extension", "file")

    def __init__(
        self, value_of: Callable[[str], object], keywords: Collection[str], *, file: Path, extension: str
    ) -> None:
        """Take ``value_of``, which returns a keyword's value (None where absent or undefined) or raises ValueError."""
        self._value_of = value_of
        self._keywords = keywords
        self.file = file
        self.extension = extension

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._keywords

    def get(self, keyword: str) -> KeywordValue | None:
        """Return a keyword's value, or None where it is absent, empty or undefined."""
        try:
            value = self._value_of(keyword)
        except ValueError as error:
            raise self.error(f"cannot parse the card ({error})", keyword) from error
        if isinstance(value, str):
            return value.strip() or None
        return value if isinstance(value, bool | int | float) else None

    def text(self, keyword: str) -> str | None:
        """Return a keyword as text (numbers as written by Python), or None."""
        value = self.get(keyword)
        return None if value is None else str(value)

    def number(self, keyword: str) -> float | None:
        """Return a keyword as a finite number, None where it is absent or NaN; text that is no number is an error."""
        value = self.get(keyword)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError:
            raise self.error(f"expected a number, found {value!r}", keyword) from None
        return number if math.isfinite(number) else None

    def require(self, keyword: str) -> KeywordValue:
        """Return a keyword's value; raises FitsError where it is absent."""
        value = self.get(keyword)
        if value is None:
            raise self.error("the keyword is missing", keyword)
        return value

    def require_number(self, keyword: str) -> float:
        """Return a keyword as a number; raises FitsError where it is absent or no finite number."""
        self.require(keyword)
        number = self.number(keyword)
        if number is None:
            raise self.error("expected a finite number", keyword)
        return number

    def keywords(self) -> list[str]:
        """Return the names of all keywords but comments."""
        return [k for k in self._keywords if k and k not in {"COMMENT", "HISTORY"}]

    def texts(self, start: str) -> list[str]:
        """Return the values of all keywords that begin so (numbered ones), in order; empty ones left out."""
        return [value for keyword in self.keywords() if keyword.startswith(start) and (value := self.text(keyword))]

    def error(self, reason: str, keyword: str) -> FitsError:
        """Return a FitsError that names this header and keyword."""
        return FitsError(reason, file=self.file, extension=self.extension, keyword=keyword)
