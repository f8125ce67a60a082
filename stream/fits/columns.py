"""Finding table columns: by UTYPE, by UCD, by name whatever its case; never by position.

UTYPE comes first, because UVES gives its sky background the UCD that HARPS gives its flux. Of several fluxes the one
marked ``meta.main`` counts, and the error of the same UTYPE namespace goes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.fits.errors import FitsError


@dataclass(frozen=True, slots=True)
class Column:
    """What a header says of one column.

    Attributes:
        name: TTYPE as written.
        number: the n of TTYPEn, from 1.
        unit: TUNIT as written, or None.
        ucd, utype: TUCD and TUTYP in lower case, "" where absent.
        null: TNULL, or None.
        form: TFORM in upper case.
        scale, zero: TSCAL and TZERO, or None.
    """

    name: str
    number: int
    unit: str | None = None
    ucd: str = ""
    utype: str = ""
    null: int | None = None
    form: str = ""
    scale: float | None = None
    zero: float | None = None

    def physical(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return what stored values mean: text for A, true or false for L, scaled numbers; P and Q raise ValueError."""
        letter = self.form.lstrip("0123456789")[:1]
        if letter in {"P", "Q"}:
            raise ValueError("columns of variable length are not supported")
        if letter == "A":
            return np.char.decode(stored, "ascii", "replace")
        if letter == "L":
            return np.asarray(stored == ord("T"))
        return scaled(stored, 1.0 if self.scale is None else self.scale, 0.0 if self.zero is None else self.zero)


def scaled(stored: NDArray[Any], scale: float, zero: float) -> NDArray[Any]:
    """Return stored x scale + zero, as FITS defines it; whole numbers with a whole zero (unsigned ones) stay whole."""
    if scale == 1.0 and zero == 0.0:
        return stored
    if scale == 1.0 and zero.is_integer() and stored.dtype.kind in "iu":
        if zero == 2.0**63:
            return stored.view(np.uint64) ^ np.uint64(1 << 63)
        return stored.astype(np.int64) + int(zero)
    return np.asarray(stored * scale + zero)


class Columns:
    """The columns of one table; what the header says of a column is read when that column is asked for.

    (An SDSS catalogue table has 230 columns, of which a reader needs twenty.)
    """

    def __init__(
        self, names: Sequence[str], describe: Callable[[int, str], Column], *, file: Path, extension: str
    ) -> None:
        """Take the names in order, and ``describe``, which makes the Column of a number (from 1) and name."""
        self.names = tuple(names)
        self._numbers = {name.upper(): n for n, name in reversed(list(enumerate(names, start=1)))}
        self._describe = describe
        self._made: dict[int, Column] = {}
        self._file = file
        self._extension = extension

    def _column(self, number: int) -> Column:
        if number not in self._made:
            self._made[number] = self._describe(number, self.names[number - 1])
        return self._made[number]

    def __iter__(self) -> Iterator[Column]:
        return (self._column(number) for number in range(1, len(self.names) + 1))

    def __contains__(self, name: str) -> bool:
        return name.upper() in self._numbers

    def find(self, *names: str) -> Column | None:
        """Return the first of ``names`` that exists, or None."""
        return next((self._column(self._numbers[n.upper()]) for n in names if n.upper() in self._numbers), None)

    def require(self, *names: str) -> Column:
        """Return the first of ``names`` that exists; raises FitsError that lists what there is."""
        column = self.find(*names)
        if column is None:
            raise self.missing(" or ".join(names))
        return column

    def missing(self, wanted: str) -> FitsError:
        """Return the error that column ``wanted`` is missing."""
        present = ", ".join(self.names[:40]) + (" ..." if len(self.names) > 40 else "")
        return FitsError(
            f"the column is missing; present: {present or 'none'}",
            file=self._file,
            extension=self._extension,
            keyword=wanted,
        )

    def with_utype(self, *endings: str) -> list[Column]:
        """Return the columns whose UTYPE ends so, namespace and case left aside; in the order of ``endings``.

        ESO products spell ``spec:Data.FluxAxis.Value``, ``Spectrum.Data.FluxAxis.Value`` or
        ``eso:Data.FluxAxis.Value``, and some misspell Accuracy as Accurancy.
        """
        found: list[Column] = []
        for ending in endings:
            wanted = ending.lower()
            found += [c for c in self if c.utype.replace("accurancy", "accuracy").endswith(wanted)]
        return found

    def with_ucd(self, *starts: str) -> list[Column]:
        """Return the columns whose UCD begins with one of ``starts``, main ones (``meta.main``) first."""
        found = [c for c in self if any(c.ucd.startswith(start) for start in starts)]
        return sorted(found, key=lambda c: "meta.main" not in c.ucd)


def wavelength_column(columns: Columns) -> Column:
    """Return the column of wavelengths."""
    found = [*columns.with_utype("data.spectralaxis.value"), *columns.with_ucd("em.wl")]
    return found[0] if found else columns.require("WAVE", "WAVELENGTH", "LAMBDA")


def flux_column(columns: Columns) -> Column:
    """Return the column of the flux, sky-subtracted and calibrated where there are several."""
    found = columns.with_utype("data.fluxaxis.value")
    if not found:
        found = [c for c in columns.with_ucd("phot.flux.density") if "background" not in c.utype]
    ranked = sorted(found, key=lambda c: ("meta.main" not in c.ucd, "stat.uncalib" in c.ucd))
    return ranked[0] if ranked else columns.require("FLUX", "FLUX_REDUCED")


def error_column(columns: Columns, flux: Column) -> Column:
    """Return the column of the error of ``flux``: same UTYPE namespace, then ``meta.main``, then same unit."""
    found = columns.with_utype("data.fluxaxis.accuracy.staterror") or columns.with_ucd("stat.error;phot.flux.density")
    ranked = sorted(
        found,
        key=lambda c: (_namespace(c) != _namespace(flux), "meta.main" not in c.ucd, c.unit != flux.unit),
    )
    return ranked[0] if ranked else columns.require("ERR", "ERR_FLUX", "ERR_REDUCED", "SIGMA")


def _namespace(column: Column) -> str:
    return column.utype.partition("data.")[0]
