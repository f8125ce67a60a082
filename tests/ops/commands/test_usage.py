"""A wrong command line is one line that says what was expected, with status 2, and leaves nothing behind."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WRONG = {
    "nonsense": ("'nonsense'", "see specstream --help"),
    "run": ("'--config'", "see specstream run --help"),
    "tail": ("TOPIC_URL", "see specstream tail --help"),
    "ledger nonsense": ("'nonsense'", "see specstream ledger --help"),
    "run --config s.toml --log-level loud": ("--log-level", "debug, info, warning or error", "loud"),
    "ingest night": ("'--to'", "see specstream ingest --help"),
    "simulate --to file:spool/l1 -n 0": ("--number", "1"),
    "simulate --to file:spool/l1 --form fits": ("--form", "'fits'", "'sdss'"),
    "tail file:spool/l1 --format xml": ("--format", "'xml'", "'ecsv'"),
    "tail file:spool/l1 --colour": ("--colour", "see specstream tail --help"),
    "tail file:spool/l2": ("'l2'", "it has: l1"),
    "tail file:nowhere/l1": ("nowhere does not exist",),
    "tail spool/l1": ("'spool/l1'", "file:FOLDER/TOPIC"),
    "archive file:spool/l2 --to file:kept": ("'l2'", "it has: l1"),
    "archive file:spool/l1 --to kept": ("'kept'", "file:FOLDER"),
    "ingest absent.fits --to file:new/l1": ("absent.fits: no such file or folder",),
    "produce absent.avro --to file:new/ztf": ("absent.avro: no such file or folder",),
    "ingest /dev/zero --to file:new/l1": ("/dev/zero: expected a file or folder, received a device",),
    "produce /dev/zero --to file:new/ztf": ("/dev/zero: expected a file or folder, received a device",),
    "classify /dev/zero": ("/dev/zero: expected a file or folder, received a device",),
    "dead-letters redrive -c s.toml --reason FOUL": ("--reason", "'FOUL'", "'UNKNOWN_FRAMING'"),
    "dead-letters show 7 -c s.toml": ("PARTITION:OFFSET", "dead-letters list", "'7'"),
    "dead-letters list -c s.toml --where 'reason =='": ("'reason =='", "invalid syntax", "allowed: names"),
    "bundles verify --runtime abacus": ("'abacus' cannot serve", "onnxruntime"),
    "bundles list absent": ("absent/bundle.json", "No such file"),
    "archive file:nowhere/l1 --to file:kept": ("nowhere does not exist",),
    "simulate --to file:spool/l2 --truth nowhere/truth.csv": ("--truth", "nowhere/truth.csv"),
    "classify s.toml --output nowhere/table.csv": ("--output", "nowhere/table.csv"),
    "classify s.toml --plot s.toml": ("--plot", "s.toml", "File exists"),
    "bench --output s.toml": ("--output", "s.toml", "File exists"),
    "bench --only hopes": ("--only", "'hopes'", "latency"),
    "calibrate --labels absent.csv --spectra file:spool/l1 -o new": ("--labels", "absent.csv", "No such file"),
    "calibrate --labels s.toml --spectra file:spool/l1 -o new": ("--labels", ".csv", "s.toml"),
    "calibrate --labels file:spool/l1 --spectra file:spool/l1 -o s.toml": ("s.toml", "a file"),
    "calibrate --labels file:spool/l1 --spectra file:spool/l1 -o new": ("--labels", "none that name one"),
    "evaluate --data spool": ("--data", "real_spectra.npz", "spool"),
    "bundles cards -o s.toml": ("--output", "s.toml", "File exists"),
}


@pytest.mark.slow
def test_a_wrong_command_line_is_named_in_one_line(
    in_turn: Callable[..., list[tuple[Any, str]]],
    write_config: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Missing and unknown commands, options, choices, files, topics, letters: one line each, and no new folder."""
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "s.toml", "file:spool", 'l1_spectrum = "l1"')
    made, *ended = in_turn([shlex.split(line) for line in ("simulate --to file:spool/l1 -n 1", *WRONG)])
    assert not made[0], made[1]
    for (line, words), (status, said) in zip(WRONG.items(), ended, strict=True):
        assert status == 2, (line, said)
        assert said.startswith("specstream: "), line
        assert said.count("\n") == 1, said
        assert all(word in said for word in words), (line, said)
    assert {path.name for path in tmp_path.iterdir()} == {"s.toml", "spool"}


@pytest.mark.slow
def test_a_command_without_its_own_command_shows_its_help(in_turn: Callable[..., list[tuple[Any, str]]]) -> None:
    """The help is the answer: nothing more is said, and the status is that of wrong usage."""
    assert in_turn([[], ["topics"]]) == [(2, ""), (2, "")]


@pytest.mark.slow
def test_a_folder_without_spectra_and_a_disk_that_refuses_are_named(
    in_turn: Callable[..., list[tuple[Any, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing found is status 1, a folder under a file's name 2 before the work, a disk that is full 3."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").mkdir()
    simulate = ["simulate", "--to", "file:spool/l1", "-n", "1", "--truth"]
    nothing, taken, refused = in_turn([["classify", "empty"], [*simulate, "taken"], [*simulate, "/dev/full"]])
    assert nothing == (1, "no spectra in empty: expected FITS files or folders of them\n")
    assert taken == (2, "specstream: --truth: expected a file in a folder that is there, received taken\n")
    assert refused[0] == 3
    assert refused[1].splitlines()[-1].endswith("No space left on device")


@pytest.mark.slow
def test_a_mistyped_topic_of_a_folder_is_warned_of_as_it_is_waited_for(
    in_turn: Callable[..., list[tuple[Any, str]]],
    write_config: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``run`` names the input topic that is not there, and only that one."""
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "s.toml", "file:spool", 'l1_spectrum = "l1"\nimage_alert = ["zft"]')
    made, ran = in_turn(
        [shlex.split(line) for line in ("simulate --to file:spool/l1 -n 1", "run -c s.toml --until-idle 0")]
    )
    assert not made[0], made[1]
    assert not ran[0], ran[1]
    said = [json.loads(line) for line in ran[1].splitlines()]
    assert [line["topic"] for line in said if line["event"] == "topic is not there yet"] == ["zft"]
