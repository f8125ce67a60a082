"""Lists of records in every format, read back by the tools that people use for them."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from astropy.table import Table

from ops.listing.astropy_table import write_table
from ops.listing.columns import unit_of
from ops.listing.flat import flat, plain, short, text_of
from ops.listing.writers import field_names, open_writer
from schemas.codec import Codec
from stream.errors import ConfigurationError

RECORD: dict[str, Any] = {
    "l2_id": "a",
    "source": {"topic": "t", "partition": 0, "offset": 12},
    "object_id": "NGC 1, the first",
    "top_class": "QSO_nan",
    "class_probabilities": {"QSO_nan": 0.75, "STAR_A0": 0.25},
    "redshift": 2.5,
    "redshift_error": float("nan"),
    "ra_deg": None,
    "unknown": True,
    "unknown_reason": "NOVEL",
    "engines": [{"name": "x"}],
    "original_value": b"\x00\xff",
    "flux": np.array([1.0, np.nan], dtype=np.float32),
}


def written(form: str, *records: dict[str, Any]) -> str:
    """Return what a writer says of the records."""
    lines: list[str] = []
    writer = open_writer(form, lines.append, {"ra_deg": "deg"})
    for record in records:
        writer.write(record, "org.specstream.l2_classification")
    writer.close()
    return "\n".join(lines)


def rows_in(form: str, text: str) -> int:
    """Return how many records a text has, read as people read it."""
    if form == "jsonl":
        return len([json.loads(line) for line in text.splitlines()])
    if form == "csv":
        return len(list(csv.DictReader(io.StringIO(text))))
    return len(Table.read(text, format="ascii.ecsv"))


def test_a_table_shows_the_velocity_of_a_star_beside_the_redshifts_of_others() -> None:
    star = {**RECORD, "redshift": None, "radial_velocity_km_s": -23.4567, "radial_velocity_error_km_s": 4.0}
    heading, galaxy, other = written("table", RECORD, star).splitlines()
    place = slice(heading.index("v [km/s]"), heading.index("S/N"))
    assert galaxy[place].strip() == ""
    assert other[place].split() == ["-23.457", "4"]


def test_json_lines_are_strict_json() -> None:
    """NaN becomes null, bytes base64, arrays lists."""
    read = json.loads(written("jsonl", RECORD), parse_constant=lambda name: pytest.fail(name))
    assert read["redshift_error"] is None
    assert read["flux"] == [1.0, None]
    assert read["original_value"] == "AP8="
    assert read["source"]["offset"] == 12


def test_csv_reads_back_with_dotted_names() -> None:
    """A comma in a value does not shift a column."""
    rows = list(csv.DictReader(io.StringIO(written("csv", RECORD, RECORD))))
    assert len(rows) == 2
    assert rows[1]["object_id"] == "NGC 1, the first"
    assert float(rows[1]["class_probabilities.QSO_nan"]) == 0.75
    assert rows[0]["ra_deg"] == ""


def test_csv_has_the_same_columns_whichever_record_comes_first(codec: Codec) -> None:
    """An alert, then a spectrum of another class scheme: each one's probabilities are there, whatever the order."""
    schema = json.loads(codec.catalogue.text("org.specstream.l2_classification"))
    names = field_names(schema)
    assert {"source.topic", "class_probabilities", "redshift"} <= set(names)
    alert = {**RECORD, "class_probabilities": {"NUCLEAR": 0.9, "BOGUS": 0.1}, "flux": None}
    spectrum = {**RECORD, "flux": None}
    texts = []
    for records in ((alert, spectrum), (spectrum, alert)):
        lines: list[str] = []
        writer = open_writer("csv", lines.append, {}, names=[*names, "original_value"])
        for record in records:
            writer.write(record, "org.specstream.l2_classification")
        assert len(lines) == 1 + len(records)  # none waits: --follow shows them as they come
        writer.close()
        rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
        assert [json.loads(row["class_probabilities"]) for row in rows] == [
            record["class_probabilities"] for record in records
        ]
        assert [row["source.offset"] for row in rows] == ["12", "12"]
        texts.append(lines)
    assert texts[0][0] == texts[1][0]
    assert texts[0][1:] == texts[1][:0:-1]


