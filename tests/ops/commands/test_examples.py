"""Every example that a help text shows works as it stands there: one night, on a folder and on a real broker.

Only names that belong to the reader are put in: the address of the broker, the letter that there is, a shorter wait.
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import tarfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ops.command_line import COMMANDS, app
from ops.commands.bench import PARTS
from ops.reading import everything
from stream.transports.contract import Message
from stream.transports.opening import open_reader

EXAMPLE = re.compile(r"Example: `(specstream [^`]+)`")
L1, L2, ALERTS, DEAD = "specstream.l1.spectrum", "specstream.l2.classification", "ztf", "specstream.dead_letter"
SIMULATED = 500
NOT_RUN = {"bench", "train", "evaluate", "bundles compile"}
"""Minutes of work, or a vendor's library that is not here; evaluate and compile are run elsewhere on what is at hand.
Here their examples are only read."""


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command with the words that name it."""
    program: Any = typer.main.get_command(app)
    for name in COMMANDS:
        command = program.get_command(None, name)
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {each}", inner[each]) for each in inner)


def examples() -> dict[str, list[str]]:
    """Return the words behind ``specstream`` of each command's example."""
    found = {}
    for name, command in commands():
        (example,) = EXAMPLE.findall(command.help)
        found[name] = shlex.split(example)[1:]
    return found


@pytest.mark.slow
def test_an_example_is_shown_as_it_is_to_be_typed_and_its_options_are_there() -> None:
    """The help shows it without marks around it, and the command takes it."""
    for name, command in commands():
        (example,) = EXAMPLE.findall(command.help)
        shown = CliRunner().invoke(app, [*name.split(), "--help"], prog_name="specstream", env={"COLUMNS": "200"})
        assert f"Example: {example}" in [line.strip() for line in shown.output.splitlines()], shown.output
        words = shlex.split(example)[1:]
        assert words[: len(name.split())] == name.split()
        command.make_context(name, words[len(name.split()) :])
    from ops.training import DEFAULTS

    assert examples()["train"][1] in DEFAULTS
    bench = examples()["bench"]
    assert {word for option, word in pairwise(bench) if option == "--only"} <= set(PARTS)


def held(broker: str, topic: str) -> list[Message]:
    """Return the committed messages of a topic, which may just have been made."""
    return list(everything(lambda: open_reader(broker, [topic])))


@pytest.fixture
def desk(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds the files the examples name; one alert is no alert."""
    monkeypatch.chdir(tmp_path)
    spectra = sorted((data_dir / "fits").glob("boss-*.fits"))
    (tmp_path / "night").mkdir()
    for number, path in enumerate(spectra):
        shutil.copy(path, tmp_path / "night" / path.name)
        shutil.copy(path, tmp_path / f"spec-{number}.fits")
    alerts = sorted((data_dir / "alerts" / "winter").glob("*.avro"))
    (tmp_path / "alerts").mkdir()
    for path in alerts[1:]:
        shutil.copy(path, tmp_path / "alerts" / path.name)
    (tmp_path / "alerts" / "junk.avro").write_bytes(b"no alert")
    with tarfile.open(tmp_path / "night.tar.gz", "w:gz") as tar:
        tar.add(alerts[0], alerts[0].name)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("where", ["file", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_the_examples_are_a_night(
    where: str,
    in_turn: Callable[..., list[tuple[Any, str]]],
    start_command: Callable[..., Any],
    until: Callable[[Callable[[], bool]], None],
    write_config: Callable[..., Path],
    desk: Path,
    request: pytest.FixtureRequest,
) -> None:
    """In the order of a night each example ends well, and what it promises is there."""
    broker = "file:spool" if where == "file" else f"kafka://{request.getfixturevalue('broker_url')}"
    write_config(desk / "specstream.toml", broker, f'image_alert = ["{ALERTS}"]', group="specstream")
    left = examples()
    for name in NOT_RUN:
        left.pop(name)

    def words(name: str, *changes: tuple[str, str]) -> list[str]:
        """Return an example with the reader's names put in and its patterns resolved, as a shell does."""
        line = left.pop(name)
        for before, after in (("kafka://localhost:9092/", f"{broker}/"), ("file:spool/", f"{broker}/"), *changes):
            line = [after + word.removeprefix(before) if word.startswith(before) else word for word in line]
        found = {word: sorted(map(str, Path().glob(word))) for word in line if re.fullmatch(r"[\w/*.-]*\*[\w.]*", word)}
        assert all(found.values()), found
        return [each for word in line for each in found.get(word, [word])]

    def do(*lines: list[str]) -> None:
        for line, (status, said) in zip(lines, in_turn(lines), strict=True):
            assert not status, (line, said)

    do(words("topics create"))
    watching = start_command(*words("ingest"))
    until(lambda: len(held(broker, L1)) == 2)
    watching.process.send_signal(signal.SIGTERM)
    assert watching.end() == 0, watching.log
    do(
        words("simulate"),
        words("produce"),
        words("run", ("10", "0.5")),
        words("tail"),
        words("dead-letters list"),
        words("ledger verify"),
        words("archive"),
    )
    assert len(held(broker, L1)) == 2 + SIMULATED == len(held("file:nights/2026-11-21", L1))
    assert len((desk / "truth.csv").read_text(encoding="utf-8").splitlines()) == 1 + SIMULATED
    do(words("calibrate"))
    assert (desk / "mine" / "bundle.json").is_file()
    (letter,) = held(broker, DEAD)
    assert len(held(broker, L2)) == 2 + SIMULATED + len(held(broker, ALERTS)) - 1
    do(
        words("dead-letters show", ("0:12", f"{letter.source.partition}:{letter.offset}")),
        words("dead-letters redrive"),
        *(
            (words("classify"), words("bundles list"), words("bundles verify"), words("bundles cards"))
            if where == "file"
            else ()
        ),
    )
    assert (desk / "poison.avro").read_bytes() == b"no alert"
    if where == "file":
        assert len(list((desk / "pictures").iterdir())) == 2
        assert (desk / "verdicts.ecsv").is_file()
    assert not left.keys() - {"classify", "bundles list", "bundles verify", "bundles cards"}
    assert left == {} or where == "kafka"
