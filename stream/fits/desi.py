"""DESI ``coadd`` and ``spectra`` files: three arms, joined with inverse-variance weights where they overlap.

Layout: https://desidatamodel.readthedocs.io (DESI_SPECTRO_REDUX, coadd-SURVEY-PROGRAM-PIXNUM). The arms lie on one
0.8 Angstrom lattice. Wavelengths are vacuum and barycentric, which the files do not say: the pipeline's paper does
(Guy et al. 2023, AJ 165, 144). ``MASK`` is kept whole: every bit makes its pixel unusable, as redrock treats it. The
resolving power is the median over the pixels of all arms that have resolution matrices; it grows from some 2,000 in the
blue to 5,500 in the red. The fibermap may hold nothing but TARGETID.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.fits.errors import FitsError
from stream.fits.frames import Frame, documented
from stream.fits.joining import ArmSpectrum, JoinPlan
from stream.fits.opening import Extension, FitsFile
from stream.fits.records import (
    first_known,
    flux_unit_of,
    magnitude_of_flux,
    signed_64,
    spectrum_record,
    text_of,
    wavelength_scale_of,
    whole,
)
from stream.fits.resolution import resolving_powers
from stream.fits.rows import Rows
from stream.fits.selection import RowSelection

NAME: Final = "DESI coadd or spectra"

CHUNK_ROWS: Final = 32

_ARMS: Final = ("B", "R", "Z")
_PAPER: Final = "Guy et al. 2023 (AJ 165, 144)"
_FRAME: Final = Frame(
    "VACUUM",
    "BARYCENT",
    assumptions=(documented("medium", "VACUUM", _PAPER), documented("specsys", "BARYCENT", _PAPER)),
)
_TARGET_COLUMNS: Final = ("DESI_TARGET", "SV1_DESI_TARGET", "SV2_DESI_TARGET", "SV3_DESI_TARGET", "CMX_TARGET")
_SECONDS_PER_DAY: Final = 86400.0


def recognises(file: FitsFile) -> bool:
    """Return whether there are a FIBERMAP and the wavelength and flux images of at least one arm."""
    return file.find("FIBERMAP") is not None and bool(_arms(file))


def _arms(file: FitsFile) -> list[str]:
    return [arm for arm in _ARMS if file.find(f"{arm}_WAVELENGTH") and file.find(f"{arm}_FLUX")]


def read(file: FitsFile, selection: RowSelection, report: Callable[[FitsError], None]) -> Iterator[dict[str, Any]]:
    """Yield the selected spectra in the order of the fibermap."""
    arms = _arms(file)
    fibermap = file.require("FIBERMAP")
    fibermap.columns.require("TARGETID")
    selection.check(fibermap)
    wavelengths = {arm: _wavelength(file.require(f"{arm}_WAVELENGTH")) for arm in arms}
    plan = JoinPlan(list(wavelengths.values()))
    unit = _unit(file, arms)
    for arm in arms:
        for name in ("FLUX", "IVAR"):
            _check_shape(file.require(f"{arm}_{name}"), (fibermap.n_rows, wavelengths[arm].size))
        if (matrices := file.find(f"{arm}_RESOLUTION")) is not None:
            diagonals = matrices.shape[1] if len(matrices.shape) == 3 and matrices.shape[1] % 2 else "odd number"
            _check_shape(matrices, (fibermap.n_rows, diagonals, wavelengths[arm].size))
    exposures = _exposures(file.find("EXP_FIBERMAP"))
    for cells in fibermap.chunks(CHUNK_ROWS):
        chosen = [row for row in range(len(cells)) if selection.selects(cells, row)]
        if not chosen:
            continue
        images = {
            f"{arm}_{name}": extension.image(cells.start, cells.stop)
            for arm in arms
            for name in ("FLUX", "IVAR", "MASK")
            if (extension := file.find(f"{arm}_{name}")) is not None
        }
        for row in chosen:
            joined = plan.apply(
                [
                    ArmSpectrum(
                        images[f"{arm}_FLUX"][row],
                        images[f"{arm}_IVAR"][row],
                        images[f"{arm}_MASK"][row].astype(np.int64) if f"{arm}_MASK" in images else None,
                    )
                    for arm in arms
                ]
            )
            try:
                yield spectrum_record(
                    fibermap,
                    axis=plan.axis,
                    flux=joined.flux,
                    flux_unit=unit,
                    uncertainty=joined.ivar,
                    uncertainty_kind="IVAR",
                    quality=joined.quality,
                    frame=_FRAME,
                    arm=None if len(arms) > 1 else arms[0],
                    resolving_power=_resolving_power(file, wavelengths, cells.start + row),
                    **_identity(file, cells, row, exposures),
                )
            except FitsError as error:
                report(error.at_row(cells.start + row))


def _wavelength(extension: Extension) -> NDArray[np.float64]:
    scale = wavelength_scale_of(extension, "BUNIT", extension.header.text("BUNIT") or "Angstrom")
    wavelength = np.asarray(extension.image(), dtype=np.float64) * scale
    if wavelength.ndim != 1 or wavelength.size < 2 or not np.all(np.diff(wavelength) > 0):
        raise extension.error("the wavelengths are not one strictly increasing axis")
    return wavelength


def _check_shape(extension: Extension, expected: tuple[int | str, ...]) -> None:
    if extension.shape != expected:
        raise extension.error(f"has shape {extension.shape}, expected ({', '.join(map(str, expected))})", "NAXIS")


def _resolving_power(file: FitsFile, wavelengths: dict[str, NDArray[np.float64]], row: int) -> float | None:
    """Return the median over one target's pixels and arms; None without matrices. Only its own (350 kB) are read."""
    found = [
        resolving_powers(wavelength, matrices.image(row, row + 1)[0])
        for arm, wavelength in wavelengths.items()
        if (matrices := file.find(f"{arm}_RESOLUTION")) is not None
    ]
    return float(np.median(np.concatenate(found))) if any(each.size for each in found) else None


