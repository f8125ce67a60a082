"""Dead letters keep the message byte for byte and say what was wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Codec
from stream.decoded import Rejected
from stream.errors import Reason
from stream.records.dead import DeadLetterWriter
from stream.transports.contract import Message, TopicPartition

SOURCE = TopicPartition("l1", 3)
anything = st.text(max_size=50) | st.text(st.characters(categories=["Cs", "Ll"]), max_size=20)


@given(
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary(max_size=200),
    headers=st.lists(st.tuples(anything, st.none() | st.binary(max_size=5)), max_size=3),
    texts=st.tuples(anything, st.none() | anything, st.none() | anything, st.none() | anything),
)
def test_a_dead_letter_reads_back_with_the_original_bytes(
    codec: Codec,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
    texts: tuple[str, str | None, str | None, str | None],
) -> None:
    """Any key, value, header and text survives, lone surrogates in texts escaped."""
    writer = DeadLetterWriter(topic="dead", program_version="1.2", encode=codec.encode)
    message = Message(SOURCE, 12, 1, key, value, tuple(headers), 99)
    finished = writer.finish(Rejected(message, "image", Reason.UNDECODABLE, *texts))
    record = codec.decode(finished.value).record
    assert (record["original_key"], record["original_value"]) == (key, value)
    assert [header["value"] for header in record["original_headers"]] == [header for _, header in headers]
    assert record["source"] == {"topic": "l1", "partition": 3, "offset": 12, "timestamp_ms": 99}
    assert (record["reason"], record["program_version"]) == ("UNDECODABLE", "1.2")
    assert finished.key == (key or b"l1/3/12")
    assert finished.reason is Reason.UNDECODABLE


def test_long_texts_are_cut(codec: Codec) -> None:
    """What came may be megabytes; what is said of it is not."""
    writer = DeadLetterWriter(topic="dead", program_version="1", encode=codec.encode)
    message = Message(SOURCE, 0, 1, None, b"", (), 0)
    record = writer.record(Rejected(message, "spectrum", Reason.INVALID_TEXT, "x" * 10_000))
    assert len(record["message"]) == 2_000
