"""LSST packets of every described version decode to their last byte, and pass for no other version."""

import io
import struct
from datetime import datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.assembly import read_schema_files
from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.definitions import named_types, resolve
from schemas.errors import Undecodable
from schemas.fingerprint import fingerprint
from schemas.lsst import CONFLUENT_IDS, lsst_schema

# Pairs of versions whose packets have the same layout where a sample has values: one reads the other's alike.
SAME_LAYOUT = {(700, 701), (701, 700), (900, 1000), (1000, 900)}


def packet(alerts: Path, schema_id: int) -> bytes:
    major, minor = divmod(schema_id, 100)
    return (alerts / "lsst_wire_matrix" / f"lsst.v{major}_{minor}.avro").read_bytes()


@pytest.mark.parametrize("schema_id", CONFLUENT_IDS)
def test_packet_decodes_to_plausible_values(alerts: Path, codec: Codec, schema_id: int) -> None:
    major, minor = divmod(schema_id, 100)
    decoded = codec.decode(packet(alerts, schema_id))
    assert decoded.schema_name == f"lsst.v{major}_{minor}.alert"
    assert (decoded.schema_id, decoded.schema_version, decoded.framing) == (
        str(schema_id),
        f"{major}.{minor}",
        "confluent",
    )
    source = decoded.record["diaSource"]
    assert (source["ra"], source["dec"]) == pytest.approx((351.570546978, 0.126243049656), abs=1e-9)
    assert (source["diaSourceId"], source["band"], source["trailNdata"]) == (281323062375219200, "r", 5)
    assert source["psfFlux"] == source["apFlux"] == 1241.0
    assert source["snr"] == pytest.approx(41.1, abs=1e-4)
    # The samples of version 7 hold a number of seconds here; the others a Modified Julian Date.
    assert source["midpointMjdTai"] == pytest.approx(1480360995.0 if major == 7 else 60902.993305483615)
    assert len(decoded.record["prvDiaSources"]) == 2
    assert decoded.record["diaObject"]["ra"] == pytest.approx(351.570546978)


def test_each_version_has_a_packet(alerts: Path) -> None:
    files = {path.stem for path in (alerts / "lsst_wire_matrix").glob("*.avro")}
    assert files == {f"lsst.v{i // 100}_{i % 100}" for i in CONFLUENT_IDS}


def test_version_8_times_are_instants(alerts: Path, codec: Codec) -> None:
    record = codec.decode(packet(alerts, 800)).record
    assert record["diaSource"]["time_processed"] == record["diaObject"]["validityStart"]
    assert isinstance(record["diaSource"]["time_processed"], datetime)
    assert record["diaSource"]["time_processed"].year == 2025


def test_version_7_proper_motion_is_in_its_place(alerts: Path, codec: Codec) -> None:
    target = codec.decode(packet(alerts, 704)).record["diaObject"]
    assert target["parallax"] == pytest.approx(2.124124)
    assert target["pmParallaxNdata"] == 1214


@pytest.mark.parametrize("written", CONFLUENT_IDS)
def test_packet_of_one_version_never_passes_for_another(alerts: Path, codec: Codec, written: int) -> None:
    value = packet(alerts, written)
    expected = codec.decode(value).record
    for read in CONFLUENT_IDS:
        if read == written:
            continue
        relabelled = b"\x00" + struct.pack(">I", read) + value[5:]
        if (written, read) in SAME_LAYOUT:
            other = codec.decode(relabelled).record
            assert other["diaSource"] == expected["diaSource"]
            assert other["diaObject"] == expected["diaObject"]
            continue
        with pytest.raises(Undecodable) as caught:
            codec.decode(relabelled)
        assert caught.value.reason in {"UNDECODABLE", "WRONG_SCHEMA", "INVALID_TEXT"}
        assert caught.value.schema_id == str(read)


def test_packet_from_the_telescope_decodes_with_its_cutouts(alerts: Path, codec: Codec) -> None:
    decoded = codec.decode((alerts / "boom" / "7912941781254298.avro").read_bytes())
    source = decoded.record["diaSource"]
    assert (decoded.schema_name, source["diaSourceId"]) == ("lsst.v9_0.alert", 7912941781254298)
    assert (source["ra"], source["dec"]) == pytest.approx((55.752127609, -32.268478584), abs=1e-8)
    assert source["midpointMjdTai"] == pytest.approx(60961.233092, abs=1e-5)
    assert source["psfNdata"] == 1681
    for name in ("cutoutDifference", "cutoutScience", "cutoutTemplate"):
        assert decoded.record[name].startswith(b"SIMPLE  =                    T")


def test_described_version_11_1_is_the_published_one(alerts: Path) -> None:
    described = lsst_schema(1101)
    assert described is not None
    assert fingerprint(described) == fingerprint(read_schema_files(alerts / "lsst_schema"))


def test_users_folder_of_the_published_schema_decodes_the_packet(alerts: Path, catalogue: Catalogue) -> None:
    value = b"\x00" + struct.pack(">I", 77) + packet(alerts, 1101)[5:]
    decoded = Codec(catalogue.with_ids({77: alerts / "lsst_schema"})).decode(value)
    assert decoded.schema_name == "lsst.v11_1.alert"
    assert decoded.record["diaSource"]["band"] == "r"


def test_broker_container_of_version_10_agrees_with_the_described_records(alerts: Path, codec: Codec) -> None:
    """Fink republishes v10.0 packets as a container with its own schema: names, order, types and values must agree."""
    described = lsst_schema(1000)
    assert described is not None
    names = named_types(described)
    records = [
        decoded.record for decoded in codec.decode_all((alerts / "fink_lsst" / "part-2-918301.avro").read_bytes())
    ]
    assert len(records) == 7
    compared = 0
    for record in records:
        assert record["lsst_schema_version"] == "lsst.v10_0"
        for part in ("diaSource", "diaObject", "ssSource"):
            fields = record[part]
            if fields is None or fields[next(iter(fields))] is None:
                continue
            schema = names[f"lsst.v10_0.{part}"]
            assert [field["name"] for field in schema["fields"]] == list(fields)
            out = io.BytesIO()
            fastavro.schemaless_writer(out, {**schema, "name": part}, _filled(schema, fields, names))
            assert out.getvalue()
            compared += 1
        latest = record["diaSource"]
        assert 0 <= latest["ra"] < 360
        assert 61000 < latest["midpointMjdTai"] < 61200
    assert compared >= 14


def _filled(schema: dict[str, Any], values: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """Return the values with those that the broker turned to null put back where the schema has no null."""
    filled = dict(values)
    for field in schema["fields"]:
        if filled[field["name"]] is None and resolve(field["type"], names)[0] != "union":
            filled[field["name"]] = 0
    return filled


def test_version_that_was_never_seen_is_unknown(codec: Codec) -> None:
    assert lsst_schema(1001) is None
    with pytest.raises(Undecodable) as caught:
        codec.decode(b"\x00" + struct.pack(">I", 1001) + bytes(100))
    assert caught.value.reason == "UNKNOWN_SCHEMA"
