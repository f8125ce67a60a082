"""One spectrum in the layout of an SDSS or BOSS "lite" spec file: tables COADD and SPECOBJ.

Layout: https://data.sdss.org/datamodel/files/BOSS_SPECTRO_REDUX/RUN2D/spectra/lite/PLATE4/spec.html. There is no plate,
so that the reader names the spectrum after its file. The table's CLASS is empty: no pipeline has classified it. SURVEY
and INSTRUMENT of the table say which of the two surveys it is, and PLATETYP, which files of SDSS do not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream.alerts.time_scales import tai_to_utc_mjd
from stream.fits.writing.fields import SECONDS_PER_DAY, is_sky, r_magnitude, shared_grid
from stream.fits.writing.hdus import Card, Cards, ColumnData, store, table

NODATA: Final = 1 << 24
"""Bit of SPPIXMASK that a masked pixel gets (https://www.sdss.org/dr17/algorithms/bitmasks/#SPPIXMASK)."""
_SURVEYS: Final = ("SDSS", "BOSS")
_FWHM_PER_SIGMA: Final = 2.3548200450309493
_DLOGLAM: Final = 1e-4
_R_BAND: Final = 2


def write_sdss(record: Mapping[str, Any], path: Path, truth: Cards) -> None:
    """Write one spectrum.

    Args:
        record: with a LOG10 grid in vacuum, flux in 1e-17 erg/s/cm2/Angstrom and inverse variances; its
            ``instrument``, SDSS or BOSS, says whose file it becomes.
        path: the file; its stem becomes ``l1_id``.
        truth: keywords of the primary header.

    Raises:
        ValueError: the grid is none of SDSS's, or the instrument is neither SDSS nor BOSS.
    """
    if record["instrument"] not in _SURVEYS:
        raise ValueError(f"instrument: expected one of {', '.join(_SURVEYS)}, got {record['instrument']!r}")
    grid = shared_grid([record], "LOG10")
    n = int(grid["n"])
    loglam = (grid["start"] + grid["step"] * np.arange(n)).astype(np.float32)
    coadd = [
        ColumnData("flux", "E", record["flux"]),
        ColumnData("loglam", "E", loglam),
        ColumnData("ivar", "E", record["uncertainty"]),
        ColumnData("and_mask", "J", np.where(record["quality"] != 0, NODATA, 0).astype(np.int32)),
    ]
    if record.get("resolving_power"):
        # wdisp is the dispersion in pixels of 1e-4 dex.
        wdisp = 1.0 / (_FWHM_PER_SIGMA * record["resolving_power"] * _DLOGLAM * np.log(10.0))
        coadd.append(ColumnData("wdisp", "E", np.full(n, wdisp, dtype=np.float32)))
    store(path, {**_primary(record), **truth}, [table("COADD", coadd), table("SPECOBJ", _catalogue(record))])


def _primary(record: Mapping[str, Any]) -> Cards:
    start, end = record["mjd_start"], record["mjd_end"]
    plate_type: dict[str, Card] = {"PLATETYP": "BOSS"} if record["instrument"] == "BOSS" else {}
    return {
        "TELESCOP": "SDSS 2.5-M",
        **plate_type,
        "MJD": int(start),
        "FIBERID": record["fibre_id"],
        "RUN2D": "simulated",
        "NEXP": record["n_combine"],
        "EXPTIME": record["exptime_s"],
        "TAI-BEG": (_tai_seconds(start), "[s] TAI, first exposure starts"),
        "TAI-END": (_tai_seconds(end), "[s] TAI, last exposure ends"),
        "PLUG_RA": (record["ra_deg"], "[deg] of the fibre"),
        "PLUG_DEC": (record["dec_deg"], "[deg] of the fibre"),
        "VACUUM": (True, "wavelengths are in vacuum"),
        "HELIO_RV": (0.0, "[km/s] added to the wavelengths"),
        "BUNIT": "1E-17 erg/cm^2/s/Ang",
    }


def _catalogue(record: Mapping[str, Any]) -> list[ColumnData]:
    magnitude, error = np.zeros((1, 5), dtype=np.float32), np.zeros((1, 5), dtype=np.float32)
    found = r_magnitude(record)
    if found is not None:
        magnitude[0, _R_BAND], error[0, _R_BAND] = found
    return [
        ColumnData("SURVEY", "6A", [record["instrument"].lower()]),
        ColumnData("INSTRUMENT", "4A", [record["instrument"]]),
        ColumnData("PROGRAMNAME", "9A", ["simulated"]),
        ColumnData("OBJTYPE", "6A", ["SKY" if is_sky(record) else "OBJECT"]),
        ColumnData("CLASS", "6A", [""]),
        ColumnData("MJD", "J", [int(record["mjd_start"])]),
        ColumnData("FIBERID", "J", [record["fibre_id"]]),
        ColumnData("SPECTROGRAPHID", "I", [int(record["spectrograph"])]),
        ColumnData("PLUG_RA", "D", [record["ra_deg"]], "deg"),
        ColumnData("PLUG_DEC", "D", [record["dec_deg"]], "deg"),
        ColumnData("PSFMAG", "5E", magnitude, "mag"),
        ColumnData("PSFMAGERR", "5E", error, "mag"),
    ]


def _tai_seconds(mjd_utc: float) -> float:
    """Return the TAI of a UTC instant [s since MJD 0]: what ``tai_to_utc_mjd`` takes off is put on."""
    return (mjd_utc + (mjd_utc - tai_to_utc_mjd(mjd_utc))) * SECONDS_PER_DAY
