"""SDSS, BOSS and eBOSS ``spec`` files: one spectrum, table COADD with log10(wavelength), vacuum, heliocentric.

Layout: https://data.sdss.org/datamodel/files/BOSS_SPECTRO_REDUX/RUN2D/spectra/PLATE4/spec.html. The extensions of some
files have no names, so they are found by their columns. ``RA`` and ``DEC`` of the primary header are the telescope's.

``quality`` holds those bits of ``and_mask`` that make the pixel itself unusable in *every* exposure. ``or_mask`` is not
used: its bits concern single exposures, which the pipeline already left out of the coadd. Of ``and_mask``, bits 0 to 15
(fibre-wide warnings such as BADFLAT, set on all pixels of good spectra) and the informational ones (LOWFLAT,
NEARBADPIXEL, PARTIALREJECT, SCATTEREDLIGHT, CROSSTALK, BADFLUXFACTOR, REDMONSTER, BADSKYCHI) are left out; unusable
pixels of any cause have zero inverse variance besides.

SDSS-V files are refused by name: no file of that layout was there to verify a reader on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.fits.axes import log10_axis_fields
from stream.fits.errors import FitsError
from stream.fits.frames import Frame, documented, medium_of_header
from stream.fits.opening import Extension, FitsFile
from stream.fits.records import (
    first_known,
    flux_unit_of,
    magnitude,
    magnitude_of_flux,
    signed_64,
    spectrum_record,
    text_of,
    whole,
)
from stream.fits.rows import Rows
from stream.fits.sdss_times import observed_span
from stream.fits.selection import RowSelection

NAME: Final = "SDSS, BOSS, eBOSS spec"

# SPPIXMASK, https://www.sdss.org/dr17/algorithms/bitmasks/#SPPIXMASK: FULLREJECT, NOSKY, BRIGHTSKY, NODATA, COMBINEREJ.
UNUSABLE: Final = (1 << 18) | (1 << 22) | (1 << 23) | (1 << 24) | (1 << 25)

_DATA_MODEL: Final = "the SDSS data model of spec files"
_BANDS: Final = "ugriz"
_R_OVER_EBV: Final = 2.751  # A_r / E(B-V), Stoughton et al. 2002 (AJ 123, 485), table 22
_FWHM_PER_SIGMA: Final = 2.3548200450309493
_DLOGLAM: Final = 1e-4
_LOG10_ANGSTROM: Final = (1.0, 7.0)
"""From 1 nm to 1 mm, far beyond any spectrograph on both sides: a column of something else overflows in 10 ** x."""


def recognises(file: FitsFile) -> bool:
    """Return whether the file has a table of flux and loglam."""
    return _coadd(file) is not None


def _coadd(file: FitsFile) -> Extension | None:
    return next((e for e in file.extensions if e.is_table and "FLUX" in e.columns and "LOGLAM" in e.columns), None)


def _catalogue(file: FitsFile) -> Extension | None:
    return next((e for e in file.extensions if e.n_rows == 1 and "CLASS" in e.columns), None)


def read(file: FitsFile, selection: RowSelection, report: Callable[[FitsError], None]) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    """Yield the spectrum of the file."""
    coadd, catalogue = _coadd(file), _catalogue(file)
    if coadd is None:
        raise file.error("has no table with flux and loglam")
    _refuse_sdss_v(file, catalogue)
    for name in ("IVAR", "AND_MASK"):
        if name not in coadd.columns:
            raise coadd.error(f"has flux and loglam as SDSS's spectra do, but no column {name.lower()}", name)
    if catalogue is not None:
        selection.check(catalogue)
        cells = catalogue.rows()
        if not selection.selects(cells, 0):
            return
    elif not selection.selects_file(file):
        return
    yield _spectrum(file, coadd, None if catalogue is None else catalogue.rows())


def _refuse_sdss_v(file: FitsFile, catalogue: Extension | None) -> None:
    run2d = file.primary.text("RUN2D") or ""
    if run2d.startswith("v6") or (catalogue is not None and "CATALOGID" in catalogue.columns):
        raise file.error(f"is an SDSS-V file (RUN2D {run2d or 'unknown'}): its layout is not supported", "RUN2D")


def _spectrum(file: FitsFile, coadd: Extension, cells: Rows | None) -> dict[str, Any]:
    header, rows = file.primary, coadd.rows()

    def cell(name: str) -> Any:
        return None if cells is None else cells.value(name, 0)

    plate = whole(cell("PLATE") or header.number("PLATEID"))
    mjd = whole(cell("MJD") or header.number("MJD"))
    fibre = whole(cell("FIBERID") or header.number("FIBERID"))
    run2d = text_of(cell("RUN2D")) or header.text("RUN2D") or header.text("VERS2D") or ""
    observed = observed_span(file)
    assumptions = list(observed.assumptions)
    unit = header.text("BUNIT")
    if unit is None:
        unit = "1e-17 erg/cm^2/s/Angstrom"
        assumptions.append(documented("flux unit", unit, _DATA_MODEL))
    loglam = _log10_wavelength(coadd, rows)
    quality = rows.array("AND_MASK").astype(np.int64) & UNUSABLE
    lsf = None
    if "WDISP" in coadd.columns:
        # wdisp is the dispersion in pixels of 1e-4 dex.
        lsf = rows.array("WDISP") * (10.0 ** loglam.astype(np.float64)) * (_DLOGLAM * np.log(10.0))
    return spectrum_record(
        coadd,
        axis=log10_axis_fields(loglam),
        flux=rows.array("FLUX"),
        flux_unit=flux_unit_of(coadd, "BUNIT", unit),
        uncertainty=rows.array("IVAR"),
        uncertainty_kind="IVAR",
        quality=quality,
        sky=rows.array("SKY") if "SKY" in coadd.columns else None,
        lsf=lsf,
        resolving_power=_resolving_power(lsf, loglam),
        frame=_frame(file),
        assumptions=assumptions,
        l1_id=f"{plate}-{mjd}-{fibre:04d}-{run2d}" if None not in {plate, mjd, fibre} else file.stem,
        survey=_survey(file, cell),
        instrument=text_of(cell("INSTRUMENT")) or ("BOSS" if "V_BOSS" in header else "SDSS"),
        spec_uid=text_of(cell("SPECOBJID")) or text_of(header.text("SPEC_ID")),
        object_uid=text_of(cell("THING_ID")) or text_of(cell("BESTOBJID")),
        object_id=f"spec-{plate:04d}-{mjd}-{fibre:04d}" if None not in {plate, mjd, fibre} else file.stem,
        programme_id=text_of(cell("PROGRAMNAME")),
        target_bits=_target_bits(cell),
        ob_id=f"{plate}-{mjd}" if plate is not None else None,
        fibre_id=fibre,
        fibre_use=_fibre_use(cell),
        spectrograph=text_of(cell("SPECTROGRAPHID")),
        product_level="COADD",
        n_combine=whole(header.number("NEXP")),
        provenance=header.texts("EXPID"),
        pipeline_name="idlspec2d",
        pipeline_version=run2d or None,
        ra_deg=first_known((cell("PLUG_RA"), header.number("PLUG_RA"))),
        dec_deg=first_known((cell("PLUG_DEC"), header.number("PLUG_DEC"))),
        mjd_start=observed.start,
        mjd_end=observed.end,
        exptime_s=header.number("EXPTIME"),
        ebv=_reddening(cells),
        magnitudes=_magnitudes(cells),
        flux_calibration="ABSOLUTE",
        sky_subtracted=True,
        telluric_corrected=True,
        dereddened=False,
    )


def _log10_wavelength(coadd: Extension, rows: Rows) -> NDArray[Any]:
    """Return LOGLAM, (pixel,) log10(Angstrom) as stored; raises FitsError where it holds anything else."""
    loglam = rows.array("LOGLAM")
    low, high = _LOG10_ANGSTROM
    wrong = loglam[~((loglam >= low) & (loglam <= high))]
    if wrong.size:
        expected = f"expected log10 of a wavelength in Angstrom from {low:g} to {high:g}"
        raise coadd.error(f"{expected}, found {wrong[0]:g}", "LOGLAM")
    return loglam


def _resolving_power(lsf: Any, loglam: Any) -> float | None:
    if lsf is None:
        return None
    good = lsf > 0
    return float(np.median(10.0 ** loglam[good] / (_FWHM_PER_SIGMA * lsf[good]))) if good.any() else None


def _frame(file: FitsFile) -> Frame:
    assumptions = []
    medium = medium_of_header(file.primary)
    if medium is None:
        medium = "VACUUM"
        assumptions.append(documented("medium", medium, _DATA_MODEL))
    if "HELIO_RV" not in file.primary:  # present, and said to be added, where the correction was applied
        assumptions.append(documented("specsys", "HELIOCEN", _DATA_MODEL))
    return Frame(medium, "HELIOCEN", assumptions=tuple(assumptions))


def _survey(file: FitsFile, cell: Callable[[str], Any]) -> str:
    survey = (text_of(cell("SURVEY")) or "").upper()
    if survey in {"SDSS", "BOSS", "EBOSS"}:
        return survey
    plate_type = (file.primary.text("PLATETYP") or "").upper()
    if "EBOSS" in plate_type or (text_of(cell("PROGRAMNAME")) or "").lower() == "eboss":
        return "EBOSS"
    return "BOSS" if "BOSS" in plate_type or "V_BOSS" in file.primary else "SDSS"


def _target_bits(cell: Callable[[str], Any]) -> int | None:
    for name in ("EBOSS_TARGET1", "BOSS_TARGET1", "LEGACY_TARGET1", "PRIMTARGET"):
        bits = signed_64(cell(name))
        if bits:
            return bits
    return None


def _fibre_use(cell: Callable[[str], Any]) -> str:
    kind = (text_of(cell("SOURCETYPE")) or text_of(cell("OBJTYPE")) or "").upper()
    if kind == "SKY":
        return "SKY"
    return "STANDARD" if kind.endswith("_STD") else "OBJECT"


def _reddening(cells: Rows | None) -> float | None:
    extinction = None if cells is None else cells.value("EXTINCTION", 0)
    return None if extinction is None or len(extinction) < 3 else float(extinction[2]) / _R_OVER_EBV


def _magnitudes(cells: Rows | None) -> list[dict[str, Any]]:
    if cells is None:
        return []
    values, errors = cells.value("PSFMAG", 0), cells.value("PSFMAGERR", 0)
    if values is not None:
        errors = [None] * len(values) if errors is None else errors
        return [m for b, v, e in zip(_BANDS, values, errors, strict=True) for m in magnitude(b, "AB", v, e)]
    fluxes, ivars = cells.value("CALIBFLUX", 0), cells.value("CALIBFLUX_IVAR", 0)
    if fluxes is None:
        return []
    ivars = [None] * len(fluxes) if ivars is None else ivars
    return [m for b, f, i in zip(_BANDS, fluxes, ivars, strict=True) for m in magnitude_of_flux(b, f, i)]
