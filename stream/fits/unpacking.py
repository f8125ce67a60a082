"""From a path to a plain FITS file on disk: checks the first bytes, and unpacks what is gzipped."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stream.fits.errors import FitsError

BLOCK_BYTES: Final = 2880
GZIP_MAGIC: Final = b"\x1f\x8b"
_UNPACK_BYTES: Final = 1 << 20


@contextmanager
def plain_file(path: Path) -> Iterator[Path]:
    """Yield the path of the plain file; raises FitsError where it is missing, empty, foreign or a broken gzip."""
    try:
        with path.open("rb") as stream:
            start = stream.read(BLOCK_BYTES)
    except OSError as error:
        raise FitsError(f"cannot be opened ({error.strerror or error})", file=path) from error
    if not start:
        raise FitsError("is empty", file=path)
    if start[:2] == GZIP_MAGIC:
        with _unpacked(path) as unpacked:
            yield unpacked
    else:
        check_magic(path, start)
        yield path


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """Unpack a gzipped file beside nothing of the user's: in the system's temporary folder, removed at the end."""
    with tempfile.NamedTemporaryFile(prefix="specstream-", suffix=".fits") as target:
        try:
            with gzip.open(path, "rb") as source:
                block = source.read(BLOCK_BYTES)
                check_magic(path, block)
                while block:
                    target.write(block)
                    block = source.read(_UNPACK_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            raise FitsError(f"the gzip stream is truncated or corrupt ({error})", file=path) from error
        target.flush()
        yield Path(target.name)


def check_magic(path: Path, start: bytes) -> None:
    """Raise FitsError unless a file that begins with ``start`` is FITS."""
    if not start.startswith(b"SIMPLE  ="):
        raise FitsError(f"is not a FITS file: begins with {start[:16]!r}, expected SIMPLE =", file=path)