def test_csv_has_a_column_for_a_map_whose_keys_come_and_go(
    codec: Codec, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fink's features by filter: an alert that has them in one filter, then alerts of others."""
    container = (data_dir / "alerts" / "fink_lsst" / "part-2-918301.avro").read_bytes()
    features = [
        {"lc_features": decoded.record["lc_features"]}
        for decoded in codec.decode_all(container)
        if decoded.record["lc_features"]
    ]
    assert len({tuple(each["lc_features"]) for each in features}) > 1
    rows = list(csv.DictReader(io.StringIO(written("csv", *features))))
    assert [list(json.loads(row["lc_features"])) for row in rows] == [list(each["lc_features"]) for each in features]
    assert capsys.readouterr().err == ""


def test_csv_says_what_it_has_no_column_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Fields that only later records have are told once; an empty one is no loss, a record in place of null is text."""
    first = {"a": 1, "ss": None}
    lines = written("csv", first, {**first, "b": 2, "c": None}, {**first, "b": 3, "ss": {"x": 1}}).splitlines()
    assert lines == ["a,ss", "1,", "1,", '1,"{""x"":1}"']
    said = capsys.readouterr().err
    assert said.count("no column for b of") == 1
    assert said.count("no column") == 1


@pytest.mark.parametrize("form", ["jsonl", "csv", "ecsv"])
def test_alerts_of_lsst_are_written_in_every_format(form: str, codec: Codec, data_dir: Path) -> None:
    """Their times are ISO 8601, their records nested and null in turn."""
    files = [
        *sorted((data_dir / "alerts" / "fink_lsst").glob("*.avro")),
        data_dir / "alerts" / "lsst_wire_matrix" / "lsst.v8_0.avro",
    ]
    alerts = [decoded.record for file in files for decoded in codec.decode_all(file.read_bytes())]
    sources = [alert["diaSource"] for alert in alerts]
    moments = [value for source in sources for value in source.values() if isinstance(value, datetime)]
    text = written(form, *reversed(alerts))
    before = csv.field_size_limit(10_000_000)  # cutouts are long
    try:
        assert rows_in(form, text) == len(alerts)
    finally:
        csv.field_size_limit(before)
    assert moments
    assert all(moment.isoformat() in text for moment in moments)


def test_times_decimals_and_uuids_are_text() -> None:
    """What Avro's logical types become and JSON does not know."""
    name = UUID("12345678-1234-5678-1234-567812345678")
    given = [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), date(2026, 1, 2), time(3, 4, 5), Decimal("1.50"), name]
    told = ["2026-01-02T03:04:05+00:00", "2026-01-02", "03:04:05", "1.50", str(name)]
    assert plain(given) == told
    assert list(flat(dict(zip("abcde", given, strict=True))).values()) == told


def test_ecsv_reads_back_with_units_and_masks() -> None:
    """Astropy reads the table that astropy users asked for."""
    table = Table.read(written("ecsv", RECORD, RECORD | {"ra_deg": 10.5}), format="ascii.ecsv")
    assert str(table["ra_deg"].unit) == "deg"
    assert table["ra_deg"].mask.tolist() == [True, False]
    assert table["redshift"].tolist() == [2.5, 2.5]


def test_a_table_shows_the_verdict_in_aligned_columns() -> None:
    """The heading stands above its values."""
    heading, row = written("table", RECORD).split("\n")
    assert row[heading.index("class") :].startswith("QSO_nan")
    assert row[heading.index("unknown") :].startswith("NOVEL")
    assert row[heading.index("P ") :].startswith("0.75")


@pytest.mark.parametrize("name", ["t.ecsv", "t.csv", "t.fits"])
def test_a_table_file_reads_back(name: str, tmp_path: Path) -> None:
    """Each extension gives a file that astropy opens with the same numbers."""
    write_table([flat(RECORD), flat(RECORD | {"object_id": "é"})], {}, tmp_path / name)
    table = Table.read(tmp_path / name)
    assert len(table) == 2
    assert float(table["redshift"][1]) == 2.5


def test_an_unknown_table_extension_is_refused(tmp_path: Path) -> None:
    """The message names what is allowed."""
    with pytest.raises(ConfigurationError, match=r"\.ecsv, \.csv or \.fits, got t\.xls"):
        write_table([], {}, tmp_path / "t.xls")


@pytest.mark.parametrize(
    ("doc", "unit"),
    [
        ("Right ascension, ICRS [deg].", "deg"),
        ("Start, UTC [MJD, d].", "d"),
        ("Probability [0..1].", None),
        ("A name.", None),
        ("Entropy [nat].", None),
    ],
)
def test_a_unit_is_read_from_the_documentation(doc: str, unit: str | None) -> None:
    """Only real units count."""
    assert unit_of(doc) == unit


def test_a_name_never_exceeds_its_width() -> None:
    """Long names are cut with a sign."""
    assert short("0123456789" * 3, 10) == "01234…6789"
    assert short("ab", 1) == "…"
    assert text_of(np.zeros(3)) == "<3 values>"
    assert plain((float("inf"),)) == [None]


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".fits"])
def test_a_table_that_cannot_be_written_leaves_the_one_before_as_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, suffix: str
) -> None:
    """The disk is full in the middle of it: the file is whole or as before, and nothing lies beside it."""
    path = tmp_path / f"verdicts{suffix}"
    write_table([{"a": 1}], {}, path)
    before = path.read_bytes()

    def full(_: Table, to: Path, **__: Any) -> None:
        Path(to).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Table, "write", full)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        write_table([{"a": 2}], {}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
