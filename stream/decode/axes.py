"""Wavelength axes: checked once, then shared by every spectrum that has the same one.

A survey has few axes and sends each of them thousands of times a night, so the checks (and the digest that names an
inline axis in the preprocessing's caches) are made once per axis. The cache is bounded and holds the least recently
used ones out.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Axis, GridAxis, InlineAxis
from stream.errors import Reason, Rejectable

SHORTEST_ANGSTROM = 10.0
LONGEST_ANGSTROM = 1e7
"""Range of wavelengths that a spectrum may cover, extreme ultraviolet to 1 mm: beyond it the unit is not Angstrom."""
MAX_PIXELS = 1_000_000
"""Longest spectrum [pixel]; the longest survey spectra have 1e5."""
CACHED_AXES = 256


class AxisReader:
    """Reads the axis of an ``l1_spectrum`` record; remembers the axes that it has checked."""

    def __init__(self, cached_axes: int = CACHED_AXES) -> None:
        self._cached_axes = cached_axes
        self._grids: OrderedDict[tuple[object, ...], GridAxis] = OrderedDict()
        self._inline: OrderedDict[tuple[int, float, float, float], list[InlineAxis]] = OrderedDict()

    def read(self, record: Mapping[str, Any]) -> tuple[Axis, int]:
        """Return the axis and its number of pixels.

        Raises:
            Rejectable: no axis, two axes, or one that is not finite, positive, increasing and of a possible length.
        """
        wavelength = record["wavelength"]
        grid = record["grid"]
        if (wavelength is None) == (grid is None):
            raise Rejectable(
                Reason.INVALID_WAVELENGTH,
                "exactly one of wavelength and grid must be given",
                field="wavelength",
                expected="wavelength or grid",
                received="neither" if grid is None else "both",
            )
        if grid is not None:
            axis = self._read_grid(grid)
            return axis, axis.n
        inline = self._read_inline(np.asarray(wavelength, dtype=np.float64))
        return inline, inline.wavelength_angstrom.shape[0]

    def _read_grid(self, grid: Mapping[str, Any]) -> GridAxis:
        key = (grid["kind"], grid["start"], grid["step"], grid["n"])
        known = self._grids.get(key)
        if known is not None:
            self._grids.move_to_end(key)
            return known
        axis = GridAxis(*key)
        check_grid(axis)
        self._grids[key] = axis
        if len(self._grids) > self._cached_axes:
            self._grids.popitem(last=False)
        return axis

    def _read_inline(self, wavelength: NDArray[np.float64]) -> InlineAxis:
        n = wavelength.shape[0]
        _check_length("wavelength", n)
        key = (n, float(wavelength[0]), float(wavelength[n // 2]), float(wavelength[-1]))
        for known in self._inline.get(key, ()):
            if np.array_equal(known.wavelength_angstrom, wavelength):
                self._inline.move_to_end(key)
                return known
        check_wavelength(wavelength)
        axis = InlineAxis(wavelength, hashlib.blake2b(wavelength.tobytes(), digest_size=16).digest())
        self._inline.setdefault(key, []).append(axis)
        self._inline.move_to_end(key)
        if len(self._inline[key]) > self._cached_axes:
            del self._inline[key][0]
        if len(self._inline) > self._cached_axes:
            self._inline.popitem(last=False)
        return axis


def check_grid(axis: GridAxis) -> None:
    """Check a regular axis.

    Raises:
        Rejectable: it is not finite, not increasing, too short or long, or leaves the range of wavelengths.
    """
    _check_length("grid.n", axis.n)
    if axis.kind not in ("LINEAR", "LOG10"):
        raise _invalid("grid.kind", "LINEAR or LOG10", repr(axis.kind))
    if not math.isfinite(axis.start) or not math.isfinite(axis.step) or axis.step <= 0:
        raise _invalid("grid.step", "finite start and step > 0", f"start {axis.start:.6g}, step {axis.step:.6g}")
    ends = axis.start, axis.start + (axis.n - 1) * axis.step
    lowest, highest = (math.log10(SHORTEST_ANGSTROM), math.log10(LONGEST_ANGSTROM))
    if axis.kind == "LINEAR":
        lowest, highest = SHORTEST_ANGSTROM, LONGEST_ANGSTROM
    if ends[0] < lowest or ends[1] > highest:
        raise _invalid("grid.start", f"{lowest:g}..{highest:g}", f"{ends[0]:.6g}..{ends[1]:.6g}")


def check_wavelength(wavelength: NDArray[np.float64]) -> None:
    """Check an inline axis: (n,) float64 Angstrom.

    Raises:
        Rejectable: it is not finite, not strictly increasing, or leaves the range of wavelengths.
    """
    finite = np.isfinite(wavelength)
    if not finite.all():
        pixel = int(np.argmin(finite))
        raise _invalid("wavelength", "finite values", f"{wavelength[pixel]} at pixel {pixel}")
    rising = np.diff(wavelength) > 0
    if not rising.all():
        pixel = int(np.argmin(rising))
        raise _invalid(
            "wavelength",
            "strictly increasing values",
            f"{wavelength[pixel]:.10g} then {wavelength[pixel + 1]:.10g} at pixel {pixel}",
        )
    if wavelength[0] < SHORTEST_ANGSTROM or wavelength[-1] > LONGEST_ANGSTROM:
        raise _invalid(
            "wavelength", f"{SHORTEST_ANGSTROM:g}..{LONGEST_ANGSTROM:g}", f"{wavelength[0]:.6g}..{wavelength[-1]:.6g}"
        )


def _check_length(field: str, n: int) -> None:
    if n > MAX_PIXELS:
        raise Rejectable(
            Reason.MESSAGE_TOO_LARGE,
            "the spectrum has too many pixels",
            field=field,
            expected=f"at most {MAX_PIXELS} pixels",
            received=str(n),
        )
    if n < 2:
        raise Rejectable(
            Reason.LENGTH_MISMATCH,
            "the spectrum has too few pixels",
            field=field,
            expected="at least 2 pixels",
            received=str(n),
        )


def _invalid(field: str, expected: str, received: str) -> Rejectable:
    return Rejectable(
        Reason.INVALID_WAVELENGTH,
        f"the wavelength axis is invalid: expected {expected}, received {received}",
        field=field,
        expected=expected,
        received=received,
    )
