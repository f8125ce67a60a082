"""Compatibility follows Avro's schema resolution: what it allows, the library can read."""

import io
from typing import Any

import fastavro
import pytest

from schemas.compatibility import incompatibilities
from schemas.definitions import parse


def record(*fields: dict[str, Any], name: str = "r", **more: Any) -> Any:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "e", "symbols": list(symbols), **more}


COMPATIBLE = [
    ("the same", record(field("x", "int")), record(field("x", "int")), {"x": 1}),
    (
        "field dropped by the reader",
        record(field("x", "int"), field("y", "string")),
        record(field("x", "int")),
        {"x": 1, "y": ""},
    ),
    (
        "field with default added",
        record(field("x", "int")),
        record(field("x", "int"), field("y", "int", default=3)),
        {"x": 1},
    ),
    ("int to double", record(field("x", "int")), record(field("x", "double")), {"x": 1}),
    ("float to double", record(field("x", "float")), record(field("x", "double")), {"x": 1.0}),
    ("string to bytes", record(field("x", "string")), record(field("x", "bytes")), {"x": "a"}),
    ("made nullable", record(field("x", "int")), record(field("x", ["null", "int"])), {"x": 1}),
    ("fewer symbols written", record(field("x", enum("A"))), record(field("x", enum("A", "B"))), {"x": "A"}),
    (
        "unknown symbol with default",
        record(field("x", enum("A", "B"))),
        record(field("x", enum("A", default="A"))),
        {"x": "B"},
    ),
    (
        "array of records",
        record(field("x", {"type": "array", "items": record(field("a", "int"), field("b", "int"), name="i")})),
        record(field("x", {"type": "array", "items": record(field("a", "long"), name="i")})),
        {"x": [{"a": 1, "b": 2}]},
    ),
    (
        "map",
        record(field("x", {"type": "map", "values": "int"})),
        record(field("x", {"type": "map", "values": "double"})),
        {"x": {"k": 1}},
    ),
    (
        "field renamed by alias",
        record(field("old", "int")),
        record(field("new", "int", aliases=["old"])),
        {"old": 1},
    ),
]

INCOMPATIBLE = [
    ("field without default added", record(field("x", "int")), record(field("x", "int"), field("y", "int")), "y"),
    ("long to int", record(field("x", "long")), record(field("x", "int")), "x"),
    ("double to float", record(field("x", "double")), record(field("x", "float")), "x"),
    ("made not nullable", record(field("x", ["null", "int"])), record(field("x", "int")), "x"),
    ("other type", record(field("x", "string")), record(field("x", "int")), "x"),
    ("other name", record(field("x", "int"), name="a"), record(field("x", "int"), name="b"), ""),
    ("symbol without default", record(field("x", enum("A", "B"))), record(field("x", enum("A"))), "x"),
    ("branch that the reader lacks", record(field("x", ["int", "string"])), record(field("x", ["int"])), "x"),
    (
        "fixed of another size",
        record(field("x", {"type": "fixed", "name": "f", "size": 4})),
        record(field("x", {"type": "fixed", "name": "f", "size": 8})),
        "x",
    ),
    (
        "within an array of records",
        record(field("x", {"type": "array", "items": record(field("a", "int"), name="i")})),
        record(field("x", {"type": "array", "items": record(field("a", "string"), name="i")})),
        "x[].a",
    ),
]


@pytest.mark.parametrize(
    ("writer", "reader", "value"), [case[1:] for case in COMPATIBLE], ids=[c[0] for c in COMPATIBLE]
)
def test_what_is_compatible_can_be_read_by_the_library(writer: Any, reader: Any, value: dict[str, Any]) -> None:
    written, read = parse(writer), parse(reader)
    assert incompatibilities(written, read) == ()
    out = io.BytesIO()
    fastavro.schemaless_writer(out, written, value)
    assert isinstance(fastavro.schemaless_reader(io.BytesIO(out.getvalue()), written, read), dict)


@pytest.mark.parametrize(("writer", "reader", "where"), [c[1:] for c in INCOMPATIBLE], ids=[c[0] for c in INCOMPATIBLE])
def test_what_is_not_compatible_is_named(writer: Any, reader: Any, where: str) -> None:
    (problem,) = incompatibilities(parse(writer), parse(reader))
    assert problem.field == where
    assert problem.expected
    assert problem.received
    assert (where or "top") in str(problem)


def test_recursive_schemas_are_compared_to_their_end() -> None:
    schema = parse(record(field("next", ["null", "r"])))
    assert incompatibilities(schema, schema) == ()
