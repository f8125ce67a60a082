"""4MOST nightly multi-spectrum files (MEC): what 4MOST's operations exchange, thousands of spectra in one file.

SPECTAB holds the spectra, FIBMETATAB one row a fibre (the table that a row rule sees), OBMETATAB one row an observing
block, PROVTAB the provenance. The wavelength axis is linear and stated once, in the keywords of the flux column
(1CRVLn, 1CDLTn, 1CRPXn, 1CUNIn, n the column's number); where they are missing, in WAVELMIN and SPEC_BIN [nm] of each
fibre. Rows of SPECTAB and FIBMETATAB are paired by SPECUID where both have it, else by their order.

Fibres that are disabled or parked (FIB_ST other than 2, allocated) saw no target and are left out. A file holds joined
low-resolution arms (``..._LJ1_...``) or one high-resolution arm (``..._HB1_...``, HG, HR): ``stream.fits.arms`` joins
those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from stream.fits import fourmost
from stream.fits.axes import grid
from stream.fits.errors import FitsError
from stream.fits.fourmost_flux import FluxColumns
from stream.fits.fourmost_tables import ObservingBlocks, Provenance, identity
from stream.fits.opening import Extension, FitsFile
from stream.fits.records import spectrum_record, text_of, wavelength_scale_of
from stream.fits.rows import Rows
from stream.fits.selection import RowSelection

NAME: Final = "4MOST nightly multi-spectrum file (MEC)"

CHUNK_ROWS: Final = 64

_ALLOCATED: Final = 2
_NM: Final = 10.0


def recognises(file: FitsFile) -> bool:
    """Return whether there are SPECTAB and FIBMETATAB."""
    return file.find("SPECTAB") is not None and file.find("FIBMETATAB") is not None


def read(file: FitsFile, selection: RowSelection, report: Callable[[FitsError], None]) -> Iterator[dict[str, Any]]:
    """Yield the selected spectra in the order of FIBMETATAB."""
    spectra, fibres = file.require("SPECTAB"), file.require("FIBMETATAB")
    selection.check(fibres)
    layout = _Layout(file, spectra)
    blocks, provenance = ObservingBlocks(file.find("OBMETATAB")), Provenance(file.find("PROVTAB"))
    row_of = _pairing(spectra, fibres)
    for cells in fibres.chunks(CHUNK_ROWS):
        chosen = [r for r in range(len(cells)) if _allocated(cells, r) and selection.selects(cells, r)]
        together = spectra.rows(cells.start, cells.stop) if row_of is None and chosen else None
        for row in chosen:
            try:
                if together is not None:
                    at, data = row, together
                else:
                    at, data = 0, _own_row(spectra, fibres, cells, row, row_of or {})
                yield _spectrum(file, layout, data, at, cells, row, blocks, provenance)
            except FitsError as error:
                report(error.at_row(cells.start + row))


def _allocated(cells: Rows, row: int) -> bool:
    status = cells.value("FIB_ST", row)
    return status is None or int(status) == _ALLOCATED


def _pairing(spectra: Extension, fibres: Extension) -> dict[str, int] | None:
    """Return SPECUID -> row of SPECTAB, or None where the rows of both tables correspond one to one."""
    if "SPECUID" in spectra.columns and "SPECUID" in fibres.columns:
        ours, theirs = ([text_of(u) for u in e.rows().array("SPECUID").tolist()] for e in (spectra, fibres))
        if ours == theirs:
            return None
        found = {uid: row for row, uid in enumerate(ours) if uid is not None}
        if len(found) != sum(uid is not None for uid in ours):
            raise spectra.error("SPECUID is not unique", "SPECUID")
        return found
    if spectra.n_rows != fibres.n_rows:
        raise spectra.error(
            f"has {spectra.n_rows} rows, FIBMETATAB {fibres.n_rows}, and no SPECUID pairs them", "NAXIS2"
        )
    return None


def _own_row(spectra: Extension, fibres: Extension, cells: Rows, row: int, row_of: dict[str, int]) -> Rows:
    uid = text_of(cells.value("SPECUID", row))
    at = None if uid is None else row_of.get(uid)
    if at is None:
        raise fibres.error(f"no row of SPECTAB has SPECUID {uid}", "SPECUID")
    return spectra.rows(at, at + 1)


class _Layout:
    """What is stated once for all spectra of a file: columns, unit, axis, frame."""

    def __init__(self, file: FitsFile, spectra: Extension) -> None:
        columns = spectra.columns
        self.spectra = spectra
        self.flux = FluxColumns(spectra)
        self.quality = columns.find("QUAL")
        self.flux_number = columns.require("FLUX").number
        number = next((n for n in (self.flux_number, 1) if f"1CRVL{n}" in spectra.header), None)
        self.start = self.step = None
        if number is not None:
            header = spectra.header
            scale = wavelength_scale_of(spectra, f"1CUNI{number}", header.text(f"1CUNI{number}"))
            step = header.require_number(f"1CDLT{number}") * scale
            reference = header.number(f"1CRPX{number}")
            reference = 1.0 if reference is None else reference
            self.start = header.require_number(f"1CRVL{number}") * scale + (1.0 - reference) * step
            self.step = step
            if not (self.start > 0 and step > 0):
                raise spectra.error(f"the axis starts at {self.start} with step {step} Angstrom", f"1CDLT{number}")
        self.frame = fourmost.frame_of(file, spectra, None, f"1CTYP{number}" if number else "1CTYP1", "CTYPE1")
        self.arm = fourmost.arm_of(file.path.name)

    def axis(self, cells: Rows, row: int, n: int) -> dict[str, Any]:
        """Return the axis of one spectrum of ``n`` pixels."""
        if self.start is not None and self.step is not None:
            return {"grid": grid("LINEAR", round(self.start, 9), round(self.step, 9), n)}
        start, step = cells.value("WAVELMIN", row), cells.value("SPEC_BIN", row)
        if start is None or step is None or not (start > 0 and step > 0):
            message = "the axis is missing: neither 1CRVLn nor WAVELMIN and SPEC_BIN of the fibre state it"
            raise self.spectra.error(message, f"1CRVL{self.flux_number}")
        return {"grid": grid("LINEAR", round(start * _NM, 6), round(step * _NM, 6), n)}


def _spectrum(
    file: FitsFile,
    layout: _Layout,
    data: Rows,
    at: int,
    cells: Rows,
    row: int,
    blocks: ObservingBlocks,
    provenance: Provenance,
) -> dict[str, Any]:
    flux = layout.flux.of_row(
        data,
        at,
        stated=cells.value("FLUXCAL", row) or file.primary.text("FLUXCAL") or layout.spectra.header.text("FLUXCAL"),
        normalised=cells.value("CONTNORM", row),
    )
    known = identity(file, cells, row, blocks, provenance, spec_uid=text_of(data.value("SPECUID", at)))
    return spectrum_record(
        layout.spectra,
        axis=layout.axis(cells, row, flux["flux"].size),
        quality=None if layout.quality is None else np.ravel(data.array(layout.quality.name)[at]),
        frame=layout.frame,
        arm=layout.arm,
        product_level="SINGLE" if layout.arm else "JOINED",
        **flux,
        **known,
    )
