"""Assembling an ``l1_spectrum`` record from what a survey's reader found, with the checks that all surveys share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.fits.frames import Frame
from stream.fits.opening import Extension
from stream.fits.units import UnitError, angstroms_per, canonical_flux_unit

_ARRAYS: Final = {"lsf": np.float32, "quality": np.int32, "sky": np.float32}


def spectrum_record(
    where: Extension,
    *,
    axis: dict[str, Any],
    flux: NDArray[Any],
    flux_unit: str,
    uncertainty: NDArray[Any],
    uncertainty_kind: str,
    frame: Frame,
    assumptions: Iterable[str] = (),
    **fields: Any,
) -> dict[str, Any]:
    """Return one l1_spectrum record; raises FitsError naming ``where`` when its arrays contradict each other.

    Args:
        where: the extension that the spectrum came from, for the error.
        axis: ``{"grid": ...}`` or ``{"wavelength": (n,) float64 Angstrom}``.
        flux: (n,) in ``flux_unit``; NaN allowed.
        flux_unit: canonical unit.
        uncertainty: (n,), what ``uncertainty_kind`` says.
        uncertainty_kind: SIGMA, VARIANCE or IVAR.
        frame: medium and frame.
        assumptions: sentences beside those of ``frame``.
        fields: all other fields by their names in l1_spectrum; numbers that are NaN become null.
    """
    record: dict[str, Any] = {name: _nullable(value) for name, value in fields.items() if name not in _ARRAYS}
    arrays = {"flux": _as(flux, np.float32), "uncertainty": _as(uncertainty, np.float32)}
    for name, dtype in _ARRAYS.items():
        if fields.get(name) is not None:
            arrays[name] = _as(fields[name], dtype)
    if "grid" in axis:
        n = int(axis["grid"]["n"])
    else:
        wavelength = np.ascontiguousarray(axis["wavelength"], dtype=np.float64)
        n = int(wavelength.size)
        if n > 1 and wavelength[0] > wavelength[-1]:
            wavelength = wavelength[::-1].copy()
            arrays = {name: array[::-1].copy() for name, array in arrays.items()}
        if not np.all(np.isfinite(wavelength)) or np.any(np.diff(wavelength) <= 0) or (n and wavelength[0] <= 0):
            raise where.error("the wavelengths are not finite, positive and strictly monotonic")
        axis = {"wavelength": wavelength}
    if n < 2:
        raise where.error(f"has {n} pixels")
    for name, array in arrays.items():
        if array.shape != (n,):
            raise where.error(f"{name} has shape {array.shape}, expected ({n},)")
    return {
        **record,
        **axis,
        **frame.fields(),
        **arrays,
        "flux_unit": flux_unit,
        "uncertainty_kind": uncertainty_kind,
        "assumptions": [*frame.assumptions, *assumptions],
    }


def flux_unit_of(where: Extension, keyword: str, written: str | None) -> str:
    """Return the canonical flux unit; raises FitsError naming the keyword where the unit is none of a flux axis."""
    try:
        return canonical_flux_unit(written)
    except UnitError as error:
        raise where.error(str(error), keyword) from error


def wavelength_scale_of(where: Extension, keyword: str, written: str | None) -> float:
    """Return Angstrom per unit of the wavelength axis; raises FitsError naming the keyword."""
    try:
        return angstroms_per(written)
    except UnitError as error:
        raise where.error(str(error), keyword) from error


def magnitude(band: str, system: str, value: Any, error: Any = None) -> list[dict[str, Any]]:
    """Return one entry of ``magnitudes``, or none where the catalogue has no value (NaN, 0, 99, -9999 ...)."""
    number = _number(value)
    if number is None or number == 0 or not -5 < number < 40:
        return []
    sigma = _number(error)
    usable = sigma is not None and 0 < sigma < 10
    return [{"band": band, "system": system, "value": number, "error": sigma if usable else None}]


def magnitude_of_flux(band: str, nanomaggies: Any, ivar: Any = None) -> list[dict[str, Any]]:
    """Return one AB magnitude from nanomaggies: m = 22.5 - 2.5 log10(f), error 2.5/ln(10) / (f sqrt(ivar))."""
    flux, weight = _number(nanomaggies), _number(ivar)
    if flux is None or flux <= 0:
        return []
    error = 1.0857362 / (flux * weight**0.5) if weight is not None and weight > 0 else None
    return magnitude(band, "AB", 22.5 - 2.5 * float(np.log10(flux)), error)


def first_known(values: Iterable[Any]) -> Any:
    """Return the first value that is not None, or None; values after it are not asked for."""
    return next((value for value in values if value is not None), None)


def text_of(value: Any) -> str | None:
    """Return an identifier as text, None for what files write where there is none (empty, -1, NULL)."""
    if value is None:
        return None
    text = str(value).strip()
    return None if text in {"", "-1", "NULL", "None", "nan"} else text


def whole(value: Any) -> int | None:
    """Return a whole number, or None where there is none."""
    number = _number(value)
    return None if number is None else int(value) if isinstance(value, int) else int(number)


def signed_64(value: Any) -> int | None:
    """Return bits as the signed 64-bit number that Avro's long holds (unsigned ones wrap), or None."""
    number = whole(value)
    if number is None:
        return None
    return (number + 2**63) % 2**64 - 2**63


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, str | bytes | bool):
        return None
    number = float(value)
    return number if np.isfinite(number) else None


def _nullable(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _as(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    return np.ascontiguousarray(array, dtype=dtype)
