"""What decoding needs to know about a writer's schema, worked out once per schema.

A writer's schema of one of our own names is read into our current schema of that name (Avro schema resolution), so that
the program sees one shape whatever version the producer runs. Every other schema is read as it is. Pure.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.arrays import ArrayField, array_dtype, array_fields
from schemas.bounds import Bound, memory_bound
from schemas.compatibility import incompatibilities
from schemas.definitions import named_types, parse, resolve
from schemas.errors import Undecodable
from schemas.fingerprint import JsonSchema, fingerprint
from schemas.maps import MapsWithin, maps_within
from schemas.wire import format_fingerprint

_NUMBERS = frozenset({"int", "long", "float", "double"})


@dataclass(frozen=True, slots=True, eq=False)
class WriterSchema:
    """A schema that messages were written with.

    Attributes:
        name: Full Avro name of the top record (or the kind of type, for a schema that is no record).
        version: The schema's own ``version`` attribute, empty where it has none.
        fingerprint: CRC-64-AVRO of its parsing canonical form.
        schema: Parsed form.
        bound: Most memory that a datum can take.
        reader: Parsed form to resolve into; None where data are read as they were written.
        arrays: Where the decoded record holds arrays.
        maps: Where it holds maps; None where it holds none.
    """

    name: str
    version: str
    fingerprint: int
    schema: JsonSchema
    bound: Bound
    reader: JsonSchema | None
    arrays: tuple[ArrayField, ...]
    maps: MapsWithin | None


def writer_schema(schema: JsonSchema, current: Mapping[str, JsonSchema]) -> WriterSchema:
    """Work out how data of a schema are to be read.

    Args:
        schema: Parsed schema of the writer.
        current: Our own current schemas, parsed, by full name.

    Raises:
        Undecodable: ``UNSUPPORTED`` without a memory bound; ``WRONG_SCHEMA`` when it has one of our names but cannot
            be read as our current schema of that name.
    """
    top = schema if isinstance(schema, dict) else {}
    name = str(top.get("name", top.get("type", schema if isinstance(schema, str) else "union")))
    crc = fingerprint(schema)
    own = current.get(name)
    reader = None
    if own is not None and crc != fingerprint(own):
        reader = _reader_for(schema, own, name, crc)
    return WriterSchema(
        name=name,
        version=str(top.get("version", "")),
        fingerprint=crc,
        schema=schema,
        bound=memory_bound(schema),
        reader=reader,
        arrays=array_fields(schema if own is None else own),
        maps=maps_within(schema if own is None else own),
    )


def _reader_for(writer: JsonSchema, own: JsonSchema, name: str, crc: int) -> JsonSchema:
    reader = parse(_with_written_arrays(own, writer, named_types(writer)))
    problems = incompatibilities(writer, reader)
    if problems:
        first = problems[0]
        raise Undecodable(
            "WRONG_SCHEMA",
            f"the schema calls itself {name} but cannot be read as it: {first}",
            field=first.field or None,
            expected=first.expected,
            received=first.received,
            schema_id=format_fingerprint(crc),
        )
    return reader


def _with_written_arrays(own: JsonSchema, writer: JsonSchema, names: dict[str, dict[str, Any]]) -> JsonSchema:
    """Return our schema with each array field typed as the writer typed it, where the writer used a list of numbers.

    Avro has no resolution from a list of numbers to bytes, so the list is read as it is and made an array afterwards.
    """
    adapted = copy.deepcopy(own)
    _adapt(adapted, writer, names)
    if isinstance(adapted, dict):
        adapted.pop("__fastavro_parsed__", None)
        adapted.pop("__named_schemas", None)
    return adapted


def _adapt(own: JsonSchema, writer: JsonSchema, names: dict[str, dict[str, Any]]) -> None:
    for record, written in _matching_records(own, writer, names):
        fields = {field["name"]: field["type"] for field in written["fields"]}
        for field in record["fields"]:
            if field["name"] not in fields:
                continue
            dtype = array_dtype(field["type"])
            if dtype is None:
                _adapt(field["type"], fields[field["name"]], names)
            elif _is_number_list(fields[field["name"]], names):
                items = "long" if dtype.kind == "i" else "double"
                field["type"] = ["null", "bytes", {"type": "array", "items": items}]
                field.pop("default", None)


def _matching_records(
    own: JsonSchema, writer: JsonSchema, names: dict[str, dict[str, Any]]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the records of our type, each with the writer's record in the same place."""
    kind, written = resolve(writer, names)
    if isinstance(written, list):
        return [pair for branch in written for pair in _matching_records(own, branch, names)]
    if isinstance(own, list):
        return [pair for branch in own for pair in _matching_records(branch, writer, names)]
    if not isinstance(own, dict) or not isinstance(written, dict):
        return []
    if own["type"] == "record" and kind == "record":
        return [(own, written)]
    if own["type"] == "array" and kind == "array":
        return _matching_records(own["items"], written["items"], names)
    return []


def _is_number_list(schema: JsonSchema, names: dict[str, dict[str, Any]]) -> bool:
    kind, definition = resolve(schema, names)
    if kind == "union":
        return any(_is_number_list(branch, names) for branch in definition)
    return kind == "array" and isinstance(definition, dict) and resolve(definition["items"], names)[0] in _NUMBERS
