"""When spectra were taken: UTC from TAI, exposures that files list, and null where a file names a night alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time

from stream.fits import read_fits

Change = Callable[[fits.HDUList], object]
BOSS = "boss-spec-10000-57346-0006.fits"
SDSS = "sdss-spec-1599-53089-0469.fits"
DESI = "desi-coadd-4-80613-thru20210324.fits"


def edited(source: Path, target: Path, change: Change) -> dict[str, Any]:
    with fits.open(source) as hdus:
        change(hdus)
        hdus.writeto(target, overwrite=True, output_verify="ignore", checksum=True)
    return next(read_fits(target))


def tai_seconds(utc: str) -> float:
    return float(Time(utc, scale="utc").tai.mjd) * 86400.0


def test_coadds_own_span_is_turned_from_tai_to_utc(data_dir: Path, tmp_path: Path) -> None:
    begin, end = "2015-11-19T03:00:00", "2015-11-20T05:30:00"

    def change(hdus: fits.HDUList) -> None:
        hdus[0].header["TAI-BEG"], hdus[0].header["TAI-END"] = tai_seconds(begin), tai_seconds(end)

    record = edited(data_dir / "fits" / BOSS, tmp_path / "x.fits", change)
    assert record["mjd_start"] == pytest.approx(Time(begin).mjd, abs=1e-6)
    assert record["mjd_end"] == pytest.approx(Time(end).mjd, abs=1e-6)
    assert not any("mjd" in sentence for sentence in record["assumptions"])


def test_span_of_a_full_spec_file_is_that_of_its_exposures(data_dir: Path, tmp_path: Path) -> None:
    begins = ["2015-11-20T04:00:00", "2015-11-19T03:00:00", "2015-11-20T04:20:00"]

    def change(hdus: fits.HDUList) -> None:
        for number, begin in enumerate(begins):
            column = fits.Column("flux", "E", array=np.ones(3))
            exposure = fits.BinTableHDU.from_columns([column], name=f"B1-0020850{number}")
            exposure.header["TAI-BEG"], exposure.header["TAI-END"] = tai_seconds(begin), tai_seconds(begin) + 900
            hdus.append(exposure)

    record = edited(data_dir / "fits" / BOSS, tmp_path / "x.fits", change)
    assert record["mjd_start"] == pytest.approx(Time(begins[1]).mjd, abs=1e-6)
    assert record["mjd_end"] == pytest.approx(Time(begins[2]).mjd + 900 / 86400, abs=1e-6)


def test_nights_and_times_of_the_imaging_are_no_times_of_the_spectrum(data_dir: Path) -> None:
    (record,) = read_fits(data_dir / "fits" / BOSS)  # MJDLIST, and TAI of the imaging in the catalogue table
    assert (record["mjd_start"], record["mjd_end"]) == (None, None)
    assert record["exptime_s"] == pytest.approx(6300.53)


def test_span_of_an_early_sdss_spectrum_is_estimated_and_said_so(data_dir: Path, tmp_path: Path) -> None:
    """Three exposures of 873 s; the first was written at 03:45:53.97 TAI, some 60 s after its end."""
    (record,) = read_fits(data_dir / "fits" / SDSS)
    first_end = 53089 + (3 * 3600 + 45 * 60 + 53.97 - 60 - 32) / 86400
    assert record["mjd_start"] == pytest.approx(first_end - 873.4 / 86400, abs=5 / 1440)
    assert record["mjd_end"] == pytest.approx(record["mjd_start"] + record["exptime_s"] / 86400, abs=1e-6)
    assert any("estimated from TAI" in sentence for sentence in record["assumptions"])

    def two_nights(hdus: fits.HDUList) -> None:
        hdus[0].header["MJDLIST"] = "53088 53089"

    record = edited(data_dir / "fits" / SDSS, tmp_path / "x.fits", two_nights)
    assert (record["mjd_start"], record["mjd_end"]) == (None, None)


def test_zero_is_no_time(data_dir: Path, tmp_path: Path) -> None:
    def change(hdus: fits.HDUList) -> None:
        hdus[0].header["TAI-BEG"] = hdus[0].header["TAI-END"] = hdus[0].header["TAI"] = 0.0

    record = edited(data_dir / "fits" / SDSS, tmp_path / "x.fits", change)
    assert (record["mjd_start"], record["mjd_end"]) == (None, None)


def test_desi_coadd_spans_its_exposures(data_dir: Path) -> None:
    (record,) = read_fits(data_dir / "fits" / DESI)
    with fits.open(data_dir / "fits" / DESI) as hdus:
        table = hdus["EXP_FIBERMAP"].data
        assert record["mjd_start"] == table["MJD"].min()
        assert record["mjd_end"] == pytest.approx(np.max(table["MJD"] + table["EXPTIME"] / 86400), abs=1e-9)
    assert record["exptime_s"] == pytest.approx(10973.27, abs=0.01)


def with_columns(hdus: fits.HDUList, **values: float) -> None:
    table = hdus["FIBERMAP"]
    columns = [fits.Column(name, "D", array=[value]) for name, value in values.items()]
    hdus["FIBERMAP"] = fits.BinTableHDU.from_columns(table.columns + fits.ColDefs(columns), name="FIBERMAP")


def test_desi_coadd_without_its_exposures_is_estimated_from_its_columns(data_dir: Path, tmp_path: Path) -> None:
    def change(hdus: fits.HDUList) -> None:
        del hdus["EXP_FIBERMAP"]
        with_columns(hdus, MIN_MJD=59202.25, MAX_MJD=59298.0)

    record = edited(data_dir / "fits" / DESI, tmp_path / "x.fits", change)
    assert record["mjd_start"] == 59202.25
    assert record["mjd_end"] == pytest.approx(59298.0 + 10973.272 / 30 / 86400, abs=1e-6)
    assert any("MAX_MJD" in sentence for sentence in record["assumptions"])


def test_desi_spectrum_of_one_exposure_has_its_times(data_dir: Path, tmp_path: Path) -> None:
    def change(hdus: fits.HDUList) -> None:
        with_columns(hdus, EXPID=68336, MJD=59202.25, EXPTIME=300.0)

    record = edited(data_dir / "fits" / DESI, tmp_path / "x.fits", change)
    assert (record["product_level"], record["mjd_start"], record["exptime_s"]) == ("SINGLE", 59202.25, 300.0)
    assert record["mjd_end"] == pytest.approx(59202.25 + 300 / 86400, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "start", "end", "exptime_s"),
    [
        ("lamost-spec-58575-sp03-010.fits", "2019-04-01T13:23:11", "2019-04-01T14:44:49", 4500.0),
        ("eso-sdp-ADP.2015-10-15T12_53_33.873.fits", "2007-02-14T02:33:27.6", "2007-02-14T02:45:27.6", 720.016),
        ("4most-mock-ql1.fits", "2022-09-05T03:00:00", "2022-09-05T03:20:00", 1200.0),
    ],
)
def test_other_surveys_state_start_and_end(data_dir: Path, name: str, start: str, end: str, exptime_s: float) -> None:
    (record,) = read_fits(data_dir / "fits" / name)
    assert record["mjd_start"] == pytest.approx(Time(start).mjd, abs=1e-5)
    assert record["mjd_end"] == pytest.approx(Time(end).mjd, abs=1e-5)
    assert record["exptime_s"] == exptime_s
