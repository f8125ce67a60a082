"""The first header as stored says what astropy reads, for plain and gzipped files, and broken ones are named."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from astropy.io import fits

from stream.fits import FitsError
from stream.fits.first_header import first_header
from stream.fits.opening import parse_header


@pytest.mark.parametrize("packed", [False, True])
def test_cards_are_those_of_astropys_header(data_dir: Path, tmp_path: Path, packed: bool) -> None:
    for source in sorted((data_dir / "fits").glob("*.fits")):
        path = source
        if packed:
            path = tmp_path / f"{source.name}.gz"
            path.write_bytes(gzip.compress(source.read_bytes()[:57_600], compresslevel=1))
        cards = first_header(path)
        assert cards.decode() == fits.getheader(source).tostring(padding=False)
        assert parse_header(cards, path).number("NAXIS") == fits.getval(source, "NAXIS")


def test_long_header_is_read_to_its_end_and_no_further(tmp_path: Path) -> None:
    header = fits.Header([(f"KEY{n}", n) for n in range(5000)])
    header["TRICK"] = "END" + " " * 60  # not a card of its own
    fits.PrimaryHDU(header=header).writeto(tmp_path / "x.fits")
    cards = first_header(tmp_path / "x.fits")
    assert len(cards) % 80 == 0
    assert parse_header(cards, tmp_path / "x.fits").number("KEY4999") == 4999


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not a FITS file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(5000), "is not a FITS file"),
        (b"SIMPLE  =                    T".ljust(80) * 100, "has no END"),
        (gzip.compress(b"SIMPLE  =".ljust(80) * 3000)[:-20], "cannot be read"),
    ],
)
def test_what_has_no_first_header_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.fits"
    path.write_bytes(content)
    with pytest.raises(FitsError, match=says) as caught:
        first_header(path)
    assert str(path) in str(caught.value)
