"""Spectra in the layout of WEAVE L1 stacks: a file an arm (BLUE, RED), images in ADU with SENSFUNC, and a FIBTABLE.

One count is 1e-17 erg/s/cm2/Angstrom, so that calibrating changes no bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream.fits.writing.arms import Arm, ArmSpectra, cut_arms
from stream.fits.writing.fields import is_sky, object_number, r_magnitude, truth_table
from stream.fits.writing.hdus import Cards, ColumnData, image, store, table

ARMS: Final = (Arm("BLUE", 3660.0, 6060.0), Arm("RED", 5790.0, 9590.0))
_FLUX_OF_A_COUNT: Final = 1e-17


def write_weave(
    records: Sequence[Mapping[str, Any]], paths: Mapping[str, Path], truths: Sequence[Cards], block: str
) -> None:
    """Write n >= 1 spectra of one observing block into the files of its two arms.

    Args:
        records: all on one grid from 3660 to 9590 Angstrom in air; flux in 1e-17 erg/s/cm2/Angstrom.
        paths: the files, by BLUE and RED.
        truths: one row of the table TRUTH each.
        block: OBID, which tells which files belong together.

    Raises:
        ValueError: the grid is another one.
    """
    for spectra in cut_arms(records, ARMS):
        step = float(spectra.wavelength[1] - spectra.wavelength[0])
        axis: Cards = {
            "CTYPE1": "AWAV",
            "CUNIT1": "Angstrom",
            "CRPIX1": 1.0,
            "CRVAL1": float(spectra.wavelength[0]),
            "CD1_1": round(step, 9),
        }
        name = spectra.arm.name
        sensitivity = np.full(spectra.wavelength.size, _FLUX_OF_A_COUNT)
        hdus = [
            image(f"{name}_DATA", spectra.flux, {**axis, "BUNIT": "adu"}),
            image(f"{name}_IVAR", spectra.inverse_variance, axis),
            image(f"{name}_SENSFUNC", sensitivity, axis),
            table("FIBTABLE", _fibres(records, spectra)),
            truth_table(truths),
        ]
        store(paths[name], _primary(records[0], paths[name], name, block), hdus)


def _primary(record: Mapping[str, Any], path: Path, arm: str, block: str) -> Cards:
    return {
        "TELESCOP": "WHT",
        "INSTRUME": "WEAVE",
        "CAMERA": f"WEAVE{arm}",
        "OBSMODE": "MOS",
        "OBID": block,
        "PROV0000": path.name,
        "NCOMB": record["n_combine"],
        "MJD-OBS": record["mjd_start"],
        "EXPTIME": record["exptime_s"],
        "SPECSYS": record["specsys"],
        "SKYSUB": bool(record["sky_subtracted"]),
    }


def _fibres(records: Sequence[Mapping[str, Any]], spectra: ArmSpectra) -> list[ColumnData]:
    middle = 0.5 * float(spectra.wavelength[0] + spectra.wavelength[-1])
    magnitudes = [r_magnitude(record) or (np.nan, np.nan) for record in records]
    return [
        ColumnData("FIBREID", "J", [record["fibre_id"] for record in records]),
        ColumnData("SPECID", "40A", [record["l1_id"] for record in records]),
        ColumnData("TARGID", "20A", [str(object_number(record)) for record in records]),
        ColumnData("TARGNAME", "40A", [record["object_id"] for record in records]),
        ColumnData("TARGSRVY", "9A", ["simulated"] * len(records)),
        ColumnData("TARGUSE", "1A", ["S" if is_sky(record) else "T" for record in records]),
        ColumnData("STATUS", "1A", ["A"] * len(records)),
        ColumnData("TARGRA", "D", [record["ra_deg"] for record in records], "deg"),
        ColumnData("TARGDEC", "D", [record["dec_deg"] for record in records], "deg"),
        ColumnData("MAG_R", "D", [value for value, _ in magnitudes], "mag"),
        ColumnData("EMAG_R", "D", [error for _, error in magnitudes], "mag"),
        ColumnData("RESOL", "E", [middle / record["resolving_power"] for record in records], "Angstrom"),
    ]
