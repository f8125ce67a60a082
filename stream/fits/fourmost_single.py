"""4MOST single-spectrum L1 files (PHASE3SPECTRUM): joined low-resolution arms, or one high-resolution arm.

The mock QL1 files call the target TRG_* and have a 32-bit QUAL; newer files call it OBJ_*, have a 16-bit QUAL and may
give FLUX_IVAR instead of ERR_FLUX. SENSFUNC, which high-resolution files add, is applied where the file states by
units what it is (``stream.fits.fourmost_flux``). A file of one arm says so by its name
(``qmost_<cname>_<date>_<run>_HB1.fits``); ``stream.fits.arms`` joins the arms of one exposure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from stream.fits import fourmost
from stream.fits.axes import axis_fields
from stream.fits.columns import wavelength_column
from stream.fits.errors import FitsError
from stream.fits.fourmost_flux import FluxColumns
from stream.fits.opening import Extension, FitsFile
from stream.fits.records import (
    first_known,
    signed_64,
    spectrum_record,
    text_of,
    wavelength_scale_of,
    whole,
)
from stream.fits.selection import RowSelection

NAME: Final = "4MOST single L1 spectrum"


def recognises(file: FitsFile) -> bool:
    """Return whether there is a PHASE3SPECTRUM of the instrument QMOST."""
    table = file.find("PHASE3SPECTRUM")
    return table is not None and table.is_table and (file.primary.text("INSTRUME") or "").upper() == "QMOST"


def read(file: FitsFile, selection: RowSelection, report: Callable[[FitsError], None]) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    """Yield the spectrum of the file."""
    table = file.require("PHASE3SPECTRUM")
    if not selection.selects_file(file):
        return
    columns, rows = table.columns, table.rows(0, 1)
    wave = wavelength_column(columns)
    stored = np.ravel(rows.array(wave.name))
    scale = wavelength_scale_of(table, f"TUNIT{wave.number}", wave.unit)
    frame = fourmost.frame_of(file, table, wave)
    keyword = _Keywords(file, table)
    flux = FluxColumns(table)
    yield spectrum_record(
        table,
        axis=axis_fields(np.asarray(stored, dtype=np.float64) * scale, stored.dtype),
        quality=np.ravel(rows.array("QUAL")) if "QUAL" in columns else None,
        frame=frame,
        **flux.of_row(rows, 0, stated=keyword("FLUXCAL"), normalised=keyword("CONTNORM")),
        **_identity(file, keyword),
    )


class _Keywords:
    """Keywords of the table, else of the primary header; ``OBJ_*`` of newer files and ``TRG_*`` of the mock are one."""

    def __init__(self, file: FitsFile, table: Extension) -> None:
        self._headers = (table.header, file.primary)

    def __call__(self, *names: str) -> Any:
        return first_known(header.get(name) for name in names for header in self._headers)

    def number(self, *names: str) -> float | None:
        value: float | None = first_known(header.number(name) for name in names for header in self._headers)
        return value

    def target(self, name: str) -> Any:
        return self(f"OBJ_{name}", f"TRG_{name}")

    def target_number(self, name: str) -> float | None:
        return self.number(f"OBJ_{name}", f"TRG_{name}")

    def flag(self, name: str) -> bool | None:
        value = self(name)
        return value if isinstance(value, bool) else None


def _identity(file: FitsFile, keyword: _Keywords) -> dict[str, Any]:
    spec_uid = text_of(keyword("SPECUID"))
    cname = text_of(keyword("CNAME"))
    ob, fibre = text_of(keyword("OBID1")), whole(keyword.number("FIB_ID"))
    start = keyword.number("MJD-OBS")
    built = f"{cname}-{ob}-{fibre}-{start:.6f}" if None not in (cname, ob, fibre) and start is not None else file.stem
    arm = fourmost.arm_of(file.path.name)
    return {
        "l1_id": spec_uid or built,
        "survey": fourmost.SURVEY,
        "instrument": fourmost.INSTRUMENT,
        "spec_uid": spec_uid,
        "object_uid": text_of(keyword.target("UID")),
        "object_id": text_of(keyword("IAU_NAME")) or text_of(keyword.target("NME")) or cname,
        "cname": cname,
        "programme_id": text_of(keyword("PROG_ID")),
        "target_bits": signed_64(keyword.target("BIT")),
        "ob_id": ob,
        "fibre_id": fibre,
        "fibre_use": fourmost.fibre_use(keyword.number("FIB_USE")),
        "spectrograph": fourmost.spectrograph(text_of(keyword("PATH")), keyword.number("FIB_ROOT")),
        "arm": arm,
        "product_level": "SINGLE" if arm else "JOINED",
        "n_combine": whole(keyword.number("NCOMBINE")),
        "provenance": file.primary.texts("PROV"),
        "pipeline_name": text_of(keyword("PROCSOFT")),
        "pipeline_version": text_of(keyword("CASUVERS")),
        "ra_deg": first_known((keyword.target_number("RA"), keyword.number("RA"))),
        "dec_deg": first_known((keyword.target_number("DEC"), keyword.number("DEC", "DECL"))),
        "pm_ra_mas_yr": keyword.target_number("PMRA"),
        "pm_dec_mas_yr": keyword.target_number("PMDE"),
        "parallax_mas": keyword.target_number("PRLX"),
        "epoch_yr": keyword.target_number("EPOC"),
        "mjd_start": start,
        "mjd_end": keyword.number("MJD-END"),
        "exptime_s": keyword.number("TEXPTIME", "EXPTIME"),
        "ebv": keyword.number("EBV", "OBJ_EBV"),
        "is_extended": keyword.flag("EXT_OBJ"),
        "magnitudes": fourmost.magnitudes(keyword.target_number),
        "resolving_power": keyword.number("SPEC_RES"),
        "sky_subtracted": keyword.flag("SKYSUB"),
        "telluric_corrected": keyword.flag("TELLSUB"),
    }
