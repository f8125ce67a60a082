"""The descriptive tables of a 4MOST MEC file: what FIBMETATAB, OBMETATAB and PROVTAB say of one spectrum."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from stream.fits import fourmost
from stream.fits.opening import Extension, FitsFile
from stream.fits.records import first_known, signed_64, text_of, whole
from stream.fits.rows import Rows

# Columns that FIBMETATAB and OBMETATAB may share to say which observing block a fibre belongs to.
_BLOCK_KEYS: Final = ("OBID", "OBID1", "OB_ID", "OB_UID", "OBMETAID")
_MAX_PROVENANCE: Final = 100


class ObservingBlocks:
    """OBMETATAB: the block of each fibre where a shared column tells, else the span of all blocks of the file."""

    def __init__(self, table: Extension | None) -> None:
        self._cells = None if table is None or table.n_rows == 0 else table.rows()
        self._key = None if table is None else table.columns.find(*_BLOCK_KEYS)

    def value(self, fibres: Rows, row: int, name: str, combine: Any) -> Any:
        """Return column ``name`` of the fibre's block, or ``combine`` (min, max) of those that may be meant."""
        if self._cells is None:
            return None
        candidates = range(len(self._cells))
        if self._key is not None:
            wanted = text_of(fibres.value(self._key.name, row))
            same = [r for r in candidates if text_of(self._cells.value(self._key.name, r)) == wanted]
            candidates = same or candidates  # type: ignore[assignment]
        values = [v for r in candidates if (v := self._cells.value(name, r)) is not None]
        return combine(values) if values else None

    def identifier(self, fibres: Rows, row: int) -> str | None:
        """Return the identifier of the block: of the fibre's own columns, else of the only block."""
        for name in _BLOCK_KEYS:
            own = text_of(fibres.value(name, row))
            if own is not None:
                return own
        if self._cells is None or self._key is None or len(self._cells) != 1:
            return None
        return text_of(self._cells.value(self._key.name, 0))


class Provenance:
    """PROVTAB: what each spectrum was made from, by SPECUID."""

    def __init__(self, table: Extension | None) -> None:
        self._sources: defaultdict[str, list[str]] = defaultdict(list)
        if table is None or table.n_rows == 0 or "SPECUID" not in table.columns:
            return
        cells = table.rows()
        names = [c.name for c in table.columns if c.name.upper() != "SPECUID"]
        for row in range(len(cells)):
            uid = text_of(cells.value("SPECUID", row))
            if uid is None:
                continue
            for name in names:
                value = cells.value(name, row)
                if isinstance(value, str) or (name.upper().startswith(("PROV", "PSPEC")) and isinstance(value, int)):
                    source = text_of(value)
                    if source is not None and len(self._sources[uid]) < _MAX_PROVENANCE:
                        self._sources[uid].append(source)

    def of(self, spec_uid: str | None) -> list[str]:
        """Return the sources of a spectrum; empty where nothing is known."""
        return [] if spec_uid is None else list(self._sources.get(spec_uid, []))


def identity(
    file: FitsFile, cells: Rows, row: int, blocks: ObservingBlocks, provenance: Provenance, *, spec_uid: str | None
) -> dict[str, Any]:
    """Return the identity, sky and time fields of one fibre's spectrum."""

    def cell(*names: str) -> Any:
        return first_known(cells.value(name, row) for name in names)

    header = file.primary
    spec_uid = text_of(cell("SPECUID")) or spec_uid
    fibre, target = whole(cell("FIB_ID")), text_of(cell("OBJ_UID", "TRG_UID"))
    extended = cell("EXT_OBJ")
    return {
        "l1_id": spec_uid or f"{file.stem}-{fibre if fibre is not None else cells.start + row}-{target}",
        "survey": fourmost.SURVEY,
        "instrument": fourmost.INSTRUMENT,
        "spec_uid": spec_uid,
        "object_uid": target,
        "object_id": text_of(cell("IAU_NAME", "OBJ_NME", "TRG_NME", "OBJECT")) or target,
        "cname": text_of(cell("CNAME")),
        "programme_id": text_of(cell("PROG_ID")) or header.text("PROG_ID"),
        "target_bits": signed_64(cell("OBJ_BIT", "TRG_BIT", "OBJ_FLAG")),
        "ob_id": blocks.identifier(cells, row),
        "fibre_id": fibre,
        "fibre_use": fourmost.fibre_use(cell("FIB_USE")),
        "spectrograph": fourmost.spectrograph(text_of(cell("PATH")), cell("FIB_ROOT")),
        "n_combine": whole(cell("NCOMBINE")),
        "provenance": provenance.of(spec_uid),
        "pipeline_name": header.text("PROCSOFT"),
        "pipeline_version": header.text("CASUVERS"),
        "ra_deg": cell("OBJ_RA", "TRG_RA", "RA"),
        "dec_deg": cell("OBJ_DEC", "TRG_DEC", "DEC"),
        "pm_ra_mas_yr": cell("OBJ_PMRA", "TRG_PMRA"),
        "pm_dec_mas_yr": cell("OBJ_PMDE", "TRG_PMDE"),
        "parallax_mas": cell("OBJ_PRLX", "TRG_PRLX"),
        "epoch_yr": cell("OBJ_EPOC", "TRG_EPOC"),
        "mjd_start": cell("MJD-OBS") or blocks.value(cells, row, "MJD-OBS", min),
        "mjd_end": cell("MJD-END") or blocks.value(cells, row, "MJD-END", max),
        "exptime_s": cell("TEXPTIME", "EXPTIME")
        or blocks.value(cells, row, "TEXPTIME", max)
        or blocks.value(cells, row, "EXPTIME", max),
        "ebv": cell("EBV", "OBJ_EBV"),
        "is_extended": extended if isinstance(extended, bool) else None,
        "magnitudes": fourmost.magnitudes(lambda code: cell(f"OBJ_{code}", f"TRG_{code}")),
        "resolving_power": cell("SPEC_RES"),
        "sky_subtracted": value if isinstance(value := header.get("SKYSUB"), bool) else None,
        "telluric_corrected": value if isinstance(value := header.get("TELLSUB"), bool) else None,
    }
