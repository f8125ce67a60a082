"""The only importer of ``astropy.io.fits``: opens a file lazily and hands out headers, images and table rows.

Nothing is read before it is asked for: headers when the file is opened, data by row ranges (memory-mapped, so that a
file of thousands of spectra costs one chunk). A gzipped file is unpacked into a temporary file first, because a gzip
stream cannot be mapped. Everything astropy may raise or warn about is turned into a ``FitsError`` that names file,
extension and keyword; the only warnings that are let go are those about cards that surveys write carelessly.
"""

from __future__ import annotations

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
from stream.fits.unpacking import BLOCK_BYTES, plain_file

_BAD_HEADER: Final = "the header is corrupt or cut, or bytes follow the last extension"

_DATA_ERRORS: Final = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, VerifyError)


class Rows:
    """Some consecutive rows of a table, read together; columns are found by name whatever their case."""

    __slots__ = ("_cache", "_columns", "_stored", "_table", "start", "stop")

    def __init__(self, table: Extension, stored: NDArray[Any], start: int, stop: int) -> None:
        self._table = table
        self._stored = stored
        self._columns = table.columns
        self._cache: dict[str, NDArray[Any]] = {}
        self.start = start
        self.stop = stop

    def __len__(self) -> int:
        return self.stop - self.start

    def array(self, name: str) -> NDArray[Any]:
        """Return one column of these rows in native byte order, (row, ...); raises FitsError where it is absent."""
        column = self._columns.require(name)
        if column.name not in self._cache:
            try:
                self._cache[column.name] = column.physical(_native(self._stored[self._field(column)]))
            except _DATA_ERRORS as error:
                raise self._table.error(f"cannot read the column ({error})", column.name) from error
        return self._cache[column.name]

    def _field(self, column: Column) -> str:
        return str((self._stored.dtype.names or ())[column.number - 1])

    def value(self, name: str, row: int) -> Any:
        """Return one cell (``row`` counted from the first of these rows) as a Python value; None: null, NaN, absent."""
        column = self._columns.find(name)
        if column is None:
            return None
        cell = self.array(column.name)[row]
        if isinstance(cell, str):
            return cell.strip() or None
        if isinstance(cell, np.ndarray):
            return cell.item() if cell.size == 1 else cell
        value = cell.item()
        if (isinstance(value, float) and not np.isfinite(value)) or (column.null is not None and value == column.null):
            return None
        return value


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
        try:
            if self._stored is None:
                with _expected_warnings():
                    # The rows as stored: slicing astropy's own records copies the description of every column.
                    self._stored = self._hdu.data.view(np.ndarray)
            return Rows(self, self._stored[start:stop], start, stop)
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
        try:
            with _expected_warnings():
                whole = start is None and stop is None
                return self._scaled(_native(self._hdu.data if whole else self._hdu.section[slice(start, stop)]))
        except _DATA_ERRORS as error:
            raise self.error(f"cannot read the image ({error})") from error

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
    """Let go of what is known: careless cards, and short files, whose extension the size check names."""
    text = str(warning.message)
    if issubclass(warning.category, VerifyWarning) or "may have been truncated" in text:
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


def _native(array: Any) -> NDArray[Any]:
    """Return a copy in native byte order that does not hold on to the mapped file."""
    array = np.asarray(array)
    return np.array(array, dtype=array.dtype.newbyteorder("="))
