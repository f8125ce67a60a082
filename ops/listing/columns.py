"""Which columns a table shows of each kind of record, and the unit of a field, read from its documentation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
    """A table column: the dotted field it shows, its heading and width in characters."""

    field: str
    heading: str
    width: int


L2_COLUMNS = (
    Column("object_id", "object", 24),
    Column("survey", "survey", 9),
    Column("top_class", "class", 19),
    Column("top_probability", "P", 6),
    Column("redshift", "z", 9),
    Column("redshift_error", "± z", 9),
    Column("radial_velocity_km_s", "v [km/s]", 8),
    Column("radial_velocity_error_km_s", "± v", 6),
    Column("snr", "S/N", 7),
    Column("p_qso", "P(QSO)", 7),
    Column("anomaly_p_value", "p(anom)", 8),
    Column("unknown_reason", "unknown", 14),
    Column("other_type", "other", 6),
)
COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "l2_classification": L2_COLUMNS,
    "dead_letter": (
        Column("source.topic", "topic", 26),
        Column("source.partition", "part", 5),
        Column("source.offset", "offset", 9),
        Column("reason", "reason", 20),
        Column("field", "field", 18),
        Column("message", "message", 60),
    ),
    "ledger": (
        Column("night", "night", 11),
        Column("topic", "topic", 28),
        Column("partition", "part", 5),
        Column("first_offset", "first", 9),
        Column("last_offset", "last", 9),
        Column("records_in", "in", 8),
        Column("records_out", "out", 8),
        Column("records_dead", "dead", 8),
    ),
    "l1_spectrum": (
        Column("l1_id", "l1_id", 34),
        Column("survey", "survey", 9),
        Column("object_id", "object", 24),
        Column("ra_deg", "ra", 10),
        Column("dec_deg", "dec", 10),
        Column("fibre_id", "fibre", 6),
        Column("medium", "medium", 7),
        Column("flux_unit", "flux unit", 28),
    ),
}
MESSAGE_COLUMNS = (
    Column("topic", "topic", 28),
    Column("partition", "part", 5),
    Column("offset", "offset", 9),
    Column("schema", "schema", 30),
    Column("bytes", "bytes", 9),
)


def short_name(schema_name: str) -> str:
    """Return the Avro name without its namespace."""
    return schema_name.rsplit(".", 1)[-1]


def columns_of(schema_name: str) -> tuple[Column, ...]:
    """Return the table columns for records of a schema."""
    return COLUMNS.get(short_name(schema_name), MESSAGE_COLUMNS)


def cell(record: Mapping[str, Any], field: str) -> Any:
    """Return a dotted field of a record, None where it is absent; ``top_probability`` is that of the top class."""
    if field == "top_probability":
        probabilities = record.get("class_probabilities") or {}
        return probabilities.get(record.get("top_class"))
    value: Any = record
    for part in field.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def unit_of(doc: str) -> str | None:
    """Return the unit in brackets at the end of a field's documentation, None for plain numbers and codes."""
    found = re.search(r"\[([^\[\]]+)\]", doc)
    if not found:
        return None
    unit = found.group(1).split(",")[-1].strip()
    return None if unit in {"1", "0..1", "nat"} or " " in unit else unit
