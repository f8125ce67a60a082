"""``simulate``, ``bundles``, ``evaluate``, and what the program says of itself."""

from __future__ import annotations

import csv
import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ops.command_line import COMMANDS, SUMMARIES, app
from schemas.codec import Codec
from stream.transports.contract import Message

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
def test_the_list_of_commands_says_what_the_help_of_each_begins_with() -> None:
    """It is a copy, because asking each command takes the seconds of importing it."""
    group: Any = typer.main.get_command(app)
    told = {name: group.get_command(None, name).help.partition("\n\n")[0].replace("\n", " ") for name in COMMANDS}
    assert told == SUMMARIES


def test_the_list_of_commands_imports_none_of_them(specstream: Any) -> None:
    """Nor what they bring, such as numpy."""
    done = specstream("--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
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
    specstream: Any, codec: Codec, committed: Callable[[str, str], list[Message]], tmp_path: Path
) -> None:
    """The same seed gives the same bytes, another one others; the truth has a row for each; a second run adds none."""

    def simulate(folder: str, seed: int, *more: object) -> list[bytes | None]:
        broker = f"file:{tmp_path / folder}"
        done = specstream("simulate", "--to", f"{broker}/l1", "-n", 12, "--seed", seed, *more)
        assert done.returncode == 0, done.stderr
        assert "12 simulated records" in done.stderr
        return [message.value for message in committed(broker, "l1")]

    first = simulate("a", 7, "--truth", tmp_path / "truth.csv")
    assert len(first) == 12
    assert simulate("b", 7) == first
    assert simulate("a", 7) == first
    assert not set(simulate("c", 8)) & set(first)
    with (tmp_path / "truth.csv").open(newline="") as file:
        truths = list(csv.DictReader(file))
    assert [row["l1_id"] for row in truths] == [codec.decode(value or b"").record["l1_id"] for value in first]
    assert {row["kind"] for row in truths} <= {"GALAXY", "QSO", "STAR", "OTHER"}
    assert len(simulate("d", 7, "--form", "alerts")) == 12
    done = specstream("simulate", "--to", f"file:{tmp_path}/e/l1", "--form", "alerts", "--truth", tmp_path / "t.csv")
    assert done.returncode == 2
    assert "--truth" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "files"), [("sdss", 6), ("desi", 1), ("4most-lrs", 6), ("4most-hrs", 6), ("weave", 2)]
)
def test_simulated_files_are_ingested_like_a_surveys(
    specstream: Any,
    codec: Codec,
    committed: Callable[[str, str], list[Message]],
    tmp_path: Path,
    form: str,
    files: int,
) -> None:
    """The same seed writes the same files; every spectrum in them becomes a record; the truth has a row for each."""
    night, again, truth = tmp_path / "night", tmp_path / "again", tmp_path / "truth.csv"
    done = specstream("simulate", "--fits", night, "-n", 6, "--seed", 3, "--form", form, "--truth", truth)
    assert done.returncode == 0, done.stderr
    assert specstream("simulate", "--fits", again, "-n", 6, "--seed", 3, "--form", form).returncode == 0
    names = sorted(path.name for path in night.iterdir())
    assert len(names) == files
    assert [(again / name).read_bytes() for name in names] == [(night / name).read_bytes() for name in names]
    broker = f"file:{tmp_path / 'spool'}"
    done = specstream("ingest", night, "--to", f"{broker}/l1")
    assert done.returncode == 0, done.stderr
    objects = [codec.decode(message.value or b"").record["object_id"] for message in committed(broker, "l1")]
    with truth.open(newline="") as file:
        assert sorted(row["l1_id"] for row in csv.DictReader(file)) == sorted(objects)


@pytest.mark.slow
def test_a_simulation_without_a_place_or_a_layout_is_refused_by_name(specstream: Any, tmp_path: Path) -> None:
    """One line says which option, and what was expected; nothing is written."""
    for words, told in (
        ([], "--to"),
        (["--to", "file:spool/l1", "--fits", tmp_path / "x"], "--to and --fits"),
        (["--fits", tmp_path / "x", "--form", "jpas"], "received jpas"),
        (["--fits", tmp_path / "x", "--form", "alerts"], "received alerts"),
    ):
        done = specstream("simulate", *words)
        assert done.returncode == 2, words
        assert told in " ".join(done.stderr.split()), words
    assert not (tmp_path / "x").exists()


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
def test_evaluation_writes_a_page_and_its_numbers(data_dir: Path, tmp_path: Path) -> None:
    """The table on the terminal, the page with its pictures inside, the same numbers as JSON."""
    words = ["evaluate", "--data", str(data_dir), "--output", str(tmp_path / "report"), "--simulations", "256"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "| 13 classes |" in done.output
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    numbers = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert page.count("data:image/png;base64,") > 20
    (entry,) = [each for each in numbers["proportions"] if each["name"] == "13 classes"]
    assert f"{entry['successes']}/{entry['n']} = " in page
    assert (tmp_path / "report" / "report.md").read_text(encoding="utf-8") in done.output + "\n"
    assert {"spectral-classifier", "stamp-anomaly"} <= numbers["engines"].keys()
    (section,) = [each for each in numbers["sections"] if each["title"] == "Map"]
    rows = section["items"][0]["rows"]
    assert [row[:2] for row in rows] == [
        [sample, shown] for sample in ("simulated", "real") for shown in ("map", "principal plane")
    ]
    assert all(0.85 < cell["value"] <= 1 and cell["n"] > 300 for row in rows for cell in row[2:])


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
