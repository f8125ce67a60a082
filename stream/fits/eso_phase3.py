"""ESO Science Data Products (Phase 3): one spectrum as vectors in one row of a table.

No two collections agree on the names of extension and columns, so columns are chosen by what they declare
(``stream.fits.columns``). Air or vacuum is stated by the UCD of the wavelength (``em.wl;obs.atmos`` is air): ESO
Phase 3 standard, GEN-SPE-ESO-33000-5335.

Topocentric spectra get the barycentric velocity that the header states, else the one computed from position, time and
site. Where the error column has no positive value (all NaN, or all zero as in zCOSMOS), the noise is estimated by the
DER_SNR formula, with which ESO itself computes the keyword SNR (Stoehr et al. 2008, ASPC 394, 505), and the record says
so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.fits.axes import axis_fields
from stream.fits.columns import Column, error_column, flux_column, wavelength_column
from stream.fits.errors import FitsError
from stream.fits.frames import (
    Frame,
    barycentric_correction_km_s,
    medium_of_header,
    medium_of_ucd,
    site_of,
    specsys_of,
)
from stream.fits.opening import Extension, FitsFile, stem_of
from stream.fits.records import first_known, flux_unit_of, spectrum_record, text_of, wavelength_scale_of, whole
from stream.fits.selection import RowSelection
from stream.fits.units import is_flux_density

NAME: Final = "ESO Phase 3 spectrum"

_NOISE_BLOCK: Final = 200
_VELOCITY_KEYWORDS: Final = (
    "ESO QC VRAD BARYCOR",
    "ESO QC BERV",
    "ESO DRS BERV",
    "ESO QC VRAD HELICOR",
    "ESO PRO REC1 BARYCORR",
    "BARYCORR",
    "HELICORR",
)


def recognises(file: FitsFile) -> bool:
    """Return whether a table declares a spectral axis and a flux axis, and the file calls itself an ESO product."""
    return file.primary.text("ORIGIN") is not None and _table(file) is not None and _is_eso(file)


def _is_eso(file: FitsFile) -> bool:
    header = file.primary
    catalogued = (header.text("PRODCATG") or "").upper().startswith("SCIENCE.SPECTRUM")
    return catalogued or "ESO" in (header.text("ORIGIN") or "").upper()


def _table(file: FitsFile) -> Extension | None:
    for extension in file.extensions:
        if extension.is_table and extension.columns.with_utype("data.spectralaxis.value"):
            return extension
    for extension in file.extensions:
        columns = extension.columns
        if (columns.with_ucd("em.wl") or "WAVE" in columns) and (
            columns.with_ucd("phot.flux.density") or columns.find("FLUX", "FLUX_REDUCED")
        ):
            return extension
    return None


def read(file: FitsFile, selection: RowSelection, report: Callable[[FitsError], None]) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    """Yield the spectrum of the file."""
    table = _table(file)
    if table is None:
        raise file.error("has no table with a spectral axis and a flux axis")
    if not selection.selects_file(file):
        return
    columns, rows = table.columns, table.rows()
    wave, flux = wavelength_column(columns), flux_column(columns)
    error = error_column(columns, flux)
    quality = columns.with_utype("data.fluxaxis.quality") or [c for c in (columns.find("QUAL"),) if c is not None]
    unit = flux_unit_of(table, f"TUNIT{flux.number}", flux.unit)
    if flux_unit_of(table, f"TUNIT{error.number}", error.unit) != unit:
        for column, other in ((flux, error), (error, flux)):
            if not (column.unit or "").strip():
                raise table.error(
                    f"the unit of {column.name} is missing, that of {other.name} is {other.unit!r}",
                    f"TUNIT{column.number}",
                )
        raise table.error(f"the unit of {error.name} differs from that of {flux.name}", f"TUNIT{error.number}")
    stored = np.ravel(rows.array(wave.name))
    scale = wavelength_scale_of(table, f"TUNIT{wave.number}", wave.unit)
    values = np.ravel(rows.array(flux.name))
    sigma, assumptions = np.ravel(rows.array(error.name)), []
    if not np.any(np.isfinite(sigma) & (sigma > 0)):
        why = "has no positive value" if np.isfinite(sigma).any() else "is empty"
        assumptions.append(f"uncertainty: {error.name} {why}, estimated from the flux by DER_SNR (Stoehr et al. 2008)")
        sigma = der_snr_sigma(values)
    yield spectrum_record(
        table,
        axis=axis_fields(np.asarray(stored, dtype=np.float64) * scale, stored.dtype),
        flux=values,
        flux_unit=unit,
        uncertainty=sigma,
        uncertainty_kind="SIGMA",
        quality=np.ravel(rows.array(quality[0].name)) if quality else None,
        frame=_frame(file, table, wave),
        assumptions=assumptions,
        **_identity(file, table, unit),
    )


def der_snr_sigma(flux: NDArray[Any]) -> NDArray[np.float64]:
    """Return the noise of each pixel by DER_SNR in blocks of 200 pixels, interpolated between their centres.

    Stoehr et al. 2008 (ASPC 394, 505): sigma = 1.482602 / sqrt(6) median|2 f_i - f_(i-2) - f_(i+2)|.

    Args:
        flux: (n,); NaN is left out.

    Returns:
        (n,) float64 in the unit of ``flux``; NaN where there are too few pixels to tell.
    """
    values = np.asarray(flux, dtype=np.float64)
    if values.size < 5:
        return np.full(values.size, np.nan)
    differences = np.abs(2 * values[2:-2] - values[:-4] - values[4:])
    centres, sigmas = [], []
    for start in range(0, differences.size, _NOISE_BLOCK):
        block = differences[start : start + _NOISE_BLOCK]
        block = block[np.isfinite(block)]
        if block.size >= 5 and np.median(block) > 0:
            centres.append(start + 2 + 0.5 * min(_NOISE_BLOCK, differences.size - start))
            sigmas.append(1.482602 / np.sqrt(6.0) * float(np.median(block)))
    if not centres:
        return np.full(values.size, np.nan)
    return np.asarray(np.interp(np.arange(values.size), centres, sigmas), dtype=np.float64)


def _frame(file: FitsFile, table: Extension, wave: Column) -> Frame:
    medium = medium_of_ucd(wave.ucd) or medium_of_header(table.header) or medium_of_header(file.primary)
    if medium is None:
        raise table.error("the file does not say whether wavelengths are in air or vacuum", f"TUCD{wave.number}")
    specsys = specsys_of(table.header, file.primary)
    if specsys is None:
        raise table.error("the frame of the wavelengths is missing", "SPECSYS")
    if specsys != "TOPOCENT":
        return Frame(medium, specsys)
    for keyword in _VELOCITY_KEYWORDS:
        velocity = file.primary.number(keyword)
        if velocity is not None:
            return Frame(medium, specsys, velocity)
    return _computed(file, table, Frame(medium, specsys))


def _computed(file: FitsFile, table: Extension, frame: Frame) -> Frame:
    header, site = file.primary, site_of(file)
    ra, dec, start = header.number("RA"), header.number("DEC"), header.number("MJD-OBS")
    if site is None or ra is None or dec is None or start is None:
        raise table.error(
            "TOPOCENT needs a barycentric velocity: no keyword has it, nor do TELESCOP, RA, DEC and MJD-OBS give it",
            "SPECSYS",
        )
    end = header.number("MJD-END")
    velocity = barycentric_correction_km_s(
        ra_deg=ra,
        dec_deg=dec,
        mjd_mid=start if end is None else 0.5 * (start + end),
        longitude_deg=site[0],
        latitude_deg=site[1],
        height_m=site[2],
    )
    sentence = (
        f"helio_correction_km_s {velocity:.3f}: not stated in the file, computed from RA, DEC, MJD-OBS and the site"
    )
    return Frame(frame.medium, frame.specsys, velocity, (sentence,))


def _identity(file: FitsFile, table: Extension, unit: str) -> dict[str, Any]:
    header = file.primary
    ob = header.text("OBID1") or header.text("ESO OBS ID")
    stated = {"ABSOLUTE": "ABSOLUTE", "RELATIVE": "RELATIVE"}.get((header.text("FLUXCAL") or "").upper())
    return {
        "l1_id": stem_of(header.text("ARCFILE") or file.path.name),
        "survey": "ESO",
        "instrument": header.text("INSTRUME") or "",
        "object_id": text_of(header.text("OBJECT") or table.header.text("OBJECT")),
        "programme_id": header.text("PROG_ID") or header.text("ESO OBS PROG ID"),
        "ob_id": text_of(ob),
        "arm": header.text("DISPELEM"),
        "product_level": "COADD" if (header.number("NCOMBINE") or 1) > 1 else "SINGLE",
        "n_combine": whole(header.number("NCOMBINE")),
        "provenance": header.texts("PROV"),
        "pipeline_name": header.text("PROCSOFT"),
        "ra_deg": first_known((header.number("RA"), table.header.number("RA"))),
        "dec_deg": first_known((header.number("DEC"), table.header.number("DEC"))),
        "mjd_start": header.number("MJD-OBS"),
        "mjd_end": header.number("MJD-END"),
        "exptime_s": header.number("TEXPTIME") or header.number("EXPTIME"),
        "is_extended": value if isinstance(value := header.get("EXT_OBJ"), bool) else None,
        "resolving_power": header.number("SPEC_RES"),
        "flux_calibration": (
            "NORMALIZED"
            if header.get("CONTNORM") is True
            else stated
            if stated is not None and is_flux_density(unit)
            else "UNCALIBRATED"
        ),
    }
