"""Schemas may grow: older messages decode into the current schema, and older readers read what we write."""

import copy
import importlib.resources
import io
import json
from typing import Any

import fastavro
import numpy as np
import pytest

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.compatibility import incompatibilities
from schemas.definitions import named_types, parse, parse_text, resolve
from schemas.errors import CatalogueError, Undecodable
from schemas.fingerprint import fingerprint
from schemas.wire import single_object_header

CATALOGUE = Catalogue.embedded()
LABEL = {"l2_id": "a", "l1_id": "b", "verdict": "WRONG", "author": "c", "labelled_ms": 1}


def older_texts() -> list[str]:
    folder = importlib.resources.files("schemas") / "avro" / "history"
    return [entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".avsc")]


def label_1_1() -> dict[str, Any]:
    """Return what a next version of the label may look like: a field more, a symbol more."""
    schema: dict[str, Any] = json.loads(CATALOGUE.text("label"))
    schema["version"] = "1.1"
    schema["fields"].append({"name": "weight", "type": "double", "doc": "Weight [1].", "default": 1.0})
    next(f for f in schema["fields"] if f["name"] == "verdict")["type"]["symbols"].insert(0, "DUPLICATE")
    return schema


@pytest.mark.parametrize("name", CATALOGUE.names)
def test_current_schema_has_a_version_and_documents_every_field_with_its_unit(name: str) -> None:
    schema = CATALOGUE.current(name)
    assert schema.version.count(".") == 1
    names = named_types(schema.schema)
    source = named_types(json.loads(CATALOGUE.text(name)))
    assert source
    for definition in names.values():
        for field in definition.get("fields", ()):
            place = f"{definition['name']}.{field['name']}"
            assert field.get("doc"), f"{place} has no doc"
            if _is_quantity(field["type"], names):
                assert "[" in field["doc"], f"{place} is a quantity and its doc has no unit"


def _is_quantity(schema: Any, names: dict[str, Any]) -> bool:
    kind, definition = resolve(schema, names)
    if kind == "union":
        return any(_is_quantity(branch, names) for branch in definition)
    return kind in {"float", "double"} or (isinstance(definition, dict) and "logicalType" in definition)


@pytest.mark.parametrize("name", CATALOGUE.names)
def test_every_enum_has_a_default_so_that_symbols_may_be_added(name: str) -> None:
    for definition in named_types(CATALOGUE.current(name).schema).values():
        if definition["type"] == "enum":
            assert definition["default"] in definition["symbols"]


def test_every_older_version_is_forward_and_backward_compatible_with_the_current_one() -> None:
    for text in older_texts():
        older = parse_text(text)
        assert isinstance(older, dict)
        current = CATALOGUE.current(older["name"]).schema
        assert incompatibilities(current, older) == ()
        assert incompatibilities(older, current) == ()


def test_every_older_version_is_known_by_its_fingerprint() -> None:
    for text in older_texts():
        older = parse_text(text)
        assert isinstance(older, dict)
        assert CATALOGUE.by_fingerprint(fingerprint(older)).name == older["name"]


def test_message_of_an_older_version_becomes_a_current_record() -> None:
    newer = json.dumps(label_1_1())
    old_message = Codec(CATALOGUE).encode("label", LABEL)
    decoded = Codec(Catalogue([newer], [CATALOGUE.text("label")])).decode(old_message)
    assert (decoded.schema_version, decoded.record["weight"], decoded.record["verdict"]) == ("1.0", 1.0, "WRONG")


def test_l2_record_of_1_0_becomes_one_that_says_nothing_of_the_unit_of_its_lines() -> None:
    older = next(text for text in older_texts() if json.loads(text)["name"] == "l2_classification")
    written = Codec(Catalogue([older]))
    line = {"name": "H alpha", "flux": 3.0, "flux_error": 1.0, "equivalent_width": 2.0, "velocity_width": 57.0}
    record = {
        "l2_id": "a", "source": {"topic": "t", "partition": 0, "offset": 0, "schema": "s"}, "lane": "spectrum",
        "l1_id": "b", "survey": "SDSS", "instrument": "", "engines": [], "class_scheme": "", "class_probabilities": {},
        "lines": [line], "unknown": False, "unknown_rate": 0.01, "quality_flags": 0,
    }  # fmt: skip
    decoded = Codec(CATALOGUE).decode(written.encode("l2_classification", record))
    assert (decoded.schema_version, decoded.record["line_flux_unit"]) == ("1.0", None)
    assert decoded.record["lines"] == [line | {"equivalent_width_error": None, "velocity_width_error": None}]


def test_message_of_a_newer_version_becomes_a_record_of_the_version_we_have() -> None:
    newer = label_1_1()
    out = io.BytesIO()
    fastavro.writer(out, newer, [LABEL | {"weight": 2.0, "verdict": "DUPLICATE"}])
    decoded = Codec(CATALOGUE).decode(out.getvalue())
    assert decoded.schema_version == "1.1"
    assert "weight" not in decoded.record
    assert decoded.record["verdict"] == "OTHER"


def test_newer_version_passes_the_forward_check_and_a_careless_one_does_not() -> None:
    current = CATALOGUE.current("label").schema
    assert incompatibilities(parse(label_1_1()), current) == ()
    careless = label_1_1()
    careless["fields"] = [field for field in careless["fields"] if field["name"] != "author"]
    assert [problem.field for problem in incompatibilities(parse(careless), current)] == ["author"]


def test_newer_version_by_fingerprint_alone_is_an_unknown_schema() -> None:
    newer = Catalogue([json.dumps(label_1_1())])
    message = Codec(newer).encode("label", LABEL)
    with pytest.raises(Undecodable) as caught:
        Codec(CATALOGUE).decode(message)
    assert caught.value.reason == "UNKNOWN_SCHEMA"
    assert caught.value.schema_id == f"{newer.current('label').fingerprint:016x}"


def test_older_spectrum_without_a_field_keeps_its_arrays() -> None:
    older = json.loads(CATALOGUE.text("l1_spectrum"))
    older["fields"] = [field for field in older["fields"] if field["name"] not in {"sampling", "sky", "lsf"}]
    older["version"] = "0.9"
    catalogue = Catalogue([CATALOGUE.text("l1_spectrum")], [json.dumps(older)])
    record = {
        "l1_id": "a", "survey": "SDSS", "medium": "AIR", "specsys": "TOPOCENT", "flux": np.ones(3, "<f4").tobytes(),
        "flux_unit": "", "flux_calibration": "ABSOLUTE", "uncertainty": np.ones(3, "<f4").tobytes(),
        "uncertainty_kind": "SIGMA",
    }  # fmt: skip
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parse(copy.deepcopy(older)), record)
    crc = Catalogue([json.dumps(older)]).current("l1_spectrum").fingerprint
    decoded = Codec(catalogue).decode(single_object_header(crc) + out.getvalue())
    assert (decoded.schema_version, decoded.record["sampling"], decoded.record["sky"]) == ("0.9", "DISPERSED", None)
    assert decoded.record["flux"].tolist() == [1.0, 1.0, 1.0]


def test_history_that_cannot_be_read_as_the_current_schema_is_a_catalogue_error() -> None:
    broken = json.loads(CATALOGUE.text("label"))
    broken["fields"] = broken["fields"][:1]
    with pytest.raises(CatalogueError, match="l1_id"):
        Catalogue([CATALOGUE.text("label")], [json.dumps(broken)])
