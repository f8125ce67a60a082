"""Compiled decoders read what the library reads, and refuse what no writer writes."""

import io
import struct
from collections.abc import Callable
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.catalogue import Catalogue
from schemas.compiled_decoder import compile_decoder
from schemas.definitions import parse
from schemas.errors import CatalogueError

CATALOGUE = Catalogue.embedded()
DECODERS = {name: compile_decoder(CATALOGUE.current(name).schema) for name in CATALOGUE.names}
BROKEN = (EOFError, IndexError, ValueError, struct.error)


def by_library(schema: Any, value: bytes, start: int = 0) -> tuple[Any, int]:
    stream = io.BytesIO(value)
    stream.seek(start)
    return fastavro.schemaless_reader(stream, schema, None), stream.tell()


def written(schema: Any, record: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


def one_field(kind: Any) -> Any:
    return parse({"type": "record", "name": "r", "fields": [{"name": "x", "type": kind}]})


@pytest.mark.parametrize("name", CATALOGUE.names)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=15)
@given(data=st.data())
def test_every_record_of_every_schema_is_read_as_the_library_reads_it(
    name: str, data: st.DataObject, records_of: Callable[..., st.SearchStrategy[Any]]
) -> None:
    schema = CATALOGUE.current(name).schema
    value = b"framing" + written(schema, data.draw(records_of(schema))) + b"rest"
    assert DECODERS[name](value, 7) == by_library(schema, value, 7)


@pytest.mark.slow
@settings(deadline=None, max_examples=400)
@given(name=st.sampled_from(CATALOGUE.names), value=st.binary(max_size=200))
def test_what_is_read_from_any_bytes_is_what_the_library_reads(name: str, value: bytes) -> None:
    try:
        decoded = DECODERS[name](value, 0)
    except BROKEN:
        return
    assert repr(decoded) == repr(by_library(CATALOGUE.current(name).schema, value))


def test_every_truncation_is_refused() -> None:
    schema = CATALOGUE.current("dead_letter").schema
    source = {"topic": "t", "partition": 1, "offset": 2**40}
    record = {"source": source, "reason": "r", "message": "m", "program_version": "1", "original_value": b"abc"}
    value = written(schema, record)
    assert DECODERS["org.specstream.dead_letter"](value, 0)[1] == len(value)
    for length in range(len(value)):
        with pytest.raises(BROKEN):
            DECODERS["org.specstream.dead_letter"](value[:length], 0)


@pytest.mark.parametrize(
    "value",
    [bytes.fromhex("03020400040602040600"), bytes.fromhex("0602040600"), b"\x00"],
    ids=["with block sizes", "one block", "empty"],
)
def test_blocks_of_either_form_are_read(value: bytes) -> None:
    schema = one_field({"type": "array", "items": "int"})
    try:
        expected = by_library(schema, value)
    except (EOFError, IndexError):
        with pytest.raises(BROKEN):
            compile_decoder(schema)(value, 0)
    else:
        assert compile_decoder(schema)(value, 0) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (["null", "int"], b"\x01\x02"),
        (["null", "int"], b"\x04\x02"),
        ("boolean", b"\x02"),
        ({"type": "enum", "name": "e", "symbols": ["A", "B"]}, b"\x01"),
        ({"type": "enum", "name": "e", "symbols": ["A", "B"]}, b"\x04"),
        ("string", b"\x01"),
        ("bytes", b"\xfe\xff\xff\xff\x0fabc"),
        ("long", b"\xff" * 10 + b"\x01"),
        ("long", b"\xff" * 9 + b"\x7f"),
        ("string", b"\x04\xff\xfe"),
        ({"type": "array", "items": "long"}, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02"),
    ],
)
def test_what_no_writer_writes_is_refused(kind: Any, value: bytes) -> None:
    with pytest.raises(BROKEN):
        compile_decoder(one_field(kind))(value, 0)


@pytest.mark.parametrize("kind", [["int", "string"], {"type": "fixed", "name": "f", "size": 2}, ["null", "r"]])
def test_schema_that_is_not_compiled_is_told(kind: Any) -> None:
    with pytest.raises(CatalogueError, match="no decoder"):
        compile_decoder(one_field(kind))
