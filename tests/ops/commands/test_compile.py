"""``specstream bundles compile`` builds what the service will ask for, says what it made, and errs in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from classifiers.suite import default_bundles

STAMPS = next(folder for folder in default_bundles() if folder.name == "stamp-anomaly")
QUASARS = next(folder for folder in default_bundles() if folder.name == "qso-finder")
ANOMALY = next(folder for folder in default_bundles() if folder.name == "spectral-anomaly")


def compiled(specstream: Any, *words: object, env: dict[str, str] | None = None) -> Any:
    """Run the command with the library that builds without a GPU."""
    return specstream("bundles", "compile", "--runtime", "tensorrt_rtx", *words, env=env)


@pytest.mark.slow
def test_an_engine_is_built_described_and_found_the_next_time(specstream: Any, tmp_path: Path) -> None:
    """Its size, seconds and place, and each layer that is in another format than asked for."""
    words = (STAMPS, "--dtype", "fp16", "--buckets", "64,16", "--cache", tmp_path / "engines")
    done = compiled(specstream, *words)
    assert done.returncode == 0, done.stderr
    first, place, counted, *layers = done.stdout.splitlines()
    assert re.fullmatch(r"stamp-anomaly: fp16, batches of 16,64, \d+\.\d MB, built in \d+\.\d s", first)
    engine = Path(place.strip())
    assert engine.parent == tmp_path / "engines"
    assert engine.stat().st_size > 1e6
    if "layers of the network" in counted:  # where a GPU is, the library tells of the engine's layers instead
        count, of = re.findall(r"\d+", counted)[:2]
        assert len(layers) == int(count) < int(of)
    assert all(line.startswith("    fp32 ") for line in layers)
    again = compiled(specstream, *words)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[0] == first.replace("built in", "found, built in")
    assert again.stdout.splitlines()[1:] == done.stdout.splitlines()[1:]


@pytest.mark.slow
def test_bundles_that_read_the_same_become_one_engine(specstream: Any, tmp_path: Path) -> None:
    """As in the service, whose variables are read here, too; in tf32 no layer is out of place."""
    service = {"SPECSTREAM_ENGINES__CACHE": str(tmp_path), "SPECSTREAM_ENGINES__DTYPE": "tf32"}
    done = compiled(specstream, QUASARS, ANOMALY, "--buckets", "16", env=service)
    assert done.returncode == 0, done.stderr
    first, place = done.stdout.splitlines()
    assert first.startswith("qso-finder+spectral-anomaly: tf32, batches of 16, ")
    assert [path.name for path in tmp_path.glob("*.engine")] == [Path(place.strip()).name]


@pytest.mark.slow
def test_a_damaged_engine_is_named_and_built_again(specstream: Any, tmp_path: Path) -> None:
    """With expected and found, on standard error."""
    words = (STAMPS, "--buckets", "16", "--cache", tmp_path)
    assert compiled(specstream, *words).returncode == 0
    (engine,) = tmp_path.glob("*.engine")
    whole = engine.read_bytes()
    engine.write_bytes(whole[:1000])
    done = compiled(specstream, *words)
    assert done.returncode == 0
    assert f"{engine}: expected {len(whole)} bytes, found 1000" in done.stderr
    assert ", built in" in done.stdout


@pytest.mark.slow
def test_what_cannot_be_compiled_is_one_line_and_status_2(
    in_turn: Callable[..., list[tuple[Any, str]]], tmp_path: Path
) -> None:
    """Another runtime, format, batch size, folder or bundle than there is."""
    (tmp_path / "taken").write_bytes(b"")
    rtx = "--runtime tensorrt_rtx"
    cases = {
        "--runtime torch": "--runtime: expected one of tensorrt, tensorrt_rtx, received torch",
        "": "--runtime",
        f"{rtx} --dtype int8": "--dtype: expected one of fp32, tf32, fp16, bf16",
        f"{rtx} --buckets 16,many": "--buckets: expected batch sizes such as 16,64,256",
        f"{rtx} --buckets 0": "--buckets: expected batch sizes",
        f"{rtx} {tmp_path}/absent": f"{tmp_path}/absent/bundle.json",
        f"{rtx} {STAMPS} --cache {tmp_path}/taken": f"{tmp_path}/taken, found: ",
    }
    ended = in_turn([["bundles", "compile", *words.split()] for words in cases])
    for (status, said), expected in zip(ended, cases.values(), strict=True):
        assert status == 2, said
        assert "Traceback" not in said
        assert expected in said.strip().splitlines()[-1]


@pytest.mark.slow
def test_help_says_what_the_command_is_for(specstream: Any) -> None:
    """And names its options."""
    done = specstream("bundles", "compile", "--help")
    assert done.returncode == 0
    assert all(option in done.stdout for option in ("--runtime", "--dtype", "--buckets", "--cache"))
