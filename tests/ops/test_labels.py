"""Labels of a survey: from rows, from tables, and which of several for one spectrum counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.labels import labels_of, read_labels
from ops.listing.astropy_table import write_table
from schemas.catalogue import Catalogue
from schemas.codec import Codec
from stream.errors import ConfigurationError
from stream.settings import load_settings

CODEC = Codec(Catalogue.embedded())


def test_the_latest_label_of_a_spectrum_counts() -> None:
    rows = [
        {"l1_id": "a", "class_name": "QSO_nan", "labelled_ms": 20},
        {"l1_id": "a", "class_name": "STAR_A0", "labelled_ms": 10},
        {"l1_id": "b", "class_name": "STAR_A0"},
        {"l1_id": "b", "class_name": "STAR_F5"},
    ]
    found = labels_of(rows)
    assert (found["a"].class_name, found["b"].class_name) == ("QSO_nan", "STAR_F5")


def test_an_artefact_takes_a_label_back_and_doubt_without_a_class_says_nothing() -> None:
    rows = [
        {"l1_id": "a", "class_name": "QSO_nan", "verdict": "CONFIRMED", "labelled_ms": 1},
        {"l1_id": "a", "class_name": "QSO_nan", "verdict": "ARTEFACT", "labelled_ms": 2},
        {"l1_id": "b", "class_name": None, "verdict": "WRONG"},
        {"l1_id": "c", "class_name": "STAR_K5", "verdict": "WRONG"},
        {"l1_id": "d", "class_name": None, "verdict": "CONFIRMED", "l2_id": "x"},
    ]
    found = labels_of(rows)
    assert set(found) == {"c", "d"}
    assert (found["d"].class_name, found["d"].l2_id) == (None, "x")


def test_an_artefact_is_a_class_where_a_bundle_has_it() -> None:
    rows = [
        {"l1_id": "a", "class_name": None, "verdict": "ARTEFACT"},
        {"l1_id": "b", "class_name": "NUCLEAR", "verdict": "WRONG"},
    ]
    found = labels_of(rows, artefacts=True)
    assert {l1_id: label.class_name for l1_id, label in found.items()} == {"a": "ARTEFACT", "b": "NUCLEAR"}


@pytest.mark.parametrize("ending", [".csv", ".ecsv", ".fits"])
def test_tables_of_every_form_give_the_same_labels(ending: str, tmp_path: Path) -> None:
    rows = [
        {"l1_id": "0017", "class_name": "QSO_nan", "object_id": "one"},
        {"l1_id": "18", "class_name": "STAR_A0", "object_id": "two"},
    ]
    write_table(rows, {}, tmp_path / f"labels{ending}")
    found = read_labels(str(tmp_path / f"labels{ending}"), load_settings(None), CODEC)
    assert {name: (label.class_name, label.object_id) for name, label in found.items()} == {
        "0017": ("QSO_nan", "one"),
        "18": ("STAR_A0", "two"),
    }


def test_a_table_without_the_columns_or_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("name,class\na,QSO_nan\n")
    with pytest.raises(ConfigurationError, match=r"expected columns l1_id and class_name.*received name, class"):
        read_labels(str(tmp_path / "labels.csv"), load_settings(None), CODEC)
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_labels(str(tmp_path / "none.csv"), load_settings(None), CODEC)
    with pytest.raises(ConfigurationError, match="ending in"):
        read_labels(str(tmp_path / "labels.txt"), load_settings(None), CODEC)
