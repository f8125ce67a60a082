from __future__ import annotations

from pathlib import Path
from zlib import crc32

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.errors import Fatal
from stream.transports.contract import Message, TopicPartition
from stream.transports.folder.commit_record import SegmentEntry
from stream.transports.folder.segment_reading import SegmentDamaged, read_segment
from stream.transports.folder.segment_writing import (
    BLOCK_BYTES,
    SYNC_SIZE,
    StoredMessage,
    WrittenSegment,
    encode_long,
    write_segment,
)

HEADERS = st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3).map(tuple)
MESSAGES = st.lists(
    st.tuples(
        st.integers(1, 1000),  # step to the next offset
        st.none() | st.binary(max_size=40),
        st.none() | st.binary(max_size=300),
        HEADERS,
        st.integers(-(1 << 63), (1 << 63) - 1),
    ),
    min_size=1,
    max_size=20,
)


def stored(
    rows: list[tuple[int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...], int]],
) -> list[StoredMessage]:
    out, offset = [], -rows[0][0]
    for step, key, value, headers, timestamp_ms in rows:
        offset += step
        out.append(StoredMessage(offset, key, value, headers, timestamp_ms))
    return out


def entry_of(messages: list[StoredMessage], written: WrittenSegment, base: int = 0) -> SegmentEntry:
    return SegmentEntry(
        file="t-0.avro", topic="t", partition=0, base_offset=base, next_offset=base + messages[-1].offset + 1,
        records=len(messages), size_bytes=written.size_bytes, previous=0, block_crc32=written.block_crc32,
    )  # fmt: skip


def read(path: Path, entry: SegmentEntry, start: int = 0) -> list[Message]:
    return [message for block in read_segment(path, entry, start, 7) for message in block]


@given(MESSAGES, st.integers(0, 1 << 60))
@settings(max_examples=60, deadline=None)
def test_segment_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, rows: list, base: int) -> None:
    path = tmp_path_factory.mktemp("segment") / "t-0.avro"
    messages = stored(rows)
    entry = entry_of(messages, write_segment(path, messages), base)
    assert read(path, entry) == [
        Message(TopicPartition("t", 0), base + m.offset, 7, m.key, m.value, m.headers, m.timestamp_ms) for m in messages
    ]
    middle = base + messages[len(messages) // 2].offset
    assert [m.offset for m in read(path, entry, middle)] == [base + m.offset for m in messages[len(messages) // 2 :]]


@given(MESSAGES)
@settings(max_examples=25, deadline=None)
def test_segment_is_opened_by_an_avro_tool(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.mktemp("segment") / "t-0.avro"
    messages = stored(rows)
    write_segment(path, messages)
    with path.open("rb") as file:
        reader = fastavro.reader(file)
        assert reader.writer_schema["name"] == "org.specstream.file_message"
        assert list(reader) == [
            {
                "offset": m.offset,
                "key": m.key,
                "value": m.value,
                "headers": [{"name": name, "value": value} for name, value in m.headers],
                "timestamp_ms": m.timestamp_ms,
            }
            for m in messages
        ]


def test_large_messages_are_spread_over_blocks_and_memory_stays_small(tmp_path: Path) -> None:
    value = bytes(BLOCK_BYTES // 3)
    messages = [StoredMessage(i, None, value, (), 0) for i in range(10)] + [
        StoredMessage(10, None, value * 9, (), 0),
        StoredMessage(11, None, b"last", (), 0),
    ]
    entry = entry_of(messages, write_segment(tmp_path / "s", messages))
    blocks = list(read_segment(tmp_path / "s", entry, 0, 0))
    assert [len(block) for block in blocks] == [3, 3, 3, 2, 1]
    assert [m.value for block in blocks for m in block] == [m.value for m in messages]


@pytest.mark.parametrize("number", [0, -1, 1, 63, 64, -64, -65, 1 << 62, -(1 << 63), (1 << 63) - 1])
def test_numbers_are_written_as_avro_does(tmp_path: Path, number: int) -> None:
    with (tmp_path / "n").open("wb") as file:
        fastavro.schemaless_writer(file, {"type": "long"}, number)
    assert encode_long(number) == (tmp_path / "n").read_bytes()


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_segment_is_fatal_or_gives_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("segment") / "t-0.avro"
    messages = [StoredMessage(i, b"key", b"value %d" % i, (("h", b"x"),), 1000 + i) for i in range(8)]
    entry = entry_of(messages, write_segment(path, messages))
    good = bytearray(path.read_bytes())
    first = good.index(b"value 0")
    position = data.draw(st.integers(0, len(good) - 1))
    good[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(good)
    try:
        found = [(m.offset, m.key, m.value, m.headers, m.timestamp_ms) for m in read(path, entry)]
        said = str(path) if position < first else ""  # documentation in the schema, that no reader needs
    except Fatal as error:
        found, said = [tuple(message) for message in messages], str(error)
    assert found == [tuple(message) for message in messages]
    assert str(path) in said
    assert "\n" not in said


def test_a_value_changed_in_place_is_found_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t-0.avro"
    messages = [StoredMessage(i, None, b"%d" % i * (BLOCK_BYTES // 2), (), 0) for i in range(4)]
    entry = entry_of(messages, write_segment(path, messages))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"2222", b"2223", 1))
    blocks = read_segment(path, entry, 0, 0)
    assert [message.offset for message in next(blocks)] == [0, 1]
    with pytest.raises(SegmentDamaged, match="its bytes were changed"):
        next(blocks)


@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_truncated_segment_names_file_and_size(tmp_path: Path, keep: int) -> None:
    messages = [StoredMessage(0, None, b"v" * 500, (), 0)]
    path = tmp_path / "t-0.avro"
    entry = entry_of(messages, write_segment(path, messages))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SegmentDamaged, match=f"expected {entry.size_bytes} bytes, found"):
        read(path, entry)


def test_missing_segment_is_fatal(tmp_path: Path) -> None:
    with pytest.raises(SegmentDamaged, match="No such file"):
        read(tmp_path / "gone.avro", entry_of([StoredMessage(0, None, None, (), 0)], WrittenSegment(100, [0])))


def test_segment_of_another_schema_is_fatal(tmp_path: Path) -> None:
    path = tmp_path / "t-0.avro"
    with path.open("wb") as file:
        fastavro.writer(file, {"type": "record", "name": "x", "fields": [{"name": "a", "type": "int"}]}, [{"a": 1}])
    with pytest.raises(SegmentDamaged, match="file_message"):
        read(path, entry_of([StoredMessage(0, None, None, (), 0)], WrittenSegment(path.stat().st_size, [0])))


def test_claimed_lengths_are_not_believed(tmp_path: Path) -> None:
    messages = [StoredMessage(0, None, b"v" * 100, (), 0)]
    path = tmp_path / "t-0.avro"
    written = write_segment(path, messages)
    content = path.read_bytes()
    huge = encode_long(1 << 50)
    at = content.index(b"v" * 100) - len(encode_long(100))
    content = content[:at] + huge + content[at + len(huge) :]
    path.write_bytes(content)
    block = content[at - 3 : -SYNC_SIZE]
    with pytest.raises(SegmentDamaged, match="runs past the end"):
        read(path, entry_of(messages, WrittenSegment(written.size_bytes, [crc32(block)])))
