"""The first header of a file as stored, without astropy: what tells arms of an exposure must be cheap for many files.

Parsing a header takes astropy milliseconds; reading its blocks takes tens of microseconds, and most files need no more
than a look for one word.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO, Final

from stream.fits.errors import FitsError
from stream.fits.unpacking import BLOCK_BYTES, GZIP_MAGIC, check_magic

_CARD_BYTES: Final = 80
_END_CARD: Final = b"END".ljust(_CARD_BYTES)
_READ_BYTES: Final = 10 * BLOCK_BYTES
_MAX_BYTES: Final = 4096 * BLOCK_BYTES  # 147,456 cards; without END, what follows is no header


def first_header(path: Path) -> bytes:
    """Return the cards of the first header, END included, of a file that may be gzipped.

    Raises:
        FitsError: the file cannot be opened, is not FITS, or its first header has no end.
    """
    try:
        with path.open("rb") as stream:
            packed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            stream.seek(0)
            if not packed:
                return _cards(stream, path)
            with gzip.open(stream) as plain:
                return _cards(plain, path)
    except (OSError, EOFError, zlib.error) as error:
        raise FitsError(f"cannot be read ({error})", file=path) from error


def _cards(stream: IO[bytes] | gzip.GzipFile, path: Path) -> bytes:
    cards, searched = stream.read(_READ_BYTES), 0
    check_magic(path, cards)
    while True:
        at = cards.find(_END_CARD, searched)
        while at >= 0 and at % _CARD_BYTES:
            at = cards.find(_END_CARD, at + 1)
        if at >= 0:
            return cards[: at + _CARD_BYTES]
        searched = max(0, len(cards) - _CARD_BYTES + 1)
        more = stream.read(_READ_BYTES) if len(cards) < _MAX_BYTES else b""
        if not more:
            raise FitsError("the first header has no END", file=path, extension="HDU 0")
        cards += more
