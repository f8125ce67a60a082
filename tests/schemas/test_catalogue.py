"""The catalogue: who supplies a schema, and that each is parsed once."""

import io
import json
from importlib import resources
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.errors import CatalogueError, RegistryUnavailable, Undecodable

SCHEMA = {"type": "record", "name": "survey.alert", "fields": [{"name": "objectId", "type": "string"}]}


class Source:
    """A registry that knows some schemas and counts what it is asked."""

    def __init__(self, ids: dict[int, Any], fingerprints: dict[int, Any] | None = None) -> None:
        self._ids = ids
        self._fingerprints = fingerprints or {}
        self.asked: list[int] = []

    def schema_by_id(self, schema_id: int) -> str | None:
        self.asked.append(schema_id)
        found = self._ids.get(schema_id)
        return None if found is None else json.dumps(found)

    def schema_by_fingerprint(self, fingerprint: int) -> str | None:
        self.asked.append(fingerprint)
        found = self._fingerprints.get(fingerprint)
        return None if found is None else json.dumps(found)


class Away:
    """A registry that cannot be reached."""

    def schema_by_id(self, schema_id: int) -> str | None:
        raise RegistryUnavailable(f"id {schema_id}", url="http://localhost")

    def schema_by_fingerprint(self, fingerprint: int) -> str | None:
        raise RegistryUnavailable(f"fingerprint {fingerprint}", url="http://localhost")


def test_every_schema_file_of_the_package_is_in_the_catalogue(catalogue: Catalogue) -> None:
    files = {
        e.name.removesuffix(".avsc") for e in (resources.files("schemas") / "avro").iterdir() if e.name.endswith("avsc")
    }
    assert {name.removeprefix("org.specstream.") for name in catalogue.names} == files
    assert {
        "l1_spectrum",
        "l1_image_alert",
        "l2_classification",
        "dead_letter",
        "ledger",
        "label",
        "file_message",
    } <= files


def test_text_is_the_file_as_it_is(catalogue: Catalogue) -> None:
    file = resources.files("schemas") / "avro" / "label.avsc"
    assert catalogue.text("label") == file.read_text(encoding="utf-8")


def test_unknown_name_lists_the_known_ones(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match=r"org\.specstream\.label"):
        catalogue.current("labels")


def test_users_file_wins_over_registry_and_registry_over_lsst(tmp_path: Path, catalogue: Catalogue) -> None:
    path = tmp_path / "user.avsc"
    path.write_text(json.dumps({**SCHEMA, "name": "user.alert"}), encoding="utf-8")
    source = Source({1101: SCHEMA, 1100: SCHEMA})
    both = catalogue.with_registry(source).with_ids({1101: path})
    assert both.by_confluent_id(1101).name == "user.alert"
    assert both.by_confluent_id(1100).name == "survey.alert"
    assert both.by_confluent_id(1000).name == "lsst.v10_0.alert"
    assert source.asked == [1100, 1000]


def test_registry_is_asked_once_for_each_id(catalogue: Catalogue) -> None:
    source = Source({5: SCHEMA})
    known = catalogue.with_registry(source)
    assert known.by_confluent_id(5) is known.by_confluent_id(5)
    assert source.asked == [5]


def test_registry_is_asked_once_for_each_fingerprint(catalogue: Catalogue) -> None:
    crc = Catalogue([json.dumps(SCHEMA)]).current("survey.alert").fingerprint
    source = Source({}, {crc: SCHEMA})
    known = catalogue.with_registry(source)
    assert known.by_fingerprint(crc).name == "survey.alert"
    assert known.by_fingerprint(crc).name == "survey.alert"
    assert source.asked == [crc]


def test_registry_that_is_away_is_not_a_reason_to_reject_a_message(catalogue: Catalogue) -> None:
    codec = Codec(catalogue.with_registry(Away()))
    with pytest.raises(RegistryUnavailable):
        codec.decode(b"\x00\x00\x00\x00\x05body")
    with pytest.raises(RegistryUnavailable):
        codec.decode(b"\xc3\x01" + bytes(8))


def test_nobody_knows_the_id(catalogue: Catalogue) -> None:
    with pytest.raises(Undecodable) as caught:
        catalogue.with_registry(Source({})).by_confluent_id(5)
    assert (caught.value.reason, caught.value.received) == ("UNKNOWN_SCHEMA", "5")


def test_invalid_schema_of_the_registry_is_told(catalogue: Catalogue) -> None:
    with pytest.raises(Undecodable) as caught:
        catalogue.with_registry(Source({5: {"type": "recrod"}})).by_confluent_id(5)
    assert caught.value.reason == "INVALID_SCHEMA"


def test_users_schema_that_cannot_be_bounded_is_a_catalogue_error(tmp_path: Path, catalogue: Catalogue) -> None:
    path = tmp_path / "user.avsc"
    path.write_text(json.dumps({"type": "record", "name": "r", "fields": [{"name": "r", "type": ["null", "r"]}]}))
    with pytest.raises(CatalogueError, match="recursive"):
        catalogue.with_ids({1: path})


def test_id_for_a_name_that_is_not_ours_is_a_catalogue_error(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="survey"):
        catalogue.with_registry(Source({}), {"survey.alert": 4})


def test_containers_schema_is_parsed_once_however_many_messages_bring_it(catalogue: Catalogue) -> None:
    out = io.BytesIO()
    fastavro.writer(out, SCHEMA, [{"objectId": "a"}])
    text = json.dumps(SCHEMA).encode()
    first = catalogue.by_text(text)
    assert catalogue.by_text(bytes(bytearray(text))) is first
    assert Codec(catalogue).decode(out.getvalue()).schema_name == "survey.alert"
