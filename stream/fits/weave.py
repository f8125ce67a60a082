"""WEAVE L1 files: one file an arm (RED, BLUE), images of fibre x pixel in ADU and a FIBTABLE.

Calibrated flux is DATA x SENSFUNC, so its inverse variance is IVAR / SENSFUNC^2. What no keyword states is WEAVE's:
flux in erg/s/cm2/Angstrom after SENSFUNC and Helio_cor as *applied* (WEAVE L1 data model), air wavelengths (the WEAVE
Advanced Processing System converts L1 wavelengths from air to vacuum before it classifies). Masked pixels have zero
IVAR; there is no quality array. Fibres with a STATUS other than A (allocated) saw no target and are left out. IFU
cubes are refused.

A file yields the spectra of its one arm; ``stream.fits.arms`` joins the two files of an exposure on fibre and target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.fits.axes import grid
from stream.fits.errors import FitsError
from stream.fits.frames import Frame, corrected_frame, documented, medium_of_header
from stream.fits.opening import Extension, FitsFile, stem_of
from stream.fits.records import first_known, magnitude, spectrum_record, text_of, wavelength_scale_of, whole
from stream.fits.rows import Rows
from stream.fits.selection import RowSelection

NAME: Final = "WEAVE L1"

CHUNK_ROWS: Final = 64

# Flux of 1e-17 erg/s/cm2/Angstrom is of order 1, so that inverse variances stay within float32.
FLUX_SCALE: Final = 1e-17
FLUX_UNIT: Final = "1e-17 erg / (Angstrom cm2 s)"

_DATA_MODEL: Final = "the WEAVE L1 data model"
_APS: Final = "the WEAVE Advanced Processing System, which converts L1 wavelengths from air"
_FIBRE_USE: Final = {"T": "OBJECT", "S": "SKY", "C": "STANDARD", None: "OBJECT"}
_LEVELS: Final = (("superstack", "SUPERSTACK"), ("stack", "OB_STACK"), ("single", "SINGLE"), ("wve_", "SUPERTARGET"))
_SECONDS_PER_DAY: Final = 86400.0


def recognises(file: FitsFile) -> bool:
    """Return whether there are a FIBTABLE and DATA and SENSFUNC images of one arm."""
    return (
        file.find("FIBTABLE") is not None and _image(file, "DATA") is not None and _image(file, "SENSFUNC") is not None
    )


def _image(file: FitsFile, name: str) -> Extension | None:
    return next((e for e in (file.find(name), file.find(f"RED_{name}"), file.find(f"BLUE_{name}")) if e), None)


def arm_of(file: FitsFile) -> str:
    """Return RED, GREEN or BLUE, from CAMERA (WEAVERED, WEAVEBLUE), else from the names of the extensions."""
    camera = (file.primary.text("CAMERA") or "").upper()
    names = " ".join([camera, *(e.name for e in file.extensions)])
    for arm in ("RED", "BLUE", "GREEN"):
        if arm in names:
            return arm
    raise file.error("the arm is missing: expected WEAVERED or WEAVEBLUE", "CAMERA")


def level_of(file: FitsFile) -> str:
    """Return the product level from the name of the product (PROV0000, else the file's own)."""
    return level_of_name(file.primary.text("PROV0000") or file.path.name)


def level_of_name(name: str) -> str:
    """Return the product level that the name of a product begins with."""
    return next((level for start, level in _LEVELS if name.lower().startswith(start)), "OTHER")


def read(file: FitsFile, selection: RowSelection, report: Callable[[FitsError], None]) -> Iterator[dict[str, Any]]:
    """Yield the selected spectra of the file's arm in the order of FIBTABLE."""
    fibres = file.require("FIBTABLE")
    selection.check(fibres)
    images = {name: _image(file, name) or file.require(name) for name in ("DATA", "IVAR", "SENSFUNC")}
    data = images["DATA"]
    if len(data.shape) > 2:
        raise data.error("is an IFU cube: only spectra of single fibres are supported", "NAXIS")
    n_rows = 1 if len(data.shape) == 1 else data.shape[0]
    if n_rows != fibres.n_rows:
        raise data.error(f"has {n_rows} spectra, FIBTABLE has {fibres.n_rows} rows", "NAXIS2")
    axis, frame, arm = _axis(data), _frame(file, data), arm_of(file)
    assumptions = [documented("flux unit", FLUX_UNIT, _DATA_MODEL)]
    for cells in fibres.chunks(CHUNK_ROWS):
        chosen = [r for r in range(len(cells)) if _allocated(cells, r) and selection.selects(cells, r)]
        if not chosen:
            continue
        flux, ivar = _calibrated(images, cells)
        for row in chosen:
            try:
                yield spectrum_record(
                    data,
                    axis=axis,
                    flux=flux[row],
                    flux_unit=FLUX_UNIT,
                    uncertainty=ivar[row],
                    uncertainty_kind="IVAR",
                    frame=frame,
                    assumptions=assumptions,
                    arm=arm,
                    **_identity(file, cells, row, arm, axis),
                )
            except FitsError as error:
                report(error.at_row(cells.start + row))


def _allocated(cells: Rows, row: int) -> bool:
    return text_of(cells.value("STATUS", row)) in {None, "A"}


def _calibrated(images: dict[str, Extension], cells: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return flux and ivar, (row, pixel) float64, 1e-17 erg/s/cm2/Angstrom; ivar 0 where SENSFUNC is void."""
    data, ivar, sensfunc = (
        np.atleast_2d(e.image() if len(e.shape) == 1 else e.image(cells.start, cells.stop)).astype(np.float64)
        for e in images.values()
    )
    if ivar.shape != data.shape or sensfunc.shape[1] != data.shape[1]:
        shapes = f"DATA {data.shape}, IVAR {ivar.shape}, SENSFUNC {sensfunc.shape}"
        raise images["SENSFUNC"].error(f"shapes differ: {shapes}", "NAXIS")
    factor = np.broadcast_to(sensfunc / FLUX_SCALE, data.shape)
    usable = np.isfinite(factor) & (factor > 0)
    safe = np.where(usable, factor, 1.0)
    return np.where(usable, data * safe, np.nan), np.where(usable, ivar / np.square(safe), 0.0)


def _axis(data: Extension) -> dict[str, Any]:
    header = data.header
    scale = wavelength_scale_of(data, "CUNIT1", header.text("CUNIT1") or "Angstrom")
    keyword = "CD1_1" if "CD1_1" in header else "CDELT1"
    step, start = header.require_number(keyword) * scale, header.require_number("CRVAL1") * scale
    reference = header.number("CRPIX1")
    start += (1.0 - (1.0 if reference is None else reference)) * step
    if not (start > 0 and step > 0):
        raise data.error(f"the axis starts at {start} with step {step} Angstrom", keyword)
    return {"grid": grid("LINEAR", round(start, 9), round(step, 9), data.shape[-1])}


def _frame(file: FitsFile, data: Extension) -> Frame:
    stated = medium_of_header(data.header, "CTYPE1") or medium_of_header(file.primary)
    return corrected_frame(stated, data.header, file.primary, medium=("AIR", _APS), specsys=("HELIOCEN", _DATA_MODEL))


def _identity(file: FitsFile, cells: Rows, row: int, arm: str, axis: dict[str, Any]) -> dict[str, Any]:
    header = file.primary

    def cell(*names: str) -> Any:
        return first_known(cells.value(name, row) for name in names)

    cname, fibre = text_of(cell("CNAME")), whole(cell("FIBREID"))
    ob, run, level = header.text("OBID"), header.text("RUN"), level_of(file)
    start, exptime = header.number("MJD-OBS"), first_known((cell("EXPTIME"), header.number("EXPTIME")))
    middle = axis["grid"]["start"] + 0.5 * axis["grid"]["step"] * axis["grid"]["n"]
    fwhm = cell("RESOL")
    single = level == "SINGLE" and start is not None and exptime is not None
    end = start + exptime / _SECONDS_PER_DAY if single else None
    product = stem_of(header.text("PROV0000") or file.path.name)
    return {
        "l1_id": f"{product}-{run or ''}-{fibre if fibre is not None else cname}-{arm}",
        "survey": "WEAVE",
        "instrument": "WEAVE",
        "spec_uid": text_of(cell("SPECID")),
        "object_uid": text_of(cell("TARGID")),
        "object_id": text_of(cell("TARGNAME", "TARGID")),
        "cname": cname,
        "programme_id": text_of(cell("TARGPROG")),
        "sub_surveys": [s.strip() for s in (text_of(cell("TARGSRVY")) or "").split("|") if s.strip()],
        "ob_id": ob,
        "fibre_id": fibre,
        "fibre_use": _FIBRE_USE.get(text_of(cell("TARGUSE")), "OTHER"),
        "spectrograph": header.text("FPMODE") or header.text("PLATE"),
        "product_level": level,
        "n_combine": whole(header.number("NCOMB")),
        "provenance": [name for name in header.texts("PROV0") if name != header.text("PROV0000")],
        "pipeline_name": "CPS",
        "pipeline_version": header.text("CASUVERS") or header.text("CASUID"),
        "ra_deg": cell("TARGRA", "FIBRERA"),
        "dec_deg": cell("TARGDEC", "FIBREDEC"),
        "pm_ra_mas_yr": cell("TARGPMRA"),
        "pm_dec_mas_yr": cell("TARGPMDEC"),
        "parallax_mas": cell("TARGPARAL"),
        "epoch_yr": cell("TARGEPOCH"),
        "mjd_start": start,
        "mjd_end": end,
        "exptime_s": exptime,
        "magnitudes": [
            m
            for code, band, system in (
                ("G", "g", "AB"),
                ("R", "r", "AB"),
                ("I", "i", "AB"),
                ("GG", "G", "VEGA"),
                ("BP", "BP", "VEGA"),
                ("RP", "RP", "VEGA"),
            )
            for m in magnitude(band, system, cell(f"MAG_{code}"), cell(f"EMAG_{code}"))
        ],
        "resolving_power": middle / fwhm if fwhm else None,
        "flux_calibration": "ABSOLUTE",
        "sky_subtracted": value if isinstance(value := header.get("SKYSUB"), bool) else None,
        "telluric_corrected": None if header.text("TELLCORR") is None else True,
    }