def _unit(file: FitsFile, arms: list[str]) -> str:
    units = {}
    for arm in arms:
        extension = file.require(f"{arm}_FLUX")
        units[arm] = flux_unit_of(extension, "BUNIT", str(extension.header.require("BUNIT")))
    if len(set(units.values())) != 1:
        raise file.error(f"the arms have different flux units: {units}", "BUNIT")
    return units[arms[0]]


@dataclass(frozen=True, slots=True)
class _Times:
    """Start, end [MJD] and sum [s] of a target's exposures; None where unknown; a sentence where estimated."""

    start: float | None = None
    end: float | None = None
    exptime_s: float | None = None
    assumptions: tuple[str, ...] = ()


def _exposures(table: Extension | None) -> dict[int, _Times]:
    """Return the times of each target from EXP_FIBERMAP, where there is one."""
    wanted = ("TARGETID", "MJD", "EXPTIME")
    if table is None or not all(name in table.columns for name in wanted):
        return {}
    spans: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    for cells in table.chunks(4096):
        for target, mjd, exptime in zip(*(cells.array(name).tolist() for name in wanted), strict=True):
            if np.isfinite(mjd) and np.isfinite(exptime):
                spans[target].append((mjd, exptime))
    return {
        target: _Times(
            min(mjd for mjd, _ in span),
            max(mjd + exptime / _SECONDS_PER_DAY for mjd, exptime in span),
            sum(exptime for _, exptime in span),
        )
        for target, span in spans.items()
    }


def _times_of_row(cells: Rows, row: int, exposures: dict[int, _Times], target: int | None) -> _Times:
    """Return the times of one spectrum: of its one exposure, of EXP_FIBERMAP, or of the coadd's own columns."""
    mjd, exptime = cells.value("MJD", row), cells.value("EXPTIME", row)
    if mjd is not None:
        return _Times(mjd, None if exptime is None else mjd + exptime / _SECONDS_PER_DAY, exptime)
    known, total = exposures.get(target or 0), cells.value("COADD_EXPTIME", row)
    if known is not None:
        return _Times(known.start, known.end, known.exptime_s if total is None else total)
    first, last, number = (cells.value(name, row) for name in ("MIN_MJD", "MAX_MJD", "COADD_NUMEXP"))
    if last is None or total is None or not number:
        return _Times(first, None, total)
    sentence = "mjd_end: estimated from MAX_MJD, the start of the last exposure, and the mean exposure time"
    return _Times(first, last + total / number / _SECONDS_PER_DAY, total, (sentence,))


