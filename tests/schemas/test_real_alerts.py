"""Every real alert decodes to plausible values, and the broken ones are refused with the right reason."""

from pathlib import Path

import pytest

from schemas.codec import Codec
from schemas.errors import Undecodable

POISON = {
    "1.avro": "INVALID_SCHEMA",
    "9.avro": "INVALID_SCHEMA",
    "121540793515135009.avro": "UNDECODABLE",
    "516401801315010009.avro": "UNDECODABLE",
    "516434762915010006.avro": "UNDECODABLE",
    "test_alerts_Ia_Hsiao_v2_51.avro": "UNDECODABLE",
}


def test_every_ztf_alert_decodes(ztf_messages: dict[str, bytes], codec: Codec) -> None:
    versions = set()
    for name, value in ztf_messages.items():
        decoded = codec.decode(value)
        candidate = decoded.record["candidate"]
        assert decoded.schema_name.startswith("ztf"), name
        assert 0 <= candidate["ra"] < 360, name
        assert -90 <= candidate["dec"] <= 90, name
        assert 2457600 < candidate["jd"] < 2461000, name
        assert decoded.record["candid"] != 0, name
        versions.add(decoded.schema_version)
    assert len(ztf_messages) >= 42 + 30
    assert {"3.0", "3.3", "4.01", "4.02"} <= versions


@pytest.mark.parametrize("folder", ["winter", "pgir"])
def test_every_alert_of_other_surveys_decodes(alerts: Path, codec: Codec, folder: str) -> None:
    paths = sorted((alerts / folder).glob("*.avro"))
    assert paths
    for path in paths:
        decoded = codec.decode(path.read_bytes())
        assert decoded.schema_name.startswith(folder)
        assert 0 <= decoded.record["candidate"]["ra"] < 360
        assert decoded.record["candid"] is not None


def test_decam_alert_decodes(alerts: Path, codec: Codec) -> None:
    decoded = codec.decode((alerts / "boom" / "alert.avro").read_bytes())
    assert (decoded.schema_name, decoded.schema_version) == ("desirt.alert", "0.1.0")
    assert -90 <= decoded.record["candidate"]["dec"] <= 90


def test_schema_of_a_survey_is_parsed_once(ztf_messages: dict[str, bytes], codec: Codec) -> None:
    value = next(value for name, value in ztf_messages.items() if name.startswith("ztf_ocf"))
    first, second = codec.decode(value), codec.decode(value)
    assert first.schema_id == second.schema_id
    assert first.record == second.record


@pytest.mark.parametrize(("name", "reason"), POISON.items())
def test_poison_is_refused_with_its_reason(alerts: Path, codec: Codec, name: str, reason: str) -> None:
    with pytest.raises(Undecodable) as caught:
        codec.decode((alerts / "poison" / name).read_bytes())
    assert caught.value.reason == reason
    assert caught.value.message
    assert caught.value.expected
    assert caught.value.received


def test_every_poison_file_is_known(alerts: Path) -> None:
    assert {path.name for path in (alerts / "poison").iterdir()} == set(POISON)
