"""Compiled encoders write, byte for byte, what the library writes."""

import io
from collections.abc import Callable
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.catalogue import Catalogue
from schemas.compiled_encoder import compile_encoder
from schemas.definitions import parse
from schemas.errors import CatalogueError

CATALOGUE = Catalogue.embedded()
ENCODERS = {name: compile_encoder(CATALOGUE.current(name).schema) for name in CATALOGUE.names}
ENGINE = {
    "type": "record",
    "name": "engine",
    "fields": [{"name": "name", "type": "string"}, {"name": "runtime", "type": "string", "default": "onnxruntime"}],
}
ENGINES = {
    "type": "record",
    "name": "r",
    "fields": [{"name": "engines", "type": {"type": "array", "items": ENGINE}}, {"name": "offset", "type": "long"}],
}


def by_library(schema: Any, record: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


@pytest.mark.parametrize("name", CATALOGUE.names)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=15)
@given(data=st.data())
def test_every_record_of_every_schema_is_written_as_the_library_writes_it(
    name: str, data: st.DataObject, records_of: Callable[..., st.SearchStrategy[Any]]
) -> None:
    schema = CATALOGUE.current(name).schema
    record = data.draw(records_of(schema, leave_out=True))
    assert ENCODERS[name](record) == by_library(schema, record)


@given(number=st.floats() | st.integers(-5, 5), whole=st.integers(-(2**63), 2**63 - 1))
def test_any_number_is_written_as_the_library_writes_it(number: float, whole: int) -> None:
    fields = [{"name": "a", "type": ["null", "double"]}, {"name": "b", "type": "long"}, {"name": "c", "type": "double"}]
    schema = parse({"type": "record", "name": "r", "fields": fields})
    record = {"a": number, "b": whole, "c": number}
    assert compile_encoder(schema)(record) == by_library(schema, record)


def test_numbers_of_numpy_are_written_like_those_of_python() -> None:
    fields = [
        {"name": "a", "type": ["null", "double"]},
        {"name": "b", "type": "long"},
        {"name": "c", "type": "boolean"},
    ]
    encode = compile_encoder(parse({"type": "record", "name": "r", "fields": fields}))
    assert encode({"a": np.float64(0.5), "b": np.int64(7), "c": np.bool_(1)}) == encode({"a": 0.5, "b": 7, "c": True})


def test_list_shared_by_records_is_written_anew_once_it_changes() -> None:
    schema = parse(ENGINES)
    encode = compile_encoder(schema)
    engines = [{"name": "spectral"}, {"name": "qso", "runtime": "torch"}]
    for offset in range(5):
        record = {"engines": engines, "offset": offset}
        assert encode(record) == by_library(schema, record)
    engines[0]["name"] = "other"
    assert encode({"engines": engines, "offset": 5}) == by_library(schema, {"engines": engines, "offset": 5})
    engines.pop()
    assert encode({"engines": engines, "offset": 6}) == by_library(schema, {"engines": engines, "offset": 6})
    assert encode({"engines": [], "offset": 7}) == by_library(schema, {"engines": [], "offset": 7})


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        ("int", 2**31, OverflowError),
        ("long", 2**63, OverflowError),
        ("long", 1.0, TypeError),
        ("boolean", 1, TypeError),
        ("boolean", "yes", TypeError),
        ("bytes", 5, TypeError),
        ("bytes", "text", TypeError),
        ("string", b"bytes", AttributeError),
        ("string", "\ud800", UnicodeEncodeError),
        ({"type": "enum", "name": "e", "symbols": ["A"]}, "B", KeyError),
    ],
)
def test_value_that_does_not_fit_is_refused(kind: Any, value: Any, error: type[Exception]) -> None:
    encode = compile_encoder(parse({"type": "record", "name": "r", "fields": [{"name": "x", "type": kind}]}))
    with pytest.raises(error):
        encode({"x": value})


def test_absent_field_without_default_is_refused() -> None:
    with pytest.raises(KeyError, match="x"):
        compile_encoder(parse({"type": "record", "name": "r", "fields": [{"name": "x", "type": "int"}]}))({})


@pytest.mark.parametrize(
    "schema",
    [
        "int",
        {"type": "record", "name": "r", "fields": [{"name": "x", "type": ["int", "string"]}]},
        {"type": "record", "name": "r", "fields": [{"name": "x", "type": {"type": "fixed", "name": "f", "size": 2}}]},
        {"type": "record", "name": "r", "fields": [{"name": "x", "type": ["null", "r"]}]},
    ],
)
def test_schema_that_is_not_compiled_is_told(schema: Any) -> None:
    with pytest.raises(CatalogueError, match="no encoder"):
        compile_encoder(parse(schema))
