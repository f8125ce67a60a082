"""Containers of several records become containers of one, without a bit of a record changed."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.container import read_blocks, read_header
from schemas.definitions import parse
from schemas.errors import Undecodable
from schemas.splitting import split_container

INNER = {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": "double"}]}
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "org.example.Everything",
    "doc": "kept",
    "fields": [
        {"name": "text", "type": "string"},
        {"name": "raw", "type": ["null", "bytes"]},
        {"name": "number", "type": "long"},
        {"name": "flag", "type": "boolean"},
        {"name": "single", "type": "float"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
        {"name": "four", "type": {"type": "fixed", "name": "Four", "size": 4}},
        {"name": "inner", "type": ["null", INNER]},
        {"name": "several", "type": {"type": "array", "items": "Inner"}},
        {"name": "named", "type": {"type": "map", "values": ["null", "int"]}},
    ],
}
RECORDS = st.fixed_dictionaries(
    {
        "text": st.text(max_size=200),
        "raw": st.none() | st.binary(max_size=200),
        "number": st.integers(-(2**63), 2**63 - 1),
        "flag": st.booleans(),
        "single": st.floats(width=32, allow_nan=False),
        "kind": st.sampled_from("AB"),
        "four": st.binary(min_size=4, max_size=4),
        "inner": st.none() | st.fixed_dictionaries({"x": st.floats(allow_nan=False)}),
        "several": st.lists(st.fixed_dictionaries({"x": st.floats(allow_nan=False)}), max_size=4),
        "named": st.dictionaries(st.text(max_size=5), st.none() | st.integers(-9, 9), max_size=3),
    }
)


def container(records: list[Any], codec: str = "null", sync_interval: int = 16_000, schema: Any = SCHEMA) -> bytes:
    stream = io.BytesIO()
    fastavro.writer(stream, schema, records, codec=codec, sync_interval=sync_interval, metadata={"night": "20260312"})
    return stream.getvalue()


def data_of(value: bytes) -> bytes:
    return b"".join(block.data for block in read_blocks(value, read_header(value), 1 << 20))


@given(
    records=st.lists(RECORDS, max_size=6),
    codec=st.sampled_from(["null", "deflate", "bzip2", "xz"]),
    sync_interval=st.sampled_from([1, 300, 16_000]),
)
def test_parts_hold_the_records_bytes_in_order_under_the_same_header(
    records: list[Any], codec: str, sync_interval: int
) -> None:
    whole = container(records, codec, sync_interval)
    header = read_header(whole)
    parts = list(split_container(whole))
    assert b"".join(data_of(part) for part in parts) == data_of(whole)
    assert all(part[: header.end] == whole[: header.end] for part in parts)
    assert [list(fastavro.reader(io.BytesIO(part))) for part in parts] == [[record] for record in records]


@given(data=st.data(), records=st.lists(RECORDS, min_size=1, max_size=3))
def test_damage_is_undecodable_and_nothing_else(data: st.DataObject, records: list[Any]) -> None:
    value = bytearray(container(records, data.draw(st.sampled_from(["null", "deflate"]))))
    for at in data.draw(st.lists(st.integers(4, len(value) - 1), max_size=3)):
        value[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(Undecodable):
        assert len(list(split_container(bytes(value[: data.draw(st.integers(4, len(value)))])))) <= len(value)


def test_a_block_of_records_that_take_no_bytes_is_refused() -> None:
    schema = parse({"type": "record", "name": "Nothing", "fields": [{"name": "n", "type": "null"}]})
    value = bytearray(container([{"n": None}], schema=schema))
    at = read_header(bytes(value)).end
    value[at : at + 1] = b"\xfe\xff\xff\xff\xff\x7f"
    with pytest.raises(Undecodable, match="more records than it has bytes"):
        list(split_container(bytes(value)))


def test_a_recursive_schema_is_refused() -> None:
    schema = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
    with pytest.raises(Undecodable) as caught:
        list(split_container(container([{"next": None}] * 2, schema=schema)))
    assert caught.value.reason == "UNSUPPORTED"
