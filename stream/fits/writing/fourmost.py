"""One spectrum in the layout of a single 4MOST L1 file: table PHASE3SPECTRUM of one row, vectors in its cells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stream.fits.axes import lattice_wavelength
from stream.fits.writing.fields import is_sky, object_number, r_magnitude
from stream.fits.writing.hdus import Card, Cards, ColumnData, store, table

_UNIT = "10**(-17) erg/(s*cm^2*Angstrom)"
_SKY, _OBJECT = 3, 1
_UCD = {"AIR": "em.wl;obs.atmos", "VACUUM": "em.wl"}


def write_fourmost(record: Mapping[str, Any], path: Path, truth: Cards) -> None:
    """Write one spectrum.

    Args:
        record: with flux in 1e-17 erg/s/cm2/Angstrom and inverse variances, on a grid or with wavelengths.
        path: the file.
        truth: keywords of the primary header.
    """
    grid = record["grid"]
    wavelength = record["wavelength"] if grid is None else lattice_wavelength(dict(grid))
    n = wavelength.size
    columns = [
        ColumnData("WAVE", f"{n}D", wavelength[None, :], "Angstrom"),
        ColumnData("FLUX", f"{n}E", record["flux"][None, :], _UNIT),
        ColumnData("FLUX_IVAR", f"{n}E", record["uncertainty"][None, :]),
        ColumnData("QUAL", f"{n}J", record["quality"][None, :]),
    ]
    found = r_magnitude(record)
    magnitude: dict[str, Card] = {} if found is None else {"OBJ_GR": found[0], "OBJ_GRER": found[1]}
    cards: Cards = {
        "TUCD1": _UCD[record["medium"]],
        "NELEM": n,
        "FIB_ID": record["fibre_id"],
        "FIB_USE": (_SKY if is_sky(record) else _OBJECT, "1:OBJ 2:REF 3:SKY"),
        "OBJ_UID": object_number(record),
        "OBJ_NME": record["object_id"],
        "OBJ_RA": record["ra_deg"],
        "OBJ_DEC": record["dec_deg"],
        "SKYSUB": bool(record["sky_subtracted"]),
        "TELLSUB": bool(record["telluric_corrected"]),
        **magnitude,
    }
    store(path, {**_primary(record), **truth}, [table("PHASE3SPECTRUM", columns, cards)])


def _primary(record: Mapping[str, Any]) -> Cards:
    return {
        "TELESCOP": "ESO-VISTA",
        "INSTRUME": "QMOST",
        "PRODCATG": "SCIENCE.SPECTRUM",
        "SPECUID": record["l1_id"],
        "RA": record["ra_deg"],
        "DEC": record["dec_deg"],
        "MJD-OBS": record["mjd_start"],
        "MJD-END": record["mjd_end"],
        "TEXPTIME": record["exptime_s"],
        "NCOMBINE": record["n_combine"],
        "OBID1": record["ob_id"],
        "PATH": record["spectrograph"],
        "SPECSYS": record["specsys"],
        "FLUXCAL": record["flux_calibration"],
        "SPEC_RES": float(np.float64(record["resolving_power"])),
        "PROCSOFT": record["pipeline_name"],
    }
