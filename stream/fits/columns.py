"""Finding table columns: by UTYPE, by UCD, by name whatever its case; never by position.

UTYPE comes first, because UVES gives its sky background the UCD that HARPS gives its flux. Of several fluxes the one
marked ``meta.main`` counts, and the error of the same UTYPE namespace goes with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    """

    name: str
    number: int
    unit: str | None = None
    ucd: str = ""
    utype: str = ""
    null: int | None = None


class Columns:
    """The columns of one table."""

    def __init__(self, columns: Sequence[Column], *, file: Path, extension: str) -> None:
        self._columns = tuple(columns)
        self._by_name = {column.name.upper(): column for column in reversed(self._columns)}
        self._file = file
        self._extension = extension

    def __iter__(self) -> Iterator[Column]:
        return iter(self._columns)

    def __contains__(self, name: str) -> bool:
        return name.upper() in self._by_name

    @property
    def names(self) -> tuple[str, ...]:
        """All names as written."""
        return tuple(column.name for column in self._columns)

    def find(self, *names: str) -> Column | None:
        """Return the first of ``names`` that exists, or None."""
        return next((self._by_name[n.upper()] for n in names if n.upper() in self._by_name), None)

    def require(self, *names: str) -> Column:
        """Return the first of ``names`` that exists; raises FitsError that lists what there is."""
        column = self.find(*names)
        if column is None:
            raise self.missing(" or ".join(names))
        return column

    def missing(self, wanted: str) -> FitsError:
        """Return the error that column ``wanted`` is missing."""
        present = ", ".join(self.names[:40]) + (" ..." if len(self._columns) > 40 else "")
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
            found += [c for c in self._columns if c.utype.replace("accurancy", "accuracy").endswith(wanted)]
        return found

    def with_ucd(self, *starts: str) -> list[Column]:
        """Return the columns whose UCD begins with one of ``starts``, main ones (``meta.main``) first."""
        found = [c for c in self._columns if any(c.ucd.startswith(start) for start in starts)]
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
