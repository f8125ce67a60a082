"""Records go through the codec and come back; whatever is not one believable record is refused with its reason."""

import io
import json
import struct
from collections.abc import Callable
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.definitions import parse
from schemas.errors import CatalogueError, Undecodable, Unencodable

Container = Callable[..., bytes]
Own = Callable[[str], Any]
ReasonOf = Callable[[bytes], str]

CATALOGUE = Catalogue.embedded()
SPECTRUM: dict[str, Any] = {
    "l1_id": "sdss-spec-0266-51602-0001",
    "survey": "SDSS",
    "ra_deg": 146.7,
    "dec_deg": -0.6,
    "mjd_start": 51602.1,
    "grid": {"kind": "LOG10", "start": 3.58, "step": 1e-4, "n": 4},
    "medium": "VACUUM",
    "specsys": "HELIOCEN",
    "flux": np.array([1.0, 2.0, np.nan, 4.0], "<f4"),
    "flux_unit": "1e-17 erg/s/cm2/Angstrom",
    "flux_calibration": "ABSOLUTE",
    "uncertainty": np.ones(4, "<f4"),
    "uncertainty_kind": "IVAR",
    "quality": np.array([0, 0, 1, 0], "<i4"),
}


def datum(schema: Any, record: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parse(schema), record)
    return out.getvalue()


def test_spectrum_comes_back_as_it_was_sent(codec: Codec) -> None:
    value = codec.encode("l1_spectrum", SPECTRUM)
    decoded = codec.decode(value)
    assert decoded.schema_name == "org.specstream.l1_spectrum"
    assert (decoded.framing, decoded.schema_version) == ("single-object", "1.0")
    assert decoded.schema_id == f"{CATALOGUE.current('l1_spectrum').fingerprint:016x}"
    for name, expected in SPECTRUM.items():
        received = decoded.record[name]
        if isinstance(expected, np.ndarray):
            assert received.dtype == expected.dtype
            assert not received.flags.writeable
            np.testing.assert_array_equal(received, expected)
        else:
            assert received == expected
    assert decoded.record["wavelength"] is None
    assert decoded.record["fibre_use"] == "OBJECT"


def test_full_and_short_names_encode_alike(codec: Codec) -> None:
    assert codec.encode("org.specstream.l1_spectrum", SPECTRUM) == codec.encode("l1_spectrum", SPECTRUM)


