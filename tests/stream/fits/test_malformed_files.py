"""Files that are intact, of a known layout, and hold what no reader can use: an error of the file, never another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from stream.fits import FitsError, read_fits
from stream.fits.frames import barycentric_correction_km_s

ESO = "eso-sdp-ADP.2015-10-15T12_53_33.873.fits"
LAMOST = "lamost-spec-58575-sp03-010.fits"
FOURMOST = "4most-mock-ql1.fits"
DESI = "desi-coadd-4-80613-thru20210324.fits"
SDSS = "sdss-spec-1599-53089-0469.fits"
Change = Callable[[fits.HDUList], Any]


def _no_pixels(file: fits.HDUList) -> None:
    file[0].data = file[0].data[:, :0]


def _no_rows(file: fits.HDUList) -> None:
    file[1] = fits.BinTableHDU(file[1].data[:0], header=file[1].header)


def _text(extension: int, column: str) -> Change:
    def change(file: fits.HDUList) -> None:
        table = file[extension]
        rows = len(table.data)
        columns = [
            fits.Column(each.name, "8A", array=np.full(rows, "x"))
            if each.name == column
            else fits.Column(each.name, each.format, array=table.data[each.name])
            for each in table.columns
        ]
        file[extension] = fits.BinTableHDU.from_columns(columns, name=table.name)

    return change


def _linear(file: fits.HDUList) -> None:
    file[1].data["loglam"] = 10.0 ** file[1].data["loglam"].astype(float)


def _nanometres(file: fits.HDUList) -> None:
    file[1].data["loglam"] = 10.0 ** (file[1].data["loglam"].astype(float) - 1.0)


def _unknown_wavelength(file: fits.HDUList) -> None:
    file[1].data["loglam"][7] = np.nan


def _other_mask(file: fits.HDUList) -> None:
    file["B_MASK"].data = file["B_MASK"].data[:, :-5]


def _flat_mask(file: fits.HDUList) -> None:
    file["R_MASK"].data = file["R_MASK"].data[0]


def _declination(file: fits.HDUList) -> None:
    file[0].header["DEC"] = 100.0


def _date(file: fits.HDUList) -> None:
    file[0].header["MJD-OBS"], file[0].header["MJD-END"] = 1e9, 1e9 + 0.01


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (ESO, _declination),
        (ESO, _date),
        (FOURMOST, _no_rows),
        (LAMOST, _no_pixels),
        (DESI, _other_mask),
        (DESI, _flat_mask),
        (SDSS, _text(1, "flux")),
        (SDSS, _text(1, "ivar")),
        (SDSS, _text(1, "loglam")),
        (SDSS, _linear),
        (SDSS, _nanometres),
        (SDSS, _unknown_wavelength),
    ],
)
def test_it_is_an_error_of_one_line_that_names_the_file(
    data_dir: Path, tmp_path: Path, name: str, change: Change
) -> None:
    """Not one that ends the reading of a night's other files, and none that numpy warns of first."""
    path = tmp_path / name
    with fits.open(data_dir / "fits" / name) as file:
        change(file)
        file.writeto(path, output_verify="silentfix")
    with pytest.raises(FitsError) as caught:
        list(read_fits(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("column", ["ivar", "and_mask"])
def test_a_spectrum_of_sdss_that_lacks_a_column_is_told_which(data_dir: Path, tmp_path: Path, column: str) -> None:
    path = tmp_path / SDSS
    with fits.open(data_dir / "fits" / SDSS) as file:
        file[1].columns.del_col(column)
        file.writeto(path, output_verify="silentfix")
    with pytest.raises(FitsError, match=f"no column {column}") as caught:
        list(read_fits(path))
    assert caught.value.keyword == column.upper()


@pytest.mark.parametrize("mjd", [50_000.0, None, 70_000.0, 90_000.0])
def test_velocities_are_corrected_for_any_date_however_old_the_tables_of_the_earths_rotation(mjd: float | None) -> None:
    """What ships of them ends; a night after their end, such as the last (None), is one like another."""
    if mjd is None:
        mjd = datetime.now(UTC).timestamp() / 86_400.0 + 40_587.0
    found = barycentric_correction_km_s(
        ra_deg=150.0, dec_deg=2.0, mjd_mid=mjd, longitude_deg=-70.4, latitude_deg=-24.6, height_m=2635.0
    )
    assert np.isfinite(found)
    assert abs(found) < 31.0


def _with_byte(data_dir: Path, folder: Path, keyword: bytes) -> Path:
    """Return a copy of LAMOST's file with a letter beyond ASCII in the value of a card of its first header."""
    content = bytearray((data_dir / "fits" / LAMOST).read_bytes())
    content[content.index(keyword.ljust(8) + b"=") + 20] = 0xE9
    path = folder / "letter.fits"
    path.write_bytes(content)
    return path


def test_a_letter_beyond_ascii_spoils_no_more_than_its_own_card(data_dir: Path, tmp_path: Path) -> None:
    """An observer's or a target's name is no reason to lose a spectrum; a number that is needed is named."""
    (read,) = read_fits(_with_byte(data_dir, tmp_path, b"PLANID"))
    (right,) = read_fits(data_dir / "fits" / LAMOST)
    np.testing.assert_array_equal(read["flux"], right["flux"])
    with pytest.raises(FitsError, match=r"letter.fits.*SPID: cannot parse"):
        list(read_fits(_with_byte(data_dir, tmp_path, b"SPID")))
