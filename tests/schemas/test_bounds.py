"""What a schema promises about memory holds for real records, and schemas without a promise are refused."""

import io
import tracemalloc
from typing import Any

import fastavro
import pytest

from schemas.bounds import memory_bound
from schemas.definitions import parse
from schemas.errors import Undecodable
from schemas.measure import exceeds


def record(*fields: Any, name: str = "r") -> dict[str, Any]:
    named = [{"name": f"f{index}", "type": kind} for index, kind in enumerate(fields)]
    return {"type": "record", "name": name, "fields": named}


RECURSIVE = record(["null", "r"])
NULLS = {"type": "array", "items": "null"}
EMPTY_RECORDS = {"type": "array", "items": record()}
EMPTY_FIXED = {"type": "array", "items": {"type": "fixed", "name": "nothing", "size": 0}}


@pytest.mark.parametrize("schema", [RECURSIVE, NULLS, EMPTY_RECORDS, EMPTY_FIXED, record(NULLS)])
def test_schema_without_a_bound_is_unsupported(schema: dict[str, Any]) -> None:
    with pytest.raises(Undecodable) as caught:
        memory_bound(parse(schema))
    assert caught.value.reason == "UNSUPPORTED"


def test_deeply_nested_schema_is_unsupported() -> None:
    schema: Any = "int"
    for _ in range(150):
        schema = {"type": "array", "items": schema}
    with pytest.raises(Undecodable) as caught:
        memory_bound(parse(schema))
    assert caught.value.reason == "UNSUPPORTED"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (record({"type": "array", "items": "int"}), {"f0": [5000] * 3000}),
        (record({"type": "array", "items": "long"}), {"f0": [2**60] * 3000}),
        (record({"type": "array", "items": "string"}), {"f0": [""] * 3000}),
        (record({"type": "array", "items": "string"}), {"f0": ["\U0001f52d"] * 3000}),
        (record({"type": "array", "items": "bytes"}), {"f0": [b"x"] * 3000}),
        (record({"type": "array", "items": "double"}), {"f0": [1.5] * 3000}),
        (record({"type": "array", "items": record("int", name="i")}), {"f0": [{"f0": 1}] * 3000}),
        (
            record({"type": "array", "items": record(*[["null", "float"]] * 90, name="i")}),
            {"f0": [{f"f{i}": None for i in range(90)}] * 300},
        ),
        (record({"type": "map", "values": "int"}), {"f0": {str(i): 1 for i in range(3000)}}),
        (record({"type": "array", "items": {"type": "array", "items": "int"}}), {"f0": [[]] * 3000}),
        (record("bytes"), {"f0": bytes(100_000)}),
    ],
)
def test_decoding_stays_within_the_bound(schema: dict[str, Any], value: dict[str, Any]) -> None:
    parsed = parse(schema)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed, value)
    data = out.getvalue()
    stream = io.BytesIO(data)
    tracemalloc.start()
    try:
        decoded = fastavro.schemaless_reader(stream, parsed, None)
        used_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert decoded == value
    assert used_bytes <= memory_bound(parsed).memory_bytes(len(data)) + 4096
    assert not exceeds(parsed, data, 0, 2 * int(memory_bound(parsed).memory_bytes(len(data))))


def test_measure_lets_a_large_image_pass_and_stops_a_million_small_records() -> None:
    schema = parse(record("bytes", {"type": "array", "items": record("int", name="i")}))
    image, records = io.BytesIO(), io.BytesIO()
    fastavro.schemaless_writer(image, schema, {"f0": bytes(2_000_000), "f1": []})
    fastavro.schemaless_writer(records, schema, {"f0": b"", "f1": [{"f0": 1}] * 100_000})
    limit_bytes = 10_000_000
    assert not exceeds(schema, image.getvalue(), 0, limit_bytes)
    assert exceeds(schema, records.getvalue(), 0, limit_bytes)


def test_measure_counts_broken_bytes_only_as_far_as_they_go() -> None:
    schema = parse(record({"type": "array", "items": "string"}))
    assert not exceeds(schema, bytes.fromhex("02feffffffffffffffff01"), 0, 1000)
    assert not exceeds(schema, b"", 0, 1000)


def test_a_schema_whose_names_multiply_has_an_enormous_bound_that_costs_nothing_to_work_out() -> None:
    inner: Any = record("null", name="n0")
    for level in range(1, 40):
        fields = [{"name": "a", "type": inner}, {"name": "b", "type": f"n{level - 1}"}]
        inner = {"type": "record", "name": f"n{level}", "fields": fields}
    assert memory_bound(parse(inner)).memory_bytes(0) > 2**39
