"""``simulate``, ``bundles``, ``evaluate``, and what the program says of itself."""

from __future__ import annotations

import csv
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ops.command_line import COMMANDS, SUMMARIES, app
from schemas.codec import Codec
from stream.transports.contract import Message

InTurn = Callable[..., list[tuple[int, str]]]
FILES_OF_SIX = {"sdss": 6, "boss": 6, "lamost": 6, "desi": 1, "4most-lrs": 6, "4most-hrs": 6, "weave": 2}
"""How many files hold six simulated spectra, by layout."""
SUBCOMMANDS = {
    "dead-letters": ("list", "show", "redrive"),
    "ledger": ("verify",),
    "topics": ("create",),
    "bundles": ("list", "verify", "cards"),
}


@pytest.mark.slow
def test_every_command_shows_an_example() -> None:
    """Of each command and subcommand the help has a line to copy."""
    for command in COMMANDS:
        for words in [(command, sub) for sub in SUBCOMMANDS.get(command, ())] or [(command,)]:
            done = CliRunner().invoke(app, [*words, "--help"], prog_name="specstream", env={"COLUMNS": "200"})
            assert done.exit_code == 0, done.output
            text = " ".join(done.output.split())
            assert "Example:" in text, words
            assert f"specstream {' '.join(words)}" in text, words


@pytest.mark.slow
def test_no_help_offers_a_completion_that_there_is_not() -> None:
    """Neither that of the program nor that of a command or subcommand."""
    for command in COMMANDS:
        for words in [(), (command,), *((command, sub) for sub in SUBCOMMANDS.get(command, ()))]:
            done = CliRunner().invoke(app, [*words, "--help"], prog_name="specstream", env={"COLUMNS": "200"})
            assert done.exit_code == 0, done.output
            assert "completion" not in done.output, words


@pytest.mark.slow
def test_the_list_of_commands_says_what_the_help_of_each_begins_with() -> None:
    """It is a copy, because asking each command takes the seconds of importing it."""
    group: Any = typer.main.get_command(app)
    told = {name: group.get_command(None, name).help.partition("\n\n")[0].replace("\n", " ") for name in COMMANDS}
    assert told == SUMMARIES


def test_the_list_of_commands_imports_none_of_them() -> None:
    """Nor what they bring, such as numpy."""
    command = [sys.executable, "-X", "importtime", "-m", "ops", "--help"]
    env = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert all(f"\N{BOX DRAWINGS LIGHT VERTICAL} {name} " in done.stdout for name in COMMANDS)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"numpy", *(target.partition(":")[0] for target in COMMANDS.values())}


@pytest.mark.slow
def test_the_program_knows_its_version_and_its_commands(specstream: Any) -> None:
    """``--version`` is that of the distribution; an unknown command is wrong usage."""
    assert specstream("--version").stdout == f"specstream {importlib.metadata.version('specstream')}\n"
    listed = specstream("--help").stdout
    assert all(command in listed for command in COMMANDS)
    assert specstream("clasify").returncode == 2


@pytest.mark.slow
def test_simulations_repeat_with_their_seed(
    specstream: Any, in_turn: InTurn, codec: Codec, committed: Callable[[str, str], list[Message]], tmp_path: Path
) -> None:
    """The same seed gives the same bytes, another one others; the truth has a row for each; a second run adds none."""
    truth_file = str(tmp_path / "truth.csv")
    words = ["simulate", "-n", "12", "--to"]
    done = specstream(*words, f"file:{tmp_path}/a/l1", "--seed", "7", "--truth", truth_file)
    runs = [
        (done.returncode, done.stderr),
        *in_turn(
            [
                [*words, f"file:{tmp_path}/{folder}/l1", "--seed", *more]
                for folder, *more in (("b", "7"), ("a", "7"), ("c", "8"), ("d", "7", "--form", "alerts"))
            ]
        ),
    ]
    for status, said in runs:
        assert status == 0, said
        assert "12 simulated records" in said
    first, same, other, alerts = (
        [message.value for message in committed(f"file:{tmp_path}/{folder}", "l1")] for folder in "abcd"
    )
    assert len(first) == len(alerts) == 12
    assert same == first
    assert not set(other) & set(first)
    with (tmp_path / "truth.csv").open(newline="") as file:
        truths = list(csv.DictReader(file))
    assert [row["l1_id"] for row in truths] == [codec.decode(value or b"").record["l1_id"] for value in first]
    assert {row["kind"] for row in truths} <= {"GALAXY", "QSO", "STAR", "OTHER"}