def plain(value: Any) -> Any:
    """Return a decoded value with its arrays as bytes."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", CATALOGUE.names)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=15)
@given(data=st.data())
def test_every_record_of_every_schema_comes_back(
    name: str, data: st.DataObject, codec: Codec, records_of: Callable[..., st.SearchStrategy[Any]]
) -> None:
    record = data.draw(records_of(CATALOGUE.current(name).schema, whole_arrays=True))
    value = codec.encode(name, record)
    decoded = codec.decode(value)
    assert decoded.schema_name == name
    assert plain(decoded.record) == record
    assert codec.encode(name, decoded.record) == value


def test_record_with_an_unknown_field_is_not_encoded(codec: Codec) -> None:
    with pytest.raises(Unencodable) as caught:
        codec.encode("l1_spectrum", SPECTRUM | {"fluxx": 1})
    assert caught.value.field == "fluxx"


@pytest.mark.parametrize("change", [{"flux": None}, {"medium": "WATER"}, {"ra_deg": "north"}, {"survey": None}])
def test_record_that_does_not_fit_is_not_encoded(codec: Codec, change: dict[str, Any]) -> None:
    with pytest.raises(Unencodable):
        codec.encode("l1_spectrum", SPECTRUM | change)


def test_unknown_schema_name_is_a_catalogue_error(codec: Codec) -> None:
    with pytest.raises(CatalogueError, match="l1_spektrum"):
        codec.encode("l1_spektrum", SPECTRUM)


def test_registered_schema_is_written_in_confluent_framing() -> None:
    class Nothing:
        def schema_by_id(self, schema_id: int) -> str | None:
            return CATALOGUE.text("l1_spectrum") if schema_id == 7 else None

        def schema_by_fingerprint(self, fingerprint: int) -> str | None:
            raise AssertionError(fingerprint)

    codec = Codec(CATALOGUE.with_registry(Nothing(), {"l1_spectrum": 7}))
    value = codec.encode("l1_spectrum", SPECTRUM)
    assert value[:5] == b"\x00\x00\x00\x00\x07"
    decoded = codec.decode(value)
    assert (decoded.framing, decoded.schema_id) == ("confluent", "7")
    assert codec.encode("label", LABEL)[:2] == b"\xc3\x01"


LABEL = {"l2_id": "a", "l1_id": "b", "verdict": "WRONG", "author": "c", "labelled_ms": 1}


def test_container_of_one_record_is_a_message(codec: Codec, container: Container, own: Own) -> None:
    decoded = codec.decode(container(own("label"), LABEL))
    assert (decoded.framing, decoded.schema_name) == ("container", "org.specstream.label")
    assert decoded.record["author"] == "c"


def test_container_of_several_records_is_only_decoded_one_by_one(
    codec: Codec, container: Container, own: Own, reason_of: ReasonOf
) -> None:
    value = container(own("label"), LABEL, LABEL | {"author": "d"})
    assert reason_of(value) == "UNSUPPORTED"
    assert [decoded.record["author"] for decoded in codec.decode_all(value)] == ["c", "d"]


def test_container_without_records_is_an_empty_message(container: Container, own: Own, reason_of: ReasonOf) -> None:
    assert reason_of(container(own("label"))) == "EMPTY_MESSAGE"


def test_decode_all_of_a_plain_message_yields_its_one_record(codec: Codec) -> None:
    (decoded,) = codec.decode_all(codec.encode("label", LABEL))
    assert decoded.record["author"] == "c"


def test_producer_that_uses_lists_of_numbers_is_read_as_arrays(codec: Codec, container: Container, own: Own) -> None:
    schema = own("l1_spectrum")
    for field in schema["fields"]:
        if field["name"] in {"flux", "uncertainty"}:
            field["type"] = {"type": "array", "items": "float"}
        elif field["name"] == "wavelength":
            field["type"] = ["null", {"type": "array", "items": "double"}]
        elif field["name"] == "quality":
            field["type"] = ["null", {"type": "array", "items": "int"}]
    record = SPECTRUM | {"wavelength": [4000.0, 4001.0, 4002.0, 4003.0], "quality": [0, 0, 1, 0], "grid": None}
    decoded = codec.decode(container(schema, record | {n: record[n].tolist() for n in ("flux", "uncertainty")}))
    assert {n: decoded.record[n].dtype.str for n in ("wavelength", "flux", "quality")} == {
        "wavelength": "<f8",
        "flux": "<f4",
        "quality": "<i4",
    }
    np.testing.assert_array_equal(decoded.record["flux"], SPECTRUM["flux"])
    assert decoded.record["wavelength"].tolist() == record["wavelength"]


def test_image_producer_that_uses_lists_of_numbers_is_read_as_arrays(
    codec: Codec, container: Container, own: Own
) -> None:
    schema = own("l1_image_alert")
    stamp = next(f for f in schema["fields"] if f["name"] == "stamps")["type"]["items"]
    next(f for f in stamp["fields"] if f["name"] == "image")["type"] = {"type": "array", "items": "double"}
    record = {
        "l1_id": "a",
        "survey": "X",
        "stamps": [{"role": "SCIENCE", "height": 1, "width": 2, "image": [1.0, 2.0]}],
    }
    (stamp_read,) = codec.decode(container(schema, record)).record["stamps"]
    assert stamp_read["image"].dtype == np.dtype("<f4")
    assert stamp_read["image"].tolist() == [1.0, 2.0]
    assert stamp_read["variance"] is None


def test_producer_that_knows_no_logical_type_is_read_as_arrays(codec: Codec, container: Container, own: Own) -> None:
    text = json.dumps(own("l1_spectrum")).replace('"logicalType"', '"remark"')
    record = {key: value.tobytes() if isinstance(value, np.ndarray) else value for key, value in SPECTRUM.items()}
    decoded = codec.decode(container(json.loads(text), record))
    np.testing.assert_array_equal(decoded.record["flux"], SPECTRUM["flux"])


def test_bare_message_is_read_where_a_schema_is_agreed(own: Own) -> None:
    codec = Codec(CATALOGUE, bare_schema="label")
    decoded = codec.decode(datum(own("label"), LABEL))
    assert (decoded.framing, decoded.record["author"]) == ("bare", "c")
    with pytest.raises(Undecodable):
        codec.decode(b'{"json": true}')


def test_bytes_of_one_schema_never_pass_for_another() -> None:
    """The wrong-schema case: every schema of ours read as every other one, by way of a wrong Confluent id."""
    ids = dict(enumerate(CATALOGUE.names, start=1))

    class Registry:
        def schema_by_id(self, schema_id: int) -> str | None:
            return CATALOGUE.text(ids[schema_id])

        def schema_by_fingerprint(self, fingerprint: int) -> str | None:
            raise AssertionError(fingerprint)

    codec = Codec(CATALOGUE.with_registry(Registry()))
    source = {"topic": "specstream.l1.spectrum", "partition": 3, "offset": 412}
    letter = {"source": source, "reason": "UNDECODABLE", "message": "x", "program_version": "0.1.0"}
    ledger = {
        "group": "g", "topic": "t", "partition": 0, "first_offset": 0, "last_offset": 4, "next_offset": 5,
        "records_in": 5, "records_out": 4, "records_dead": 1, "night": "2026-01-01", "program_version": "0.1.0",
    }  # fmt: skip
    examples: dict[str, dict[str, Any]] = {
        "l1_spectrum": SPECTRUM,
        "label": LABEL,
        "dead_letter": letter,
        "ledger": ledger,
        "file_message": {"offset": 12, "value": b"payload", "timestamp_ms": 1_700_000_000_000},
        "l1_image_alert": {"l1_id": "a1", "survey": "X", "ra_deg": 10.0, "dec_deg": 5.0, "stamps": []},
    }
    for written, record in examples.items():
        body = codec.encode_datum(written, record)
        for schema_id, read in ids.items():
            value = b"\x00" + struct.pack(">I", schema_id) + body
            if read == f"org.specstream.{written}":
                assert codec.decode(value).schema_name == read
                continue
            with pytest.raises(Undecodable) as caught:
                codec.decode(value)
            assert caught.value.reason in {"WRONG_SCHEMA", "UNDECODABLE", "INVALID_TEXT"}
