"""Which survey's reader reads a file: the first that recognises its header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from stream.fits import desi, eso_phase3, fourmost_mec, fourmost_single, lamost, sdss, weave
from stream.fits.errors import FitsError
from stream.fits.opening import FitsFile
from stream.fits.selection import RowSelection


@dataclass(frozen=True, slots=True)
class SurveyReader:
    """One survey's layout.

    Attributes:
        name: what a person calls it.
        recognises: from headers alone, whether a file has this layout.
        read: yields l1_spectrum records; hands the error of a bad spectrum to ``report`` and goes on.
    """

    name: str
    recognises: Callable[[FitsFile], bool]
    read: Callable[[FitsFile, RowSelection, Callable[[FitsError], None]], Iterator[dict[str, Any]]]


# The particular before the general: 4MOST's single spectra are Phase 3 products too.
READERS: Final = tuple(
    SurveyReader(module.NAME, module.recognises, module.read)
    for module in (fourmost_mec, fourmost_single, weave, desi, lamost, sdss, eso_phase3)
)


def reader_of(file: FitsFile) -> SurveyReader:
    """Return the reader of a file; raises FitsError that says what it holds and what is supported."""
    for reader in READERS:
        if reader.recognises(file):
            return reader
    extensions = ", ".join(extension.label for extension in file.extensions[:20])
    supported = "; ".join(reader.name for reader in READERS)
    telescope = file.primary.text("TELESCOP") or file.primary.text("INSTRUME") or "unknown"
    raise file.error(
        f"no survey's layout is recognised (TELESCOP {telescope}; extensions {extensions}); supported: {supported}"
    )
