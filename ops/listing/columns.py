"""Which columns a table shows of each kind of record, and the unit of a field, read from its documentation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from classifiers.quality import Quality


@dataclass(frozen=True, slots=True)
class Column:
    """A table column: the field it shows, its heading, and how it gives way where a terminal is too narrow for all.

    Attributes:
        field: A dotted field, or a name that ``cell`` knows.
        heading: What stands above it.
        width: Characters where the values are not known beforehand.
        least: Characters that a name may be shortened to; 0 = never shortened, as no number is.
        rank: Those of the highest rank are left out first; 0 = never.
        digits: Significant digits of its numbers.
    """

    field: str
    heading: str
    width: int
    least: int = 0
    rank: int = 0
    digits: int = 5


L2_COLUMNS = (
    Column("name", "object", 24, least=14),
    Column("survey", "survey", 9, rank=10),
    Column("top_class", "class", 18),
    Column("top_probability", "P", 6, rank=2, digits=4),
    Column("redshift", "z", 9),
    Column("redshift_error", "± z", 7, rank=6, digits=2),
    Column("zwarn", "zwarn", 5, rank=4),
    Column("radial_velocity_km_s", "v [km/s]", 8, rank=3),
    Column("radial_velocity_error_km_s", "± v", 6, rank=11, digits=2),
    Column("snr", "S/N", 6, rank=7, digits=3),
    Column("p_qso", "P(QSO)", 7, rank=12, digits=4),
    Column("unknown_p_value", "p", 7, rank=8, digits=3),
    Column("anomaly_p_value", "p(VAE)", 7, rank=13, digits=3),
    Column("unknown_reason", "unknown", 13, rank=1),
    Column("other_type", "other", 6, rank=9),
    Column("found", "also", 10, rank=5),
)
FOUND: Mapping[Quality, str] = {Quality.SECOND_REDSHIFT: "2nd z", Quality.BROAD_ABSORPTION: "BAL"}
COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "l2_classification": L2_COLUMNS,
    "dead_letter": (
        Column("source.topic", "topic", 26, least=8, rank=3),
        Column("source.partition", "part", 5, rank=4),
        Column("source.offset", "offset", 9, rank=2),
        Column("reason", "reason", 20),
        Column("field", "field", 18, least=8, rank=1),
        Column("message", "message", 60, least=20),
    ),
    "ledger": (
        Column("night", "night", 11),
        Column("topic", "topic", 28, least=8),
        Column("partition", "part", 5),
        Column("first_offset", "first", 9, rank=2),
        Column("last_offset", "last", 9, rank=1),
        Column("records_in", "in", 8),
        Column("records_out", "out", 8),
        Column("records_dead", "dead", 8),
    ),
    "l1_spectrum": (
        Column("l1_id", "l1_id", 34, least=12),
        Column("survey", "survey", 9, rank=3),
        Column("object_id", "object", 24, least=12, rank=2),
        Column("ra_deg", "ra", 10, rank=1, digits=8),
        Column("dec_deg", "dec", 10, rank=1, digits=8),
        Column("fibre_id", "fibre", 6, rank=4),
        Column("medium", "medium", 7, rank=5),
        Column("flux_unit", "flux unit", 28, least=12, rank=6),
    ),
}
MESSAGE_COLUMNS = (
    Column("topic", "topic", 28, least=8),
    Column("partition", "part", 5),
    Column("offset", "offset", 9),
    Column("schema", "schema", 30, least=12),
    Column("bytes", "bytes", 9, rank=1),
)


def short_name(schema_name: str) -> str:
    """Return the Avro name without its namespace."""
    return schema_name.rsplit(".", 1)[-1]


def columns_of(schema_name: str) -> tuple[Column, ...]:
    """Return the table columns for records of a schema."""
    return COLUMNS.get(short_name(schema_name), MESSAGE_COLUMNS)


def cell(record: Mapping[str, Any], field: str) -> Any:
    """Return a dotted field of a record, None where it is absent.

    Not fields as they are: ``name`` is that of the object, else of the spectrum or alert, else the coordinates;
    ``top_probability`` is that of the top class; ``zwarn`` is None where nothing is to be warned of; ``found`` is what
    quality bits say of the object, None where they say nothing.
    """
    if field == "name":
        return record.get("object_id") or record.get("l1_id") or _place(record)
    if field == "top_probability":
        probabilities = record.get("class_probabilities") or {}
        return probabilities.get(record.get("top_class"))
    if field == "zwarn":
        bits = record.get("zwarn") or 0
        return bits if bits > 0 else None
    if field == "found":
        return ", ".join(FOUND[each] for each in found_in(record)) or None
    value: Any = record
    for part in field.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def found_in(record: Mapping[str, Any]) -> list[Quality]:
    """Return which bits that speak of the object an L2 record has; none where it is of a known type or faulty."""
    if record.get("unknown_reason") not in (None, "NOVEL"):
        return []
    return [bit for bit in FOUND if int(record.get("quality_flags") or 0) & bit]


def _place(record: Mapping[str, Any]) -> str | None:
    ra_deg, dec_deg = record.get("ra_deg"), record.get("dec_deg")
    return None if ra_deg is None or dec_deg is None else f"{ra_deg:.5f} {dec_deg:+.5f}"


def unit_of(doc: str) -> str | None:
    """Return the unit in brackets at the end of a field's documentation, None for plain numbers and codes."""
    found = re.search(r"\[([^\[\]]+)\]", doc)
    if not found:
        return None
    unit = found.group(1).split(",")[-1].strip()
    return None if unit in {"1", "0..1", "nat"} or " " in unit else unit