def _identity(file: FitsFile, cells: Rows, row: int, exposures: dict[int, _Times]) -> dict[str, Any]:
    header = file.primary

    def cell(name: str) -> Any:
        return cells.value(name, row)

    target = signed_64(cell("TARGETID"))
    production, group = _production(file), _group(file)
    exposure = whole(cell("EXPID"))
    times = _times_of_row(cells, row, exposures, target)
    parallax = cell("PARALLAX")
    return {
        "l1_id": "/".join(str(p) for p in (production, group, target, exposure) if p is not None),
        "survey": "DESI",
        "instrument": "DESI",
        "object_uid": text_of(target),
        "object_id": text_of(cell("DESINAME")) or text_of(target),
        "programme_id": header.text("PROGRAM"),
        "sub_surveys": [s for s in (header.text("SURVEY"),) if s],
        "target_bits": next((b for n in _TARGET_COLUMNS if (b := signed_64(cell(n)))), None),
        "ob_id": text_of(cell("TILEID")) or header.text("TILEID"),
        "fibre_id": whole(cell("FIBER")),
        "fibre_use": {"TGT": "OBJECT", "SKY": "SKY", None: "OBJECT"}.get(text_of(cell("OBJTYPE")), "OTHER"),
        "spectrograph": text_of(cell("PETAL_LOC")) or header.text("PETAL"),
        "product_level": "COADD" if exposure is None else "SINGLE",
        "n_combine": whole(cell("COADD_NUMEXP")),
        "provenance": header.texts("INFIL"),
        "pipeline_name": "desispec",
        "pipeline_version": _dependency(file, "desispec"),
        "ra_deg": first_known(map(cell, ("TARGET_RA", "MEAN_FIBER_RA", "FIBER_RA"))),
        "dec_deg": first_known(map(cell, ("TARGET_DEC", "MEAN_FIBER_DEC", "FIBER_DEC"))),
        "pm_ra_mas_yr": cell("PMRA"),
        "pm_dec_mas_yr": cell("PMDEC"),
        "parallax_mas": parallax,
        "epoch_yr": cell("REF_EPOCH"),
        "mjd_start": times.start,
        "mjd_end": times.end,
        "exptime_s": times.exptime_s,
        "ebv": cell("EBV"),
        "is_extended": None if (m := text_of(cell("MORPHTYPE"))) is None else m not in {"PSF", "GPSF"},
        "magnitudes": [
            m
            for band in ("G", "R", "Z", "W1", "W2")
            for m in magnitude_of_flux(band.lower(), cell(f"FLUX_{band}"), cell(f"FLUX_IVAR_{band}"))
        ],
        "flux_calibration": "ABSOLUTE",
        "sky_subtracted": True,
        "telluric_corrected": True,
        "dereddened": False,
        "assumptions": times.assumptions,
    }


def _production(file: FitsFile) -> str | None:
    return file.primary.text("SPECPROD") or _dependency(file, "SPECPROD")


def _group(file: FitsFile) -> str:
    """Return the name of the coadd's group: survey, programme and healpix, or tile and night; else the file's."""
    header = file.primary
    parts = [header.text(k) for k in ("SURVEY", "PROGRAM", "SPGRP", "TILEID", "PETAL", "SPGRPVAL")]
    return "-".join(p for p in parts if p) if header.text("SPGRPVAL") else file.stem


def _dependency(file: FitsFile, name: str) -> str | None:
    """Return what DEPNAMnn = ``name`` has as DEPVERnn, DESI's way of naming versions."""
    header = file.primary
    for keyword in header.keywords():
        if keyword.startswith("DEPNAM") and header.text(keyword) == name:
            return header.text(keyword.replace("DEPNAM", "DEPVER"))
    return None
