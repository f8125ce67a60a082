"""Avro schemas as JSON values: reading them, naming their types, following references.

Works on the form that fastavro's ``parse_schema`` returns: every named type has its full name, every reference is one.
Pure: imports no other part of the codec.
"""

from __future__ import annotations

import json
from typing import Any, Final

import fastavro.schema

from schemas.errors import Undecodable
from schemas.fingerprint import JsonSchema

PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


def parse_text(text: str | bytes) -> JsonSchema:
    """Return the parsed form of a schema given as JSON text.

    Raises:
        Undecodable: ``INVALID_SCHEMA`` when it is no JSON, or no valid Avro schema (a default of the wrong type too).
    """
    try:
        return parse(_without_marks(json.loads(text)))
    except (ValueError, RecursionError) as error:
        raise Undecodable(
            "INVALID_SCHEMA", f"the schema is no JSON: {error}", expected="an Avro schema", received=_excerpt(text)
        ) from error


def parse(schema: JsonSchema) -> JsonSchema:
    """Return the parsed form of a schema given as a JSON value.

    Raises:
        Undecodable: ``INVALID_SCHEMA``, see ``parse_text``.
    """
    try:
        parsed: JsonSchema = fastavro.schema.parse_schema(schema)
    except (
        fastavro.schema.SchemaParseException,
        fastavro.schema.UnknownType,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        IndexError,
        RecursionError,
    ) as error:
        raise Undecodable(
            "INVALID_SCHEMA",
            f"the schema is invalid: {error}",
            expected="a valid Avro schema",
            received=f"{type(error).__name__}: {error}",
        ) from error
    return parsed


def named_types(schema: JsonSchema) -> dict[str, dict[str, Any]]:
    """Return every record, enum and fixed of a parsed schema by its full name."""
    found: dict[str, dict[str, Any]] = {}
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left.extend(part)
        elif isinstance(part, dict):
            if "name" in part:
                found.setdefault(part["name"], part)
            left.extend(field["type"] for field in part.get("fields", ()))
            left.extend(part[key] for key in ("items", "values") if key in part)
            if isinstance(part["type"], dict | list):
                left.append(part["type"])
    return found


def resolve(schema: JsonSchema, names: dict[str, dict[str, Any]]) -> tuple[str, JsonSchema]:
    """Return what kind of type a schema is, and its definition with references and wrappers followed.

    Returns:
        The kind (``record``, ``array``, ``union``, ``int`` ...) and the definition: a list for a union, a string or a
        dictionary for a primitive, else a dictionary.
    """
    if isinstance(schema, list):
        return "union", schema
    if isinstance(schema, str):
        if schema in PRIMITIVES:
            return schema, schema
        definition = names[schema]
        return str(definition["type"]), definition
    kind = schema["type"]
    if isinstance(kind, dict | list):
        return resolve(kind, names)
    if kind in names:
        return resolve(kind, names)
    return ("record" if kind == "error" else str(kind)), schema


def _without_marks(schema: Any) -> JsonSchema:
    """Return the schema without fastavro's own marks, with which its parser takes a schema as checked already.

    Files written by its older versions carry them, and anybody may put them in.
    """
    if isinstance(schema, dict):
        return {key: _without_marks(part) for key, part in schema.items() if not key.startswith("__")}
    if isinstance(schema, list):
        return [_without_marks(part) for part in schema]
    return schema  # type: ignore[no-any-return]


def _excerpt(text: str | bytes) -> str:
    shown = text[:40].decode("utf-8", "replace") if isinstance(text, bytes) else text[:40]
    return repr(shown)