@pytest.mark.slow
def test_simulated_files_are_ingested_like_a_surveys(
    in_turn: InTurn, codec: Codec, committed: Callable[[str, str], list[Message]], tmp_path: Path
) -> None:
    """The same seed writes the same files; every spectrum in them becomes a record; the truth has a row for each."""
    lines = []
    for form in FILES_OF_SIX:
        folder = tmp_path / form
        words = ["simulate", "-n", "6", "--seed", "3", "--form", form, "--fits"]
        lines += [
            [*words, str(folder / "night"), "--truth", str(folder / "truth.csv")],
            [*words, str(folder / "again")],
            ["ingest", str(folder / "night"), "--to", f"file:{folder / 'spool'}/l1"],
        ]
        folder.mkdir()
    for status, said in in_turn(lines):
        assert status == 0, said
    for form, number in FILES_OF_SIX.items():
        night, again = tmp_path / form / "night", tmp_path / form / "again"
        names = sorted(path.name for path in night.iterdir())
        assert len(names) == number
        assert [(again / name).read_bytes() for name in names] == [(night / name).read_bytes() for name in names]
        came = committed(f"file:{tmp_path / form / 'spool'}", "l1")
        objects = [codec.decode(message.value or b"").record["object_id"] for message in came]
        with (tmp_path / form / "truth.csv").open(newline="") as file:
            assert sorted(row["l1_id"] for row in csv.DictReader(file)) == sorted(objects)


@pytest.mark.slow
def test_a_simulation_without_a_place_or_a_layout_is_refused_by_name(in_turn: InTurn, tmp_path: Path) -> None:
    """One line says which option, and what was expected; nothing is written."""
    place, topic = ["--fits", str(tmp_path / "x")], ["--to", f"file:{tmp_path}/y/l1"]
    cases = (
        ([], "--to"),
        ([*topic, *place], "--to and --fits"),
        ([*place, "--form", "jpas"], "received jpas"),
        ([*place, "--form", "alerts"], "received alerts"),
        ([*topic, "--form", "alerts", "--truth", str(tmp_path / "t.csv")], "--truth"),
        ([*place, "--form", "4most-exposure", "-n", "12"], "--number: expected none"),
    )
    ended = in_turn([["simulate", *words] for words, _ in cases])
    for (words, told), (status, said) in zip(cases, ended, strict=True):
        assert status == 2, words
        assert told in " ".join(said.split()), words
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_bundles_that_ship_are_listed_and_intact(specstream: Any) -> None:
    """Each bundle has its line in both lists."""
    listed, verified = specstream("bundles", "list"), specstream("bundles", "verify")
    assert listed.returncode == 0, listed.stderr
    assert verified.returncode == 0, verified.stderr
    for name in ("spectral-classifier", "spectral-anomaly", "qso-finder", "stamp-anomaly", "jpas-qso-finder"):
        assert name in listed.stdout
        assert f"{name}: " in verified.stdout


@pytest.mark.slow
def test_evaluation_without_spectra_or_a_folder_to_write_to_is_refused(specstream: Any, tmp_path: Path) -> None:
    """Each is named, before any work."""
    done = specstream("evaluate", "--data", tmp_path)
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr.replace("\n", "")


@pytest.mark.slow
def test_cards_are_written_of_every_bundle_that_ships(specstream: Any, tmp_path: Path) -> None:
    """One file a bundle; an evaluation that is none is named."""
    assert specstream("bundles", "cards", "--output", tmp_path / "cards").returncode == 0
    assert {"spectral-classifier.md", "stamp-anomaly.md"} <= {path.name for path in (tmp_path / "cards").iterdir()}
    (tmp_path / "no.json").write_text("no")
    done = specstream("bundles", "cards", "--output", tmp_path / "cards", "--evaluation", tmp_path / "no.json")
    assert done.returncode == 2
    assert "--evaluation" in done.stderr
