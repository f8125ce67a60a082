"""The only reader with ``astropy.io.fits``: opens a file lazily and hands out headers, images and table rows.

Nothing is read before it is asked for: headers when the file is opened, data by row ranges (memory-mapped, so that a
file of thousands of spectra costs one chunk). A gzipped file is unpacked into a temporary file first, because a gzip
stream cannot be mapped. Everything astropy may raise or warn about is turned into a ``FitsError`` that names file,
extension and keyword; the only warnings that are let go are those about cards that surveys write carelessly.

The data of an extension that states a DATASUM are verified before the first of them are handed out. CHECKSUM is left
aside: it covers the header too, which archives edit without renewing it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError, VerifyWarning
from astropy.utils.exceptions import AstropyUserWarning
from numpy.typing import NDArray

from stream.fits.columns import Column, Columns, scaled
from stream.fits.errors import FitsError
from stream.fits.headers import Header
from stream.fits.rows import Rows, native
from stream.fits.unpacking import BLOCK_BYTES, plain_file

_BAD_HEADER: Final = "the header is corrupt or cut, or bytes follow the last extension"

_DATA_ERRORS: Final = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, VerifyError)


class Extension:
    """One header-data unit, read when asked."""

    def __init__(self, hdu: Any, index: int, file: Path) -> None:
        self._hdu = hdu
        self.index = index
        self.file = file
        self.name: str = str(hdu.name or "").strip().upper()
        self.label = self.name or f"HDU {index}"
        self.header = Header(partial(_value_of, hdu.header), hdu.header, file=file, extension=self.label)
        self.is_table = isinstance(hdu, fits.BinTableHDU)
        self._columns: Columns | None = None
        self._stored: NDArray[Any] | None = None
        self._verified = False

    def error(self, reason: str, keyword: str | None = None) -> FitsError:
        """Return a FitsError that names this extension."""
        return FitsError(reason, file=self.file, extension=self.label, keyword=keyword)

    @property
    def columns(self) -> Columns:
        """The columns of a table, with unit, UCD and UTYPE; empty for an image."""
        if self._columns is None:
            count = int(self.header.number("TFIELDS") or 0) if self.is_table else 0
            names = [str(self.header.get(f"TTYPE{number}") or f"COL{number}") for number in range(1, count + 1)]
            self._columns = Columns(names, self._describe, file=self.file, extension=self.label)
        return self._columns

    def _describe(self, number: int, name: str) -> Column:
        return Column(
            name=name,
            number=number,
            unit=self.header.text(f"TUNIT{number}"),
            ucd=(self.header.text(f"TUCD{number}") or "").lower(),
            utype=(self.header.text(f"TUTYP{number}") or "").lower(),
            null=self._null(number),
            form=(self.header.text(f"TFORM{number}") or "").upper(),
            scale=self.header.number(f"TSCAL{number}"),
            zero=self.header.number(f"TZERO{number}"),
        )

    def _null(self, number: int) -> int | None:
        value = self.header.get(f"TNULL{number}")
        return value if isinstance(value, int) else None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image, slowest axis first; empty without data or for a table."""
        return () if self.is_table else tuple(int(n) for n in (self._hdu.shape or ()))

    @property
    def n_rows(self) -> int:
        """Number of rows of a table; 0 for an image."""
        return int(self.header.number("NAXIS2") or 0) if self.is_table else 0

    def rows(self, start: int = 0, stop: int | None = None) -> Rows:
        """Return the rows ``start`` to ``stop`` of a table; their columns are read when asked."""
        stop = self.n_rows if stop is None else min(stop, self.n_rows)
        self._verify()
        try:
            if self._stored is None:
                with _expected_warnings():
                    # The rows as stored: slicing astropy's own records copies the description of every column.
                    self._stored = self._hdu.data.view(np.ndarray)
            return Rows(self.columns, self._stored[start:stop], start, stop, self.error)
        except _DATA_ERRORS as error:
            raise self.error(f"cannot read rows {start} to {stop} ({error})") from error

    def chunks(self, size: int) -> Iterator[Rows]:
        """Yield all rows of a table, ``size`` at a time."""
        for start in range(0, self.n_rows, size):
            yield self.rows(start, start + size)

    def image(self, start: int | None = None, stop: int | None = None) -> NDArray[Any]:
        """Return an image, or its rows ``start`` to ``stop`` along the slowest axis, in native byte order."""
        if not self.shape:
            raise self.error("has no image")
        self._verify()
        try:
            with _expected_warnings():
                whole = start is None and stop is None
                return self._scaled(native(self._hdu.data if whole else self._hdu.section[slice(start, stop)]))
        except _DATA_ERRORS as error:
            raise self.error(f"cannot read the image ({error})") from error

    def _verify(self) -> None:
        """Raise FitsError, once for all reads, where the data are not those that DATASUM was computed of."""
        if self._verified:
            return
        try:
            sound = _data_match(self._hdu)
        except _DATA_ERRORS as error:
            raise self.error(f"cannot verify the data ({error})", "DATASUM") from error
        if not sound:
            raise self.error("the data are damaged: they do not match their checksum", "DATASUM")
        self._verified = True

    def _scaled(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Apply BSCALE and BZERO, which astropy refuses to do on a mapped file; whole numbers stay whole."""
        scale, zero = self.header.number("BSCALE"), self.header.number("BZERO")
        scale, zero = 1.0 if scale is None else scale, 0.0 if zero is None else zero
        return scaled(stored, scale, zero)


class FitsFile:
    """An open file: its extensions in order, and by name."""

    def __init__(self, path: Path, extensions: list[Extension]) -> None:
        self.path = path
        self.extensions = extensions
        self.primary = extensions[0].header

    @property
    def stem(self) -> str:
        """The file's name without its endings."""
        return stem_of(self.path.name)

    def find(self, name: str) -> Extension | None:
        """Return the first extension of that EXTNAME, or None."""
        return next((e for e in self.extensions if e.name == name), None)

    def require(self, name: str) -> Extension:
        """Return the first extension of that EXTNAME; raises FitsError where there is none."""
        extension = self.find(name)
        if extension is None:
            present = ", ".join(e.label for e in self.extensions)
            raise FitsError(f"the extension is missing; present: {present}", file=self.path, extension=name)
        return extension

    def error(self, reason: str, keyword: str | None = None) -> FitsError:
        """Return a FitsError for the whole file."""
        return FitsError(reason, file=self.path, keyword=keyword)


def stem_of(name: str) -> str:
    """Return the name of a FITS file without its endings: .fits, .fit or .fts, packed (.gz, .fz) or not."""
    return re.sub(r"\.(fits|fit|fts)(\.gz|\.fz)?$", "", name, flags=re.IGNORECASE)


@contextmanager
def open_fits(path: Path) -> Iterator[FitsFile]:
    """Open a FITS file, gzipped or not; raises FitsError where it is missing, empty, foreign, truncated or corrupt."""
    with plain_file(path) as readable:
        yield from _open(path, readable)


def parse_header(cards: bytes, path: Path) -> Header:
    """Return the keywords of a file's first header from its cards; raises FitsError where they are no header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VerifyWarning)
            header = fits.Header.fromstring(cards)
    except _DATA_ERRORS as error:
        raise FitsError(f"cannot be read as FITS ({error})", file=path, extension="HDU 0") from error
    return Header(partial(_value_of, header), header, file=path, extension="HDU 0")


def _data_match(hdu: Any) -> bool:
    """Return whether data have the sum that their header states, or it states none (absent or empty, says FITS)."""
    if isinstance(hdu, fits.CompImageHDU):  # shows the header of its pixels; the sum is that of its table
        info = hdu.fileinfo()
        with fits.open(info["file"].name, disable_image_compression=True) as stored:
            table = next(each for each in stored if each.fileinfo()["datLoc"] == info["datLoc"])
            return _data_match(table)
    stated = str(_value_of(hdu.header, "DATASUM") or "")
    return not stated.strip().isdecimal() or hdu.verify_datasum() != 0


def _value_of(header: Any, keyword: str) -> object:
    try:
        value = header.get(keyword)
    except VerifyError as error:
        raise ValueError(str(error)) from error
    return None if isinstance(value, fits.card.Undefined) else value


def _open(path: Path, readable: Path) -> Iterator[FitsFile]:
    size = readable.stat().st_size
    hdus = None
    try:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                hdus = fits.open(
                    readable, mode="readonly", memmap=True, lazy_load_hdus=True, do_not_scale_image_data=True
                )
                n_hdus = len(hdus)  # walks over all headers
        except _DATA_ERRORS as error:
            raise FitsError(f"cannot be read as FITS ({error})", file=path, extension="HDU 0") from error
        for warning in caught:
            if "Error validating header" in str(warning.message):
                raise FitsError(_BAD_HEADER, file=path, extension=f"HDU {n_hdus}")
            _reject_unexpected(warning, path)
        for hdu in hdus:
            info, label = hdu.fileinfo(), str(hdu.name or f"HDU {hdus.index(hdu)}")
            if hdu is not hdus[0] and "XTENSION" not in hdu.header:
                raise FitsError(_BAD_HEADER, file=path, extension=label)
            # The size of a compressed image is that of its pixels; its table ends somewhere in the last block.
            compressed = isinstance(hdu, fits.CompImageHDU)
            end = info["datLoc"] + (info["datSpan"] - BLOCK_BYTES + 1 if compressed else hdu.size)
            if end > size:
                raise FitsError(f"is truncated: needs {end} bytes, the file has {size}", file=path, extension=label)
            last = info["datLoc"] + info["datSpan"]
        _check_rest(path, readable, last, n_hdus)
        yield FitsFile(path, [Extension(hdu, index, path) for index, hdu in enumerate(hdus)])
    finally:
        if hdus is not None:
            hdus.close()


def _check_rest(path: Path, readable: Path, end: int, n_hdus: int) -> None:
    """Refuse what follows the last extension but padding: astropy silently stops at a header it cannot read."""
    with readable.open("rb") as stream:
        stream.seek(end)
        if stream.read(BLOCK_BYTES).strip(b"\0 "):
            raise FitsError(_BAD_HEADER, file=path, extension=f"HDU {n_hdus}")


def _reject_unexpected(warning: warnings.WarningMessage, path: Path) -> None:
    """Let go of what is known: careless cards, and short files, whose extension the size check names.

    A letter beyond ASCII, as in an observer's name, is read as a question mark; where a number was needed, its keyword
    is refused by name when it is asked for.
    """
    text = str(warning.message)
    if issubclass(warning.category, VerifyWarning) or "may have been truncated" in text or "non-ASCII" in text:
        return
    raise FitsError(text, file=path)


@contextmanager
def _expected_warnings() -> Iterator[None]:
    """Silence astropy's remarks on display formats and null values of columns, which the readers never use."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=VerifyWarning)
        warnings.filterwarnings("error", category=AstropyUserWarning)
        warnings.filterwarnings("ignore", category=VerifyWarning)
        yield
