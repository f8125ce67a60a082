"""From a path to records: opens, recognises, selects, and decides what becomes of bad spectra."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeAlias

from stream.errors import StreamError
from stream.expression import Expression, compile_expression
from stream.fits.arms import join_records
from stream.fits.errors import BadSpectraError, FitsError
from stream.fits.opening import open_fits
from stream.fits.registry import reader_of
from stream.fits.selection import RowSelection

AnyPath: TypeAlias = str | PathLike[str]
MALFORMED: Final = (ValueError, TypeError, LookupError, ArithmeticError)
"""What numpy and astropy raise of columns and keywords of another type, shape or range than a reader can use."""


def read_fits(
    path: AnyPath | Sequence[AnyPath],
    rows: str | None = None,
    on_error: Callable[[FitsError], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the ``l1_spectrum`` records of a FITS file, lazily and in the order of the file.

    Args:
        path: the file; or the files that are arms of one exposure, as ``group_arms`` gives them, to be joined.
        rows: a rule that selects spectra, in the language of ``stream.expression``, for example ``OBJ_FLAG & 1 != 0``.
            It sees the columns of the table that describes the spectra, or the keywords of a one-spectrum file.
        on_error: is handed the error of each bad spectrum of a multi-spectrum file; the others go on.

    Yields:
        Dicts with the fields of ``l1_spectrum``; arrays are numpy, fields without a value may be absent.

    Raises:
        FitsError: the file as a whole cannot be read.
        BadSpectraError: after all good spectra, when some were bad and ``on_error`` is None.
        ExpressionError: ``rows`` is wrong or names a column that the file does not have.
    """
    rule = None if rows is None else compile_expression(rows)
    paths = [Path(path)] if isinstance(path, str | PathLike) else [Path(part) for part in path]
    return _read(paths, rule, on_error)


def recognise(path: AnyPath) -> str:
    """Return the name of the layout of a file, from its headers alone; raises FitsError where none is recognised."""
    with open_fits(Path(path)) as file:
        return reader_of(file).name


def _read(
    paths: Sequence[Path], rule: Expression | None, on_error: Callable[[FitsError], None] | None
) -> Iterator[dict[str, Any]]:
    errors: list[FitsError] = []
    n_good = 0
    with ExitStack() as open_files:
        for record in _records(paths, open_files, rule, errors.append if on_error is None else on_error):
            n_good += 1
            yield record
    if errors:
        raise BadSpectraError(errors, file=paths[0], n_good=n_good)


def _records(
    paths: Sequence[Path], open_files: ExitStack, rule: Expression | None, report: Callable[[FitsError], None]
) -> Iterator[dict[str, Any]]:
    """Yield the records of a file; what a reader does not foresee of a malformed one is an error of the file, too."""
    layout = "a FITS file"
    try:
        streams = []
        for path in paths:
            file = open_files.enter_context(open_fits(path))
            reader = reader_of(file)
            layout = reader.name
            streams.append(reader.read(file, RowSelection(rule), report))
        yield from streams[0] if len(streams) == 1 else join_records(streams, paths)
    except StreamError:
        raise
    except MALFORMED as error:
        found = f"{type(error).__name__}: {error}"
        raise FitsError(
            f"expected a file laid out as {layout}, found what cannot be read: {found}", file=paths[0]
        ) from error
