"""Tables at every width of a terminal: whole numbers, shortened names, and a word on what is left out."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from classifiers.quality import Quality
from ops.commands.classify import FIRST_COLUMNS
from ops.listing.columns import COLUMNS, L2_COLUMNS, Column, cell, columns_of
from ops.listing.flat import text_of
from ops.listing.layout import lay_out
from ops.listing.verdicts import verdict_table
from ops.listing.writers import ROWS_BETWEEN_HEADINGS, TableWriter

L2 = "org.specstream.l2_classification"
WIDTHS = (60, 80, 100, 120, 160)
CLASSIFY_COLUMNS = (*FIRST_COLUMNS, *L2_COLUMNS[1:])
RECORD: dict[str, Any] = {
    "file": "desi-coadd-4-80613-thru20210324-and-more.fits",
    "l1_id": "iron/cumulative-4-80613-20210324/39633450086344",
    "object_id": None,
    "survey": "DESI",
    "top_class": "GALAXY_STARBURST",
    "class_probabilities": {"GALAXY_STARBURST": 0.99783},
    "redshift": 0.065812,
    "redshift_error": 5.4853e-05,
    "zwarn": 18,
    "radial_velocity_km_s": -123.456,
    "radial_velocity_error_km_s": 3.4553,
    "snr": 152.43,
    "p_qso": 7.4e-08,
    "unknown": True,
    "unknown_p_value": 0.000123,
    "anomaly_p_value": 0.17385,
    "unknown_reason": "OUT_OF_DOMAIN",
    "other_type": "CARBON",
}


def rendered(text: Any, width: int) -> list[str]:
    """Return the lines that a console of a width shows."""
    console = Console(file=io.StringIO(), width=width)
    console.print(text, soft_wrap=True)
    return str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]


def rows_of(width: int | None, *records: tuple[Mapping[str, Any], str]) -> list[str]:
    """Return the lines of a table that streams."""
    lines: list[str] = []
    writer = TableWriter(lines.append, width=width)
    for record, schema_name in records:
        writer.write(record, schema_name)
    return lines


def numbers_of(columns: tuple[Column, ...], headings: str) -> list[str]:
    """Return the whole numbers, classes and codes of the columns that a heading shows and that have one."""
    shown = [column for column in columns if not column.least and column.heading in headings.split("  ")]
    texts = [text_of(cell(RECORD, column.field), digits=column.digits) for column in shown]
    return [text for text in texts if text]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_terminal_never_cuts_a_number(width: int) -> None:
    """No line is longer than the terminal; every value is whole or its column is named as left out."""
    heading, row, *rest = rendered(verdict_table([RECORD], CLASSIFY_COLUMNS, width), width)
    assert max(map(len, (heading, row))) <= width
    said = " ".join(rest)
    headings = [part.strip() for part in heading.split("  ") if part.strip()]
    left_out = [column.heading for column in CLASSIFY_COLUMNS if column.heading not in headings]
    assert said == ("not shown, the terminal is too narrow: " + ", ".join(left_out) if left_out else "")
    cells = [part.strip() for part in row.split("  ") if part.strip()]
    numbers = numbers_of(CLASSIFY_COLUMNS, "  ".join(headings))
    assert {"GALAXY_STARBURST", "0.065812", "OUT_OF_DOMAIN"} <= set(numbers)
    assert width < 100 or {"0.9978", "18", "-123.46"} <= set(numbers)
    assert [each for each in cells if each in numbers] == numbers


def test_what_is_piped_is_whole() -> None:
    """Names as long as they are, every column, one line a record, however long."""
    long = {**RECORD, "file": "f" * 300 + ".fits"}
    heading, row = rendered(verdict_table([long], CLASSIFY_COLUMNS, None), 80)
    assert long["file"] in row
    assert RECORD["l1_id"] in row
    assert [part.strip() for part in heading.split("  ") if part.strip()] == [each.heading for each in CLASSIFY_COLUMNS]
    letter = {"message": "m" * 500, "reason": "TOO_LARGE"}
    assert rows_of(None, (letter, "org.specstream.dead_letter"))[1].endswith("m" * 500)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", [*COLUMNS, "alert"])
def test_a_heading_fits_every_terminal(kind: str, width: int) -> None:
    """Of every kind of record, with the columns as wide as those of a list that streams."""
    columns = columns_of(kind)
    layout = lay_out(columns, [column.width for column in columns], width)
    assert sum(layout.widths) + 2 * (len(layout.widths) - 1) <= width
    for place, wide in zip(layout.shown, layout.widths, strict=True):
        assert wide >= (columns[place].least or columns[place].width)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_list_that_streams_never_cuts_a_number(width: int) -> None:
    """A number that is longer than its column stays whole, and the columns after it come back to their place."""
    *note, heading, row, longer = rows_of(width, (RECORD, L2), ({**RECORD, "zwarn": 123456}, L2))
    assert heading.startswith("object")
    assert ("p(VAE)" in "".join(note)) != ("p(VAE)" in heading)
    assert max(map(len, (heading, row))) <= width
    assert "0.065812" in row
    assert ("123456" in longer) == ("zwarn" in heading)
    assert longer.index("OUT_OF") - heading.index("unknown") in {0, 1, 2, 3}


def test_a_terminal_shows_brackets_in_names_and_units_as_they_are() -> None:
    record = {**RECORD, "object_id": "[HB89] 0552+398"}
    heading, row = rendered(verdict_table([record], L2_COLUMNS, None), 200)
    assert "v [km/s]" in heading
    assert row.split()[:2] == ["[HB89]", "0552+398"]


@pytest.mark.parametrize(("zwarn", "shown"), [(None, None), (0, None), (-1, None), (4, 4)])
def test_a_redshift_is_marked_where_there_is_something_to_warn_of(zwarn: int | None, shown: int | None) -> None:
    assert cell({"zwarn": zwarn}, "zwarn") == shown


def test_the_p_value_that_flags_is_called_p() -> None:
    """That of the VAE alone is called so."""
    headings = {column.field: column.heading for column in L2_COLUMNS}
    assert (headings["unknown_p_value"], headings["anomaly_p_value"]) == ("p", "p(VAE)")


@pytest.mark.parametrize(
    ("flags", "reason", "shown"),
    [
        (0, None, None),
        (Quality.SECOND_REDSHIFT, None, "2nd z"),
        (Quality.BROAD_ABSORPTION | Quality.GAPS, "NOVEL", "BAL"),
        (Quality.SECOND_REDSHIFT | Quality.BROAD_ABSORPTION, None, "2nd z, BAL"),
        (Quality.SECOND_REDSHIFT, "OTHER_KNOWN", None),
        (Quality.BROAD_ABSORPTION, "BAD_DATA", None),
    ],
)
def test_what_else_an_object_has_is_shown_in_words(flags: int, reason: str | None, shown: str | None) -> None:
    """Not of what is of a known other type (molecular bands are no troughs), and not of what cannot be judged."""
    assert cell({"quality_flags": int(flags), "unknown_reason": reason}, "found") == shown


def test_a_record_without_an_object_shows_its_own_name() -> None:
    """Else its coordinates."""
    place = {"ra_deg": 150.125, "dec_deg": 2.5}
    assert cell({"object_id": "o", "l1_id": "i", **place}, "name") == "o"
    assert cell({"object_id": None, "l1_id": "i", **place}, "name") == "i"
    assert cell({"object_id": None, "l1_id": "", **place}, "name") == "150.12500 +2.50000"
    assert cell({"object_id": None}, "name") is None


def test_kinds_that_take_turns_do_not_repeat_their_headings() -> None:
    """One heading a kind, again after so many rows; kinds with the same columns share it; one kind never repeats."""
    letter = {"reason": "WRONG_SCHEMA", "message": "m"}
    turns = [(RECORD, L2), (letter, "org.specstream.dead_letter")] * (ROWS_BETWEEN_HEADINGS // 2)
    lines = rows_of(None, *turns)
    assert len(lines) == len(turns) + 2
    assert len(rows_of(None, *turns, *turns)) == 2 * len(turns) + 4
    alerts = [({"schema": name}, name) for name in ("lsst.v7_1.alert", "ztf.alert", "lsst.v8_0.alert")]
    assert len(rows_of(None, *alerts)) == 1 + len(alerts)
    assert len(rows_of(None, *[(RECORD, L2)] * 50)) == 51
