"""The error of the FITS readers: always names the file, and the extension and keyword where one is to blame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stream.errors import StreamError


class FitsError(StreamError):
    """A file, or one spectrum in it, cannot be read; the message is one line.

    Attributes:
        file: the file.
        extension: the extension (EXTNAME, or "HDU 2"), or None.
        keyword: the header keyword or column, or None.
        row: row of a multi-spectrum file, counted from 0; None when the whole file is bad.
        reason: what is wrong, without the place.
    """

    def __init__(
        self,
        reason: str,
        *,
        file: Path,
        extension: str | None = None,
        keyword: str | None = None,
        row: int | None = None,
    ) -> None:
        place = str(file)
        if extension is not None:
            place += f"[{extension}]"
        if row is not None:
            place += f" row {row}"
        if keyword is not None:
            place += f", {keyword}"
        self.file = file
        self.extension = extension
        self.keyword = keyword
        self.row = row
        self.reason = " ".join(reason.split())
        super().__init__(f"{place}: {self.reason}")

    def at_row(self, row: int) -> FitsError:
        """Return the same error for one row of a multi-spectrum file."""
        return FitsError(self.reason, file=self.file, extension=self.extension, keyword=self.keyword, row=row)


class BadSpectraError(FitsError):
    """Raised after the good spectra of a file were read, when nobody took the bad ones' errors.

    Attributes:
        errors: one error a bad spectrum, in the order of the file.
    """

    def __init__(self, errors: Sequence[FitsError], *, file: Path, n_good: int) -> None:
        first = errors[0]
        super().__init__(
            f"{len(errors)} of {len(errors) + n_good} spectra cannot be read; the first: {first.reason}",
            file=file,
            extension=first.extension,
            keyword=first.keyword,
            row=first.row,
        )
        self.errors = tuple(errors)
