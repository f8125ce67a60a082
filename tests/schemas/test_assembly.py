"""A schema spread over several files is put together, and a folder that is no schema is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.assembly import assemble_texts, read_schema_files
from schemas.catalogue import Catalogue
from schemas.errors import CatalogueError, Undecodable

INNER = {"type": "record", "namespace": "a.b", "name": "inner", "fields": [{"name": "x", "type": "int"}]}
MIDDLE = {
    "type": "record",
    "namespace": "a.b",
    "name": "middle",
    "fields": [{"name": "one", "type": "a.b.inner"}, {"name": "many", "type": {"type": "array", "items": "inner"}}],
}
TOP = {
    "type": "record",
    "namespace": "a.b",
    "name": "top",
    "fields": [{"name": "m", "type": ["null", "a.b.middle"], "default": None}, {"name": "i", "type": "inner"}],
}


def write(folder: Path, *schemas: Any) -> Path:
    for index, schema in enumerate(schemas):
        (folder / f"{index}.avsc").write_text(json.dumps(schema), encoding="utf-8")
    return folder


def test_folder_is_put_together_around_the_one_type_that_no_other_uses(tmp_path: Path) -> None:
    schema = read_schema_files(write(tmp_path, INNER, TOP, MIDDLE))
    assert isinstance(schema, dict)
    assert schema["name"] == "a.b.top"


def test_file_finds_the_types_beside_it(tmp_path: Path) -> None:
    schema = read_schema_files(write(tmp_path, INNER, TOP, MIDDLE) / "2.avsc")
    assert isinstance(schema, dict)
    assert schema["name"] == "a.b.middle"


def test_file_that_is_whole_by_itself_needs_no_neighbours(tmp_path: Path) -> None:
    (tmp_path / "broken.avsc").write_text("{", encoding="utf-8")
    (tmp_path / "inner.avsc").write_text(json.dumps(INNER), encoding="utf-8")
    schema = read_schema_files(tmp_path / "inner.avsc")
    assert isinstance(schema, dict)
    assert schema["name"] == "a.b.inner"


def test_published_lsst_folder_is_put_together(alerts: Path) -> None:
    schema = read_schema_files(alerts / "lsst_schema")
    assert isinstance(schema, dict)
    assert schema["name"] == "lsst.v11_1.alert"


@pytest.mark.parametrize(
    ("schemas", "told"),
    [((), "exactly one"), ((INNER, {**INNER, "name": "other"}), "exactly one"), ((TOP,), "Undefined|middle")],
    ids=["none", "two tops", "missing part"],
)
def test_folder_that_is_no_schema_is_named(tmp_path: Path, schemas: tuple[Any, ...], told: str) -> None:
    with pytest.raises(CatalogueError, match=told) as caught:
        read_schema_files(write(tmp_path, *schemas))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1", '{"type": "recrod", "name": "x"}', '{"fields": []}'])
def test_file_that_is_no_schema_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.avsc"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError, match=r"x\.avsc"):
        read_schema_files(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"nowhere\.avsc"):
        Catalogue.embedded().with_ids({5: tmp_path / "nowhere.avsc"})


def test_texts_are_put_together_like_files() -> None:
    schema = json.loads(assemble_texts(json.dumps(TOP), (json.dumps(INNER), json.dumps(MIDDLE))))
    assert schema["fields"][0]["type"][1]["name"] == "middle"


def test_text_that_is_no_named_type_is_an_invalid_schema() -> None:
    with pytest.raises(Undecodable) as caught:
        assemble_texts('"int"', (json.dumps(INNER),))
    assert caught.value.reason == "INVALID_SCHEMA"
