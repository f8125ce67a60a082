"""Records read side by side: positions are those of the record, and what is plain never depends on its neighbours."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.catalogue import Catalogue
from schemas.definitions import parse
from schemas.errors import CatalogueError
from stream.decode.columns import FIRST_WINDOW, ColumnReader, Columns
from stream.decode.walk import AT, MAX_ITEMS, NUMBER, PRESENT

SCHEMA = Catalogue.embedded().current("l1_spectrum").schema
READER = ColumnReader(SCHEMA)
HEADER = b"0123456789"
RELAXED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

SIMPLE = parse(
    {
        "type": "record",
        "name": "r",
        "fields": [
            {"name": "text", "type": "string"},
            {"name": "number", "type": ["null", "long"]},
            {"name": "list", "type": {"type": "array", "items": "string"}},
            {"name": "data", "type": "bytes"},
            {"name": "after", "type": ["null", "double"]},
            {"name": "flag", "type": "boolean"},
        ],
    }
)
SIMPLE_READER = ColumnReader(SIMPLE)


def written(schema: Any, record: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return HEADER + out.getvalue()


def simple(**changes: Any) -> bytes:
    record = {"text": "ab", "number": 5, "list": ["x"], "data": b"12345678", "after": 1.5, "flag": True}
    return written(SIMPLE, {**record, **changes})


def read(*values: bytes) -> Columns:
    return SIMPLE_READER.read(values, len(HEADER))


def noted(reader: ColumnReader, columns: Columns, name: str) -> NDArray[np.int64]:
    found: NDArray[np.int64] = columns.table[:, reader.fields[name]]
    return found


def field(reader: ColumnReader, columns: Columns, value: bytes, name: str, row: int) -> bytes:
    """Return the encoding of a field of the record itself: up to where the next one begins."""
    names = [each for each in reader.fields if "." not in each]
    begins = [int(noted(reader, columns, each)[row, AT]) for each in names] + [len(value)]
    place = names.index(name)
    return value[begins[place] : begins[place + 1]]


@pytest.mark.slow
@RELAXED
@given(data=st.data())
def test_each_field_of_a_plain_record_is_where_its_encoding_is(
    data: st.DataObject, records_of: Callable[..., st.SearchStrategy[Any]]
) -> None:
    """Cut out, each field decodes alone to its value."""
    assert isinstance(SCHEMA, dict)
    records = data.draw(st.lists(records_of(SCHEMA), min_size=1, max_size=4))
    values = [written(SCHEMA, record) for record in records]
    columns = READER.read(values, len(HEADER))
    for row, (record, value) in enumerate(zip(records, values, strict=True)):
        if not columns.plain[row]:
            continue
        for part in SCHEMA["fields"]:
            one = parse({"type": "record", "name": "one", "fields": [part]})
            cut = field(READER, columns, value, part["name"], row)
            expected = written(one, {part["name"]: record[part["name"]]})[len(HEADER) :]
            assert cut == expected, part["name"]


@pytest.mark.slow
@RELAXED
@given(data=st.data())
def test_what_is_said_of_a_message_does_not_depend_on_its_neighbours(
    data: st.DataObject, records_of: Callable[..., st.SearchStrategy[Any]]
) -> None:
    """Broken, foreign and short messages beside it change nothing."""
    values = [written(SCHEMA, record) for record in data.draw(st.lists(records_of(SCHEMA), min_size=1, max_size=3))]
    values += data.draw(st.lists(st.binary(min_size=1, max_size=80), max_size=3))
    values += [simple(text="z" * n) for n in data.draw(st.lists(st.integers(0, 2_500), max_size=2))]
    values = data.draw(st.permutations(values))
    together = READER.read(values, len(HEADER))
    for row, value in enumerate(values):
        alone = READER.read([value], len(HEADER))
        assert together.plain[row] == alone.plain[0]
        if alone.plain[0]:
            np.testing.assert_array_equal(together.table[row], alone.table[0])
            np.testing.assert_array_equal(together.doubles[row], alone.doubles[0])


NESTED = parse(
    {
        "type": "record",
        "name": "n",
        "fields": [
            {
                "name": "list",
                "type": {
                    "type": "array",
                    "items": {
                        "type": "record",
                        "name": "item",
                        "fields": [
                            {"name": "data", "type": ["null", "bytes"]},
                            {"name": "numbers", "type": {"type": "array", "items": ["null", "float"]}},
                        ],
                    },
                },
            },
            {
                "name": "inner",
                "type": ["null", {"type": "record", "name": "i", "fields": [{"name": "x", "type": "int"}]}],
            },
            {"name": "end", "type": "double"},
        ],
    }
)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_lists_within_lists_and_arrays_within_them_are_walked(
    data: st.DataObject, records_of: Callable[..., st.SearchStrategy[Any]]
) -> None:
    """Each message leaps from window to window by itself; what stands behind all of them arrives."""
    reader = ColumnReader(NESTED)
    records = data.draw(st.lists(records_of(NESTED), min_size=1, max_size=4))
    columns = reader.read([written(NESTED, record) for record in records], len(HEADER))
    assert columns.plain.all()
    inner = [record["inner"] for record in records]
    assert noted(reader, columns, "inner")[:, PRESENT].tolist() == [int(value is not None) for value in inner]
    expected = [0 if value is None else value["x"] for value in inner]
    assert noted(reader, columns, "inner.x")[:, NUMBER].tolist() == expected
    assert columns.doubles[:, reader.doubles["end"]].tolist() == [record["end"] for record in records]


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_a_changed_byte_is_never_plain_where_the_library_refuses_it(data: st.DataObject) -> None:
    """Whatever is plain decodes."""
    value = bytearray(simple(list=["abc", "d"], number=2**40))
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(len(HEADER), len(value) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(value[: data.draw(st.integers(len(HEADER) + 1, len(value)))])
    columns = read(cut, simple())
    assert columns.plain[1]
    if columns.plain[0]:
        stream = io.BytesIO(cut)
        stream.seek(len(HEADER))
        record: Any = fastavro.schemaless_reader(stream, SIMPLE, None)
        assert stream.tell() == len(cut)
        assert record["text"].isprintable()
        assert written(SIMPLE, record) == HEADER + cut[len(HEADER) :]


def test_lengths_that_add_up_beyond_the_largest_integer_are_not_plain() -> None:
    """One byte that is read again and again as part of lengths near 2^63, whose sum is negative."""
    assert not READER.read([HEADER + b"\xc0"], len(HEADER)).plain[0]
    huge = b"\xfe" + b"\xff" * 8 + b"\x01"
    assert READER.read([HEADER + huge * 9, HEADER + b"\xc0"], len(HEADER)).plain.tolist() == [False, False]


def test_values_of_numbers_arrive() -> None:
    columns = read(simple(), simple(number=None, after=None, flag=False), simple(number=-(2**33), after=-2.0))
    assert columns.plain.all()
    assert noted(SIMPLE_READER, columns, "number")[:, NUMBER].tolist() == [5, 0, -(2**33)]
    assert noted(SIMPLE_READER, columns, "number")[:, PRESENT].tolist() == [1, 0, 1]
    assert noted(SIMPLE_READER, columns, "flag")[:, NUMBER].tolist() == [1, 0, 1]
    np.testing.assert_array_equal(columns.doubles[:, SIMPLE_READER.doubles["after"]], [1.5, np.nan, -2.0])


@pytest.mark.parametrize(
    "value",
    [
        simple(text="é"),
        simple(text="a\nb"),
        simple(list=["\x7f"]),
        simple(text="t" * FIRST_WINDOW),
        simple(list=["i"] * (MAX_ITEMS + 1)),
        simple()[:-1],
        simple() + b"\x00",
        HEADER + b"\x84\x80\x00" + simple()[len(HEADER) + 1 :],  # a length in more bytes than it needs
        HEADER + b"\x03" + simple()[len(HEADER) + 1 :],  # a negative length
        HEADER + simple()[len(HEADER) :].replace(b"\x02\x02x\x00", b"\x01\x04\x02x\x00"),  # a block with its size
        HEADER + simple()[len(HEADER) :].replace(b"\x02\x0a", b"\x04\x0a"),  # a branch that is not there
        simple()[:-1] + b"\x02",  # neither false nor true
        HEADER,
    ],
)
def test_what_is_not_plain_is_left_to_others(value: bytes) -> None:
    assert read(value, simple()).plain.tolist() == [False, True]


def test_schemas_that_have_no_columns_are_refused() -> None:
    odd = parse({"type": "record", "name": "m", "fields": [{"name": "x", "type": {"type": "map", "values": "int"}}]})
    with pytest.raises(CatalogueError, match="columns"):
        ColumnReader(odd)
