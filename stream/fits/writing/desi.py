"""Spectra in the layout of a DESI coadd: arms B, R and Z, a fibermap, and a table of what the objects really are.

Layout: https://desidatamodel.readthedocs.io (DESI_SPECTRO_REDUX, coadd-SURVEY-PROGRAM-PIXNUM).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream.fits.writing.arms import Arm, cut_arms
from stream.fits.writing.fields import SECONDS_PER_DAY, is_sky, object_number, r_magnitude, truth_table
from stream.fits.writing.hdus import Cards, ColumnData, Hdu, image, store, table

ARMS: Final = (Arm("B", 3600.0, 5800.0), Arm("R", 5760.0, 7620.0), Arm("Z", 7520.0, 9824.0))
_FLUX_UNIT: Final = "10**-17 erg/(s cm2 Angstrom)"
_MAGNITUDE_ZERO: Final = 22.5  # of nanomaggies


def write_desi(records: Sequence[Mapping[str, Any]], path: Path, truths: Sequence[Cards]) -> None:
    """Write n >= 1 spectra into one file.

    Args:
        records: all on DESI's grid of 0.8 Angstrom, 3600 to 9824, in vacuum; flux in 1e-17 erg/s/cm2/Angstrom.
        path: the file.
        truths: one row of the table TRUTH each.

    Raises:
        ValueError: the grid is none of DESI's.
    """
    hdus: list[Hdu] = [table("FIBERMAP", _fibermap(records))]
    for spectra in cut_arms(records, ARMS):
        name = spectra.arm.name
        hdus += [
            image(f"{name}_WAVELENGTH", spectra.wavelength, {"BUNIT": "Angstrom"}),
            image(f"{name}_FLUX", spectra.flux, {"BUNIT": _FLUX_UNIT}),
            image(f"{name}_IVAR", spectra.inverse_variance, {"BUNIT": "10**+34 (s2 cm4 Angstrom2) / erg2"}),
            image(f"{name}_MASK", spectra.quality),
        ]
    primary: Cards = {"TELESCOP": "KPNO 4.0-m telescope", "INSTRUME": "DESI", "SPECPROD": "simulated"}
    store(path, primary, [*hdus, truth_table(truths)])


def _fibermap(records: Sequence[Mapping[str, Any]]) -> list[ColumnData]:
    def column(name: str) -> list[Any]:
        return [record[name] for record in records]

    number, total = np.array(column("n_combine")), np.array(column("exptime_s"))
    last_start = np.array(column("mjd_end")) - total / number / SECONDS_PER_DAY
    magnitudes = [r_magnitude(record) for record in records]
    flux = [0.0 if m is None else 10.0 ** (0.4 * (_MAGNITUDE_ZERO - m[0])) for m in magnitudes]
    # sigma_m = 2.5 / ln 10 / (f sqrt(ivar))
    weight = [0.0 if m is None else (1.0857362 / (f * m[1])) ** 2 for m, f in zip(magnitudes, flux, strict=True)]
    return [
        ColumnData("TARGETID", "K", [object_number(record) for record in records]),
        ColumnData("DESINAME", "40A", column("object_id")),
        ColumnData("OBJTYPE", "3A", ["SKY" if is_sky(record) else "TGT" for record in records]),
        ColumnData("FIBER", "J", column("fibre_id")),
        ColumnData("TARGET_RA", "D", column("ra_deg"), "deg"),
        ColumnData("TARGET_DEC", "D", column("dec_deg"), "deg"),
        ColumnData("COADD_NUMEXP", "I", number),
        ColumnData("COADD_EXPTIME", "E", total, "s"),
        ColumnData("MIN_MJD", "D", column("mjd_start")),
        ColumnData("MAX_MJD", "D", last_start),
        ColumnData("FLUX_R", "D", flux, "nanomaggy"),
        ColumnData("FLUX_IVAR_R", "D", weight, "nanomaggy^-2"),
    ]
