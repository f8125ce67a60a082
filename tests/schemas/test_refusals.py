"""Whatever is not one believable record is refused with its reason, at once and without the memory it asks for."""

import io
import struct
from collections.abc import Callable
from typing import Any

import fastavro
import numpy as np
import pytest

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.errors import Undecodable

Container = Callable[..., bytes]
Own = Callable[[str], Any]
ReasonOf = Callable[[bytes], str]

CATALOGUE = Catalogue.embedded()
LABEL = {"l2_id": "a", "l1_id": "b", "verdict": "WRONG", "author": "c", "labelled_ms": 1}


def test_schema_that_only_borrows_our_name_is_wrong(codec: Codec, container: Container) -> None:
    schema = {"type": "record", "name": "org.specstream.label", "fields": [{"name": "l2_id", "type": "double"}]}
    with pytest.raises(Undecodable) as caught:
        codec.decode(container(schema, {"l2_id": 1.0}))
    assert (caught.value.reason, caught.value.field) == ("WRONG_SCHEMA", "l2_id")


def test_bytes_after_the_record_mean_a_wrong_schema(codec: Codec, reason_of: ReasonOf) -> None:
    assert reason_of(codec.encode("label", LABEL) + b"\x00") == "WRONG_SCHEMA"


def test_bytes_after_a_containers_record_are_refused(
    codec: Codec, container: Container, own: Own, reason_of: ReasonOf
) -> None:
    value = container(own("label"), LABEL)
    sync = value[-16:]
    body = codec.encode_datum("label", LABEL)
    start = value.rindex(body)
    header = value[: value.index(sync) + 16]
    longer = header + b"\x02" + _varint(len(body) + 3) + body + b"\x00\x00\x00" + sync
    assert value[start:].endswith(sync)
    assert reason_of(longer) == "UNDECODABLE"


def _varint(number: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", number)
    return out.getvalue()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "EMPTY_MESSAGE"),
        (b'{"l1_id": "json"}', "UNKNOWN_FRAMING"),
        (b"SIMPLE  =                    T", "UNKNOWN_FRAMING"),
        (b"\x1f\x8b\x08\x00", "UNKNOWN_FRAMING"),
        (b"\x00\x00", "UNDECODABLE"),
        (b"\x00\x00\x00\x00\x01body", "UNKNOWN_SCHEMA"),
        (b"\xc3\x01" + bytes(8) + b"body", "UNKNOWN_SCHEMA"),
        (b"Obj\x01", "UNDECODABLE"),
    ],
)
def test_foreign_bytes_have_their_reason(value: bytes, reason: str, reason_of: ReasonOf) -> None:
    assert reason_of(value) == reason


def test_unknown_id_is_told(codec: Codec) -> None:
    with pytest.raises(Undecodable) as caught:
        codec.decode(b"\x00" + struct.pack(">I", 424242) + b"body")
    assert caught.value.schema_id == "424242"


def test_invalid_utf8_is_invalid_text(codec: Codec) -> None:
    value = codec.encode("label", LABEL | {"comment": "BOSS-B1"})
    with pytest.raises(Undecodable) as caught:
        codec.decode(value.replace(b"BOSS-B1", b"BOSS\xff\xfe1"))
    assert caught.value.reason == "INVALID_TEXT"


def test_invalid_schema_in_a_container_is_told(container: Container, own: Own, reason_of: ReasonOf) -> None:
    value = container(own("label"), LABEL)
    assert reason_of(value.replace(b'"type": "record"', b'"type": "recrod"')) == "INVALID_SCHEMA"
    assert reason_of(value.replace(b'{"type": "record"', b'}"type": "record"')) == "INVALID_SCHEMA"


def test_schema_marked_as_checked_is_checked_all_the_same(reason_of: ReasonOf) -> None:
    marked = b'{"__fastavro_parsed__": true, "__named_schemas": {}, "type": "record", "name": "r", "fields": [{}]}'
    header = b"Obj\x01\x02" + _varint(11) + b"avro.schema" + _varint(len(marked)) + marked + b"\x00" + bytes(16)
    assert reason_of(header + b"\x02\x00" + bytes(16)) == "INVALID_SCHEMA"


def test_schema_that_is_no_record_is_unsupported(container: Container, reason_of: ReasonOf) -> None:
    assert reason_of(container("int", 1)) == "UNSUPPORTED"


def test_recursive_schema_is_unsupported_however_deep_its_data(container: Container, reason_of: ReasonOf) -> None:
    schema = {"type": "record", "name": "r", "fields": [{"name": "next", "type": ["null", "r"]}]}
    value = container(schema, {"next": None})
    body = b"\x02" * 1_000_000 + b"\x00"
    sync = value[-16:]
    header = value[: value.index(sync) + 16]
    assert reason_of(header + b"\x02" + _varint(len(body)) + body + sync) == "UNSUPPORTED"


@pytest.mark.parametrize("announced", [2**31, 2**62, -(2**62)])
@pytest.mark.parametrize("items", ["string", "double", "bytes"])
def test_list_that_announces_billions_of_items_is_refused_at_once(
    items: str, announced: int, container: Container, reason_of: ReasonOf
) -> None:
    schema = {"type": "record", "name": "r", "fields": [{"name": "x", "type": {"type": "array", "items": items}}]}
    value = container(schema, {"x": []})
    body = _varint(announced) + _varint(2**40)
    sync = value[-16:]
    header = value[: value.index(sync) + 16]
    assert reason_of(header + b"\x02" + _varint(len(body)) + body + sync) == "UNDECODABLE"


@pytest.mark.parametrize("kind", ["bytes", "string"])
@pytest.mark.parametrize("announced", [2**31, 2**62, -1, -(2**63)])
def test_text_that_announces_gigabytes_is_refused_at_once(
    kind: str, announced: int, container: Container, reason_of: ReasonOf
) -> None:
    schema = {"type": "record", "name": "r", "fields": [{"name": "x", "type": kind}]}
    value = container(schema, {"x": b"" if kind == "bytes" else ""})
    body = _varint(announced) + b"abc"
    sync = value[-16:]
    header = value[: value.index(sync) + 16]
    assert reason_of(header + b"\x02" + _varint(len(body)) + body + sync) == "UNDECODABLE"


def test_record_that_would_take_too_much_memory_is_refused() -> None:
    codec = Codec(CATALOGUE, max_decoded_bytes=200_000)
    record = {"l1_id": "a", "survey": "X", "stamps": []}
    stamps = [{"role": "SCIENCE", "height": 0, "width": 0, "image": b""}] * 5000
    with pytest.raises(Undecodable) as caught:
        codec.decode(codec.encode("l1_image_alert", record | {"stamps": stamps}))
    assert caught.value.reason == "MESSAGE_TOO_LARGE"
    image = {"role": "SCIENCE", "height": 100, "width": 400, "image": np.zeros((100, 400), "<f4")}
    assert codec.decode(codec.encode("l1_image_alert", record | {"stamps": [image]})).record["stamps"]
