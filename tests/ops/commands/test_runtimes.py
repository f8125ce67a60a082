"""Which runtime served stands in every record, and what it may not do ends the program before anything is read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from classifiers.suite import default_bundles
from schemas.codec import Codec
from stream.transports.contract import Message

InTurn = Callable[..., list[tuple[int, str]]]
SERVED = ("fp32", "bf16")

TORCH = '[engines]\nruntime = "torch"\ndevice = "cpu"\ndtype = "{dtype}"'


@pytest.mark.slow
def test_records_name_the_runtime_the_number_format_and_a_borrowed_calibration(
    in_turn: InTurn,
    write_config: Callable[..., Path],
    codec: Codec,
    committed: Callable[[str, str], list[Message]],
    tmp_path: Path,
) -> None:
    """The same night through torch on the processor: nobody takes its answers for those of another runtime."""
    lines = []
    for dtype in SERVED:
        broker = f"file:{tmp_path / dtype}"
        config = write_config(tmp_path / f"{dtype}.toml", broker, TORCH.format(dtype=dtype))
        lines += [
            ["simulate", "--to", f"{broker}/specstream.l1.spectrum", "-n", "5"],
            ["run", "-c", str(config), "--until-idle", "0"],
        ]
    ended = in_turn(lines)
    for status, said in ended:
        assert status == 0, said
    for dtype, (_, said) in zip(SERVED, ended[1::2], strict=True):
        serving = next(json.loads(line) for line in said.splitlines() if '"serving"' in line)
        assert (serving["runtime"], serving["dtype"]) == ("torch", dtype)
        messages = committed(f"file:{tmp_path / dtype}", "specstream.l2.classification")
        records = [codec.decode(message.value or b"").record for message in messages]
        assert len(records) == 5
        engines = [engine for record in records for engine in record["engines"]]
        assert {(engine["runtime"], engine["dtype"]) for engine in engines} == {("torch", dtype)}
        assert all(engine["calibration_id"].endswith(f"+borrowed-for-torch-{dtype}") for engine in engines)


WRONG_AT_64 = """
from classifiers.runtimes.torch_runtime import TorchLauncher
from ops.command_line import main

right = TorchLauncher.launch

def launch(self, slot, bucket):
    right(self, slot, bucket)
    if bucket == 64:
        self._bound[slot, bucket][1]["spectral-anomaly/score"].add_(1.0)

TorchLauncher.launch = launch
main()
"""


@pytest.mark.slow
def test_a_device_that_is_wrong_at_one_size_alone_ends_the_service_before_anything_is_read(
    specstream: Any, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """One line and status 2; the broker's folder is as it was, and a service in order reads it from its beginning."""
    spool = tmp_path / "spool"
    engines = TORCH.format(dtype="fp32") + '\nbundles = ["spectral-anomaly"]'
    config = write_config(tmp_path / "specstream.toml", f"file:{spool}", engines)
    assert specstream("simulate", "--to", f"file:{spool}/specstream.l1.spectrum", "-n", "3").returncode == 0
    before = {path: path.read_bytes() for path in spool.rglob("*") if path.is_file()}
    line = ["run", "-c", str(config), "--until-idle", "0"]
    ended = subprocess.run(
        [sys.executable, "-c", WRONG_AT_64, *line],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "400"},
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    (said,) = ended.stderr.strip().splitlines()
    assert said.startswith(
        "specstream: engines: runtime 'torch' cannot serve: spectral-anomaly in fp32, 64 rows at once in slot 1 of 3: "
        "expected golden answers of spectral-anomaly within its tolerances, found "
    )
    assert {path: path.read_bytes() for path in spool.rglob("*") if path.is_file()} == before
    served = specstream(*line)
    assert served.returncode == 0, served.stderr
    events = [json.loads(each) for each in served.stderr.splitlines() if each.startswith("{")]
    rehearsed = next(each for each in events if each["event"] == "rehearsed")
    assert (rehearsed["bundles"], rehearsed["buckets"], rehearsed["raw"]) == (["spectral-anomaly"], [16, 64], True)
    assert next(each for each in events if each["event"] == "ended")["records_in"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["fp32", "tf32", "fp16", "bf16"])
def test_every_bundle_that_ships_is_true_to_its_golden_answers_on_torch(specstream: Any, dtype: str) -> None:
    """In every number format, within what the bundle declares for it."""
    done = specstream("bundles", "verify", "--runtime", "torch", "--device", "cpu", "--dtype", dtype)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("golden answers agree") == len(default_bundles())


@pytest.mark.slow
def test_what_a_runtime_cannot_do_is_one_line_and_status_2(in_turn: InTurn) -> None:
    """Nothing is computed in another number format or on another runtime than was asked for."""
    cases = (
        (("--runtime", "onnxruntime", "--dtype", "fp16"), "expected dtype = fp32"),
        (("--runtime", "tensorrt_rtx", "--device", "cpu"), "needs an NVIDIA GPU"),
        (("--runtime", "abacus"), "unknown; known are auto"),
    )
    ended = in_turn([["bundles", "verify", *arguments] for arguments, _ in cases])
    for (_, words), (status, said) in zip(cases, ended, strict=True):
        assert status == 2, said
        (line,) = said.strip().splitlines()
        assert words in line
