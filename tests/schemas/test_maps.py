"""Maps inside records are told apart from records, wherever the schema has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.definitions import parse
from schemas.maps import AvroMap, MapsWithin, maps_within, with_maps

COUNTS = {"type": "map", "values": "long"}
OBJECT = {"type": "record", "name": "survey.object", "fields": [{"name": "id", "type": "string"}]}
ALERT = {
    "type": "record",
    "name": "survey.alert",
    "fields": [
        {
            "name": "object",
            "type": {"type": "record", "name": "survey.object", "fields": [{"name": "id", "type": "string"}]},
        },
        {"name": "scores", "type": ["null", COUNTS]},
        {
            "name": "epochs",
            "type": {
                "type": "array",
                "items": {"type": "record", "name": "survey.epoch", "fields": [{"name": "bands", "type": COUNTS}]},
            },
        },
        {"name": "nights", "type": {"type": "map", "values": COUNTS}},
        {"name": "object_again", "type": "survey.object"},
    ],
}
WRITTEN: dict[str, Any] = {
    "object": {"id": "a"},
    "scores": {"real": 1},
    "epochs": [{"bands": {"g": 1}}, {"bands": {}}],
    "nights": {"first": {"g": 2}},
    "object_again": {"id": "b"},
}


def test_our_maps_are_found_and_decoded_as_maps(catalogue: Catalogue, codec: Codec) -> None:
    """The compiled decoder reads them; a record within a record stays one."""
    assert {name.rpartition(".")[2] for name in catalogue.names if catalogue.current(name).maps is not None} == {
        "l2_classification",
        "ledger",
    }
    l2 = {
        "l2_id": "a", "source": {"topic": "t", "partition": 0, "offset": 1, "timestamp_ms": 2}, "l1_id": "a",
        "lane": "spectrum", "survey": "SDSS", "engines": [], "class_probabilities": {"QSO_nan": 1.0}, "unknown": False,
        "unknown_rate": 0.01, "quality_flags": 0,
    }  # fmt: skip
    record = codec.decode(codec.encode("l2_classification", l2)).record
    assert record["class_probabilities"] == {"QSO_nan": 1.0}
    assert isinstance(record["class_probabilities"], AvroMap)
    assert not isinstance(record["source"], AvroMap)


def test_maps_of_others_are_found_in_unions_lists_records_and_maps(
    codec: Codec, container: Callable[..., bytes]
) -> None:
    """A message of a survey's own schema; values are as written, and records are no maps."""
    record = codec.decode(container(ALERT, WRITTEN)).record
    assert record == WRITTEN
    maps = [
        record["scores"],
        *(epoch["bands"] for epoch in record["epochs"]),
        record["nights"],
        record["nights"]["first"],
    ]
    assert [type(each) for each in maps] == [AvroMap] * 5
    assert not any(isinstance(record[name], AvroMap) for name in ("object", "object_again"))
    assert not isinstance(record["epochs"][0], AvroMap)
    assert codec.decode(container(ALERT, {**WRITTEN, "scores": None})).record["scores"] is None


@pytest.mark.parametrize(
    "kind",
    [
        "string",
        ["null", "long"],
        {"type": "array", "items": "double"},
        ["null", COUNTS, {"type": "record", "name": "either", "fields": [{"name": "x", "type": "long"}]}],
    ],
)
def test_what_holds_no_map_or_does_not_tell_has_none(kind: Any) -> None:
    assert maps_within(parse({"type": "record", "name": "r", "fields": [{"name": "f", "type": kind}]})) is None


def test_a_record_within_itself_is_not_followed() -> None:
    """Its own maps are found, those further down are not."""
    fields = [{"name": "next", "type": ["null", "node"]}, {"name": "counts", "type": COUNTS}]
    within = maps_within(parse({"type": "record", "name": "node", "fields": fields}))
    assert within == MapsWithin(fields=(("counts", MapsWithin(is_map=True)),))
    record = with_maps({"next": {"next": None, "counts": {}}, "counts": {"a": 1}}, within)
    assert isinstance(record["counts"], AvroMap)
