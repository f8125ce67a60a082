"""Framings are told apart by their first bytes, and what ends within them is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Undecodable
from schemas.wire import Framing, confluent_header, recognise, single_object_header


def test_confluent_frame_yields_its_big_endian_id() -> None:
    frame = recognise(bytes.fromhex("000000044d") + b"body")
    assert (frame.framing, frame.schema_key, frame.start, frame.schema_id) == (Framing.CONFLUENT, 1101, 5, "1101")


def test_single_object_frame_yields_its_little_endian_fingerprint() -> None:
    frame = recognise(bytes.fromhex("c3018f5c393f1ad57572") + b"body")
    assert (frame.framing, frame.schema_key, frame.start) == (Framing.SINGLE_OBJECT, 0x7275D51A3F395C8F, 10)
    assert frame.schema_id == "7275d51a3f395c8f"


def test_container_is_recognised_by_its_magic() -> None:
    frame = recognise(b"Obj\x01anything")
    assert (frame.framing, frame.schema_id) == (Framing.CONTAINER, None)


@pytest.mark.parametrize("value", [b"O", b"Obj\x02", b"\xc3", b"\xc3\x02", b'{"a": 1}', b"\x02a"])
def test_anything_else_is_bare(value: bytes) -> None:
    assert recognise(value).framing is Framing.BARE


def test_empty_message_has_its_own_reason() -> None:
    with pytest.raises(Undecodable) as caught:
        recognise(b"")
    assert caught.value.reason == "EMPTY_MESSAGE"


@pytest.mark.parametrize("value", [b"\x00", b"\x00\x00\x00\x00", b"\xc3\x01", b"\xc3\x01\x00\x00\x00\x00\x00\x00\x00"])
def test_message_that_ends_within_its_framing_is_undecodable(value: bytes) -> None:
    with pytest.raises(Undecodable) as caught:
        recognise(value)
    assert caught.value.reason == "UNDECODABLE"
    assert caught.value.received == f"{len(value)} bytes"


@given(st.integers(0, 2**32 - 1), st.binary())
def test_confluent_header_is_read_back(schema_id: int, body: bytes) -> None:
    value = confluent_header(schema_id) + body
    frame = recognise(value)
    assert (frame.framing, frame.schema_key, value[frame.start :]) == (Framing.CONFLUENT, schema_id, body)


@given(st.integers(0, 2**64 - 1), st.binary())
def test_single_object_header_is_read_back(fingerprint: int, body: bytes) -> None:
    value = single_object_header(fingerprint) + body
    frame = recognise(value)
    assert (frame.framing, frame.schema_key, value[frame.start :]) == (Framing.SINGLE_OBJECT, fingerprint, body)


@given(st.binary(min_size=10))
def test_bytes_longer_than_any_framing_have_a_framing(value: bytes) -> None:
    frame = recognise(value)
    assert frame.start <= len(value)
    assert (frame.schema_key is None) == (frame.framing in {Framing.BARE, Framing.CONTAINER})
