"""LAMOST low-resolution spectra: the five-row image of the releases up to about DR7, and the COADD table since DR8.

Both are on a log10 lattice (COEFF0, COEFF1), in vacuum, heliocentric, and *relatively* flux-calibrated: the flux has no
unit (https://www.lamost.org/dr8/v1.0/doc/lr-data-production-description). The third row of the image is the wavelength
only in later releases: in the pilot and DR1 files it is the continuum-subtracted spectrum, so the lattice of the header
is used, and the row is only checked where EXTEN0 says that it is a wavelength. Dates in DATE-BEG and DATE-END are
Beijing time, UTC + 8 h.

``quality`` is ``ANDMASK``: pixels bad in every exposure; ``ORMASK`` concerns single exposures that the pipeline already
left out. Some files are padded at an end with flux exactly 0, though IVAR > 0 and no mask bit says so: those pixels get
the bit ``PADDED``, which LAMOST itself does not use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from astropy.time import Time
from numpy.typing import NDArray

from stream.fits.axes import axis_fields, grid
from stream.fits.errors import FitsError
from stream.fits.frames import Frame, documented, medium_of_header
from stream.fits.headers import Header
from stream.fits.opening import Extension, FitsFile, stem_of
from stream.fits.records import magnitude, spectrum_record, text_of, whole
from stream.fits.selection import RowSelection

NAME: Final = "LAMOST low-resolution spectrum"

_DOCUMENTATION: Final = "the LAMOST data production description"
PADDED: Final = 1 << 30
_BEIJING_DAYS: Final = 8 / 24
# By slit mode, at 5500 Angstrom, as the description says.
_RESOLVING_POWER: Final = {"x2/3": 1800.0}
_AB_BANDS: Final = frozenset("ugrizy")


def recognises(file: FitsFile) -> bool:
    """Return whether the telescope is LAMOST and one of the two layouts of low-resolution spectra is there."""
    telescope = (file.primary.text("TELESCOP") or "").upper()
    return "LAMOST" in telescope and (_is_image(file) or _coadd(file) is not None)


def _is_image(file: FitsFile) -> bool:
    shape = file.extensions[0].shape
    return len(shape) == 2 and shape[0] == 5


def _coadd(file: FitsFile) -> Extension | None:
    return next(
        (e for e in file.extensions if e.is_table and all(n in e.columns for n in ("FLUX", "IVAR", "WAVELENGTH"))), None
    )


def read(file: FitsFile, selection: RowSelection, report: Callable[[FitsError], None]) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    """Yield the spectrum of the file."""
    if not selection.selects_file(file):
        return
    coadd = _coadd(file)
    if coadd is not None:
        rows = coadd.rows(0, 1)
        arrays = {name: np.ravel(rows.array(name)) for name in ("FLUX", "IVAR", "WAVELENGTH")}
        mask = np.ravel(rows.array("ANDMASK")) if "ANDMASK" in coadd.columns else None
        stored = arrays["WAVELENGTH"].dtype
        axis = axis_fields(arrays["WAVELENGTH"], stored)
        yield _record(file, coadd, axis, arrays["FLUX"], arrays["IVAR"], mask)
        return
    image = file.extensions[0]
    data = image.image()
    yield _record(file, image, _lattice(image, data), data[0], data[1], data[3])


def _lattice(image: Extension, data: NDArray[Any]) -> dict[str, Any]:
    header = image.header
    start, step = header.require_number("COEFF0"), header.require_number("COEFF1")
    rows = (header.text("EXTEN0") or "").lower()
    if "wavelength" in rows:
        off = np.max(np.abs(np.log10(data[2].astype(np.float64)) - (start + step * np.arange(data.shape[1]))))
        if not off < 0.1 * step:
            raise image.error("the wavelengths of row 3 contradict COEFF0 and COEFF1", "COEFF0")
    return {"grid": grid("LOG10", start, step, data.shape[1])}


def _record(
    file: FitsFile,
    where: Extension,
    axis: dict[str, Any],
    flux: NDArray[Any],
    ivar: NDArray[Any],
    mask: NDArray[Any] | None,
) -> dict[str, Any]:
    header = file.primary
    stem = stem_of(header.text("FILENAME") or file.path.name)
    obsid = text_of(header.text("OBSID"))
    return spectrum_record(
        where,
        axis=axis,
        flux=flux,
        flux_unit="",
        uncertainty=ivar,
        uncertainty_kind="IVAR",
        quality=_quality(flux, mask),
        frame=_frame(header),
        l1_id="-".join(part for part in (stem, header.text("VERSPIPE")) if part),
        survey="LAMOST",
        instrument="LAMOST LRS",
        spec_uid=obsid,
        object_uid=text_of(header.text("UID")) or text_of(header.text("GP_ID")),
        object_id=text_of(header.text("OBJNAME")),
        cname=text_of(header.text("DESIG")),
        programme_id=text_of(header.text("TSOURCE")) or text_of(header.text("OBJSOURC")),
        ob_id=text_of(header.text("PLANID")),
        fibre_id=whole(header.number("FIBERID")),
        fibre_use=_fibre_use(header),
        spectrograph=text_of(header.text("SPID")),
        product_level="COADD",
        n_combine=whole(header.number("NEXP")),
        provenance=header.texts("EXPID"),
        pipeline_name="LAMOST Pipeline",
        pipeline_version=header.text("VERSPIPE"),
        ra_deg=header.number("RA"),
        dec_deg=header.number("DEC"),
        mjd_start=_mjd_utc(header, "DATE-BEG"),
        mjd_end=_mjd_utc(header, "DATE-END"),
        exptime_s=header.number("EXPTIME"),
        magnitudes=_magnitudes(header),
        resolving_power=_RESOLVING_POWER.get(header.text("SLIT_MOD") or ""),
        flux_calibration="RELATIVE",
        sky_subtracted=True,
        dereddened=False,
    )


def _quality(flux: NDArray[Any], mask: NDArray[Any] | None) -> NDArray[np.int64] | None:
    measured = np.flatnonzero(flux != 0)
    padded = np.ones(flux.shape, dtype=bool)
    if measured.size:
        padded[measured[0] : measured[-1] + 1] = False
    if mask is None and not padded.any():
        return None
    bits = np.zeros(flux.shape) if mask is None else np.nan_to_num(mask, nan=1.0)
    return bits.astype(np.int64) | np.where(padded, PADDED, 0)


def _frame(header: Header) -> Frame:
    assumptions = []
    medium = medium_of_header(header)
    if medium is None:
        medium = "VACUUM"
        assumptions.append(documented("medium", medium, _DOCUMENTATION))
    helio = header.get("HELIO")
    if helio is False:
        velocity = header.require_number("HELIO_RV")
        return Frame(medium, "TOPOCENT", velocity, tuple(assumptions))
    if helio is None:
        assumptions.append(documented("specsys", "HELIOCEN", _DOCUMENTATION))
    return Frame(medium, "HELIOCEN", assumptions=tuple(assumptions))


def _fibre_use(header: Header) -> str:
    kind = (header.text("FIBERTYP") or "").upper()
    if kind.startswith("SKY"):
        return "SKY"
    if kind.startswith("F-STD") or kind == "FS":
        return "STANDARD"
    return "OBJECT" if kind in {"", "OBJ"} else "OTHER"


def _mjd_utc(header: Header, keyword: str) -> float | None:
    written = header.text(keyword)
    if written is None:
        return None
    try:
        return float(Time(written, format="isot", scale="utc").mjd) - _BEIJING_DAYS
    except ValueError:
        raise header.error(f"expected a date, found {written!r}", keyword) from None


def _magnitudes(header: Header) -> list[dict[str, Any]]:
    found = []
    for number, band in enumerate((header.text("MAGTYPE") or "")[:7], start=1):
        found += magnitude(band, "AB" if band in _AB_BANDS else "VEGA", header.number(f"MAG{number}"))
    return found
