"""Lists of records in every format, read back by the tools that people use for them."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from rich.console import Console

from ops.listing.astropy_table import write_table
from ops.listing.columns import L2_COLUMNS, unit_of
from ops.listing.flat import flat, plain, short
from ops.listing.verdicts import verdict_table
from ops.listing.writers import open_writer
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


def test_a_table_shows_the_velocity_of_a_star_beside_the_redshifts_of_others() -> None:
    star = {**RECORD, "redshift": None, "radial_velocity_km_s": -23.4567, "radial_velocity_error_km_s": 4.0}
    heading, galaxy, other = written("table", RECORD, star).splitlines()
    place = slice(heading.index("v [km/s]"), heading.index("S/N"))
    assert galaxy[place].strip() == ""
    assert other[place].split() == ["-23.457", "4"]


def test_a_terminal_shows_brackets_in_names_and_units_as_they_are() -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(verdict_table([{**RECORD, "object_id": "[HB89] 0552+398"}], L2_COLUMNS))
    heading, row = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert "v [km/s]" in heading
    assert row.split()[:2] == ["[HB89]", "0552+398"]


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


def test_a_cell_never_exceeds_its_width() -> None:
    """Long names are cut with a sign."""
    assert short("0123456789" * 3, 10) == "01234…6789"
    assert short("ab", 1) == "…"
    assert short(np.zeros(3), 20) == "<3 values>"
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
