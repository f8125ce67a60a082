"""Wavelength axes: recognising a regular one behind stored numbers, because preprocessing is cheapest on a lattice."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

GridKind = Literal["LINEAR", "LOG10"]

# Deviations below this part of a step are rounding of the file's own arithmetic (1e-5 of 0.8 Angstrom is 0.3 m/s).
_STEP_TOLERANCE: Final = 1e-5
_MAX_DECIMALS: Final = 12


def grid(kind: GridKind, start: float, step: float, n: int) -> dict[str, Any]:
    """Return the ``grid`` field of an l1_spectrum record; start and step in Angstrom, or in log10(Angstrom)."""
    return {"kind": kind, "start": float(start), "step": float(step), "n": int(n)}


def axis_fields(wavelength_angstrom: NDArray[Any], stored: DTypeLike) -> dict[str, Any]:
    """Return ``grid`` where the axis is regular to within the rounding of its stored type, else ``wavelength``.

    Args:
        wavelength_angstrom: (n,) wavelengths, float32 or float64, strictly increasing.
        stored: the type in which the file holds them, which sets how far rounding may move them.
    """
    wavelength = np.asarray(wavelength_angstrom, dtype=np.float64)
    rounding = float(np.spacing(np.asarray(wavelength[-1], dtype=stored))) if wavelength.size else 0.0
    found = regular_grid("LINEAR", wavelength, rounding)
    if found is None and wavelength.size and wavelength[0] > 0:
        # d log10(w) = dw / (w ln 10); the relative rounding is largest at the blue end.
        found = regular_grid("LOG10", np.log10(wavelength), rounding / (float(wavelength[0]) * np.log(10.0)))
    return {"grid": found} if found is not None else {"wavelength": wavelength}


def log10_axis_fields(log10_wavelength: NDArray[Any]) -> dict[str, Any]:
    """Return ``grid`` where a log10(Angstrom) axis is regular to within its rounding, else ``wavelength``.

    Args:
        log10_wavelength: (n,) in the type in which the file holds it; the caller has seen that it is a logarithm.
    """
    rounding = float(np.spacing(np.max(np.abs(log10_wavelength)))) if log10_wavelength.size else 0.0
    values = np.asarray(log10_wavelength, dtype=np.float64)
    found = regular_grid("LOG10", values, rounding)
    return {"grid": found} if found is not None else {"wavelength": 10.0**values}


def regular_grid(kind: GridKind, values: NDArray[np.float64], rounding: float) -> dict[str, Any] | None:
    """Return the roundest lattice within ``rounding`` of ``values`` (float32 3.5794999 means 3.5795), or None.

    The roundest, because spectra of one survey then share one lattice, whatever the rounding of each.
    """
    n = int(values.size)
    if n < 3 or not np.all(np.isfinite(values)):
        return None
    start, step = float(values[0]), float((values[-1] - values[0]) / (n - 1))
    if step <= 0:
        return None
    tolerance = max(rounding * 1.01, _STEP_TOLERANCE * step)
    index = np.arange(n, dtype=np.float64)
    if np.max(np.abs(values - (start + step * index))) > 2 * tolerance:
        return None
    for decimals in range(_MAX_DECIMALS + 1):
        rounded_step = round(step, decimals)
        rounded_start = round(start, decimals)
        if rounded_step > 0 and np.max(np.abs(values - (rounded_start + rounded_step * index))) <= tolerance:
            return grid(kind, rounded_start, rounded_step, n)
    if np.max(np.abs(values - (start + step * index))) <= tolerance:
        return grid(kind, start, step, n)
    return None


def lattice_wavelength(axis: dict[str, Any]) -> NDArray[np.float64]:
    """Return the (n,) float64 wavelengths [Angstrom] of a ``grid`` field."""
    values = axis["start"] + axis["step"] * np.arange(axis["n"], dtype=np.float64)
    return values if axis["kind"] == "LINEAR" else np.asarray(10.0**values)
