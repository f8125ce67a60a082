"""One spectrum in the layout of a LAMOST low-resolution file since DR8: table COADD of one row, vectors in its cells.

Layout: https://www.lamost.org/dr8/v1.0/doc/lr-data-production-description. There is no VERSPIPE, because no pipeline of
LAMOST made the spectrum, and no class in the header, because none has classified it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.time import Time

from stream.fits.axes import lattice_wavelength
from stream.fits.writing.fields import is_sky, object_number, r_magnitude, shared_grid
from stream.fits.writing.hdus import Card, Cards, ColumnData, store, table

_BEIJING_DAYS: Final = 8 / 24
_TIME_DECIMALS: Final = 6


def write_lamost(record: Mapping[str, Any], path: Path, truth: Cards) -> None:
    """Write one spectrum.

    Args:
        record: with a LOG10 grid in vacuum, flux without a unit (relative calibration) and inverse variances.
        path: the file; its stem becomes ``l1_id``.
        truth: keywords of the primary header.

    Raises:
        ValueError: the grid is none of LAMOST's, or the flux has a unit, which the layout cannot say.
    """
    grid = dict(shared_grid([record], "LOG10"))
    if record["flux_unit"]:
        raise ValueError(f"flux_unit: expected none, as LAMOST's flux has, got {record['flux_unit']!r}")
    wavelength = lattice_wavelength(grid).astype(np.float32)
    mask = (record["quality"] != 0).astype(np.float32)
    n = wavelength.size
    columns = [
        ColumnData("FLUX", f"{n}E", record["flux"][None, :]),
        ColumnData("IVAR", f"{n}E", record["uncertainty"][None, :]),
        ColumnData("WAVELENGTH", f"{n}E", wavelength[None, :], "Angstrom"),
        ColumnData("ANDMASK", f"{n}E", mask[None, :]),
        ColumnData("ORMASK", f"{n}E", mask[None, :]),
    ]
    store(path, {**_primary(record, grid, path), **truth}, [table("COADD", columns)])


def _primary(record: Mapping[str, Any], grid: Mapping[str, Any], path: Path) -> Cards:
    found = r_magnitude(record)
    magnitude: dict[str, Card] = {} if found is None else {"MAGTYPE": "r", "MAG1": (found[0], "[mag] AB")}
    return {
        "FILENAME": path.name,
        "OBSID": object_number(record),
        "TELESCOP": "LAMOST",
        "DATE-BEG": (_beijing(record["mjd_start"]), "The observation start local time"),
        "DATE-END": (_beijing(record["mjd_end"]), "The observation end local time"),
        "PLANID": record["ob_id"],
        "RA": (record["ra_deg"], "[deg] Right ascension of object"),
        "DEC": (record["dec_deg"], "[deg] Declination of object"),
        "FIBERID": record["fibre_id"],
        "OBJNAME": record["object_id"],
        "FIBERTYP": "Sky" if is_sky(record) else "Obj",
        **magnitude,
        "NEXP": record["n_combine"],
        "EXPTIME": (record["exptime_s"], "[s]"),
        "SPID": int(record["spectrograph"]),
        "SLIT_MOD": ("x2/3", "R of 1800 at 5500 Angstrom"),
        "HELIO": (True, "Heliocentric correction"),
        "HELIO_RV": (0.0, "[km/s] Heliocentric correction"),
        "VACUUM": (True, "Wavelengths are in vacuum"),
        "COEFF0": (grid["start"], "Central wavelength (log10) of first pixel"),
        "COEFF1": (grid["step"], "Log10 dispersion per pixel"),
    }


def _beijing(mjd_utc: float) -> str:
    """Return a UTC instant as LAMOST writes it: Beijing time, UTC + 8 h."""
    return str(Time(mjd_utc + _BEIJING_DAYS, format="mjd", scale="utc", precision=_TIME_DECIMALS).isot)
