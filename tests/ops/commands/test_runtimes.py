"""Which runtime served stands in every record, and what it may not do ends the program before anything is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from classifiers.suite import default_bundles

TORCH = '[engines]\nruntime = "torch"\ndevice = "cpu"\ndtype = "{dtype}"'


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_records_name_the_runtime_the_number_format_and_a_borrowed_calibration(
    specstream: Any, write_config: Callable[..., Path], tmp_path: Path, dtype: str
) -> None:
    """The same night through torch on the processor: nobody takes its answers for those of another runtime."""
    broker = f"file:{tmp_path / 'night'}"
    done = specstream("simulate", "--to", f"{broker}/specstream.l1.spectrum", "-n", "5")
    assert done.returncode == 0, done.stderr
    config = write_config(tmp_path / "s.toml", broker, TORCH.format(dtype=dtype))
    done = specstream("run", "-c", config, "--until-idle", "0")
    assert done.returncode == 0, done.stderr
    serving = next(json.loads(line) for line in done.stderr.splitlines() if '"serving"' in line)
    assert (serving["runtime"], serving["dtype"]) == ("torch", dtype)
    done = specstream("tail", f"{broker}/specstream.l2.classification", "--format", "jsonl")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(records) == 5
    engines = [engine for record in records for engine in record["engines"]]
    assert {(engine["runtime"], engine["dtype"]) for engine in engines} == {("torch", dtype)}
    assert all(engine["calibration_id"].endswith(f"+borrowed-for-torch-{dtype}") for engine in engines)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["fp32", "tf32", "fp16", "bf16"])
def test_every_bundle_that_ships_is_true_to_its_golden_answers_on_torch(specstream: Any, dtype: str) -> None:
    """In every number format, within what the bundle declares for it."""
    done = specstream("bundles", "verify", "--runtime", "torch", "--device", "cpu", "--dtype", dtype)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("golden answers agree") == len(default_bundles())


@pytest.mark.slow
def test_what_a_runtime_cannot_do_is_one_line_and_status_2(specstream: Any) -> None:
    """Nothing is computed in another number format or on another runtime than was asked for."""
    for arguments, words in (
        (("--runtime", "onnxruntime", "--dtype", "fp16"), "expected dtype = fp32"),
        (("--runtime", "tensorrt_rtx", "--device", "cpu"), "needs an NVIDIA GPU"),
        (("--runtime", "abacus"), "unknown; known are auto"),
    ):
        done = specstream("bundles", "verify", *arguments)
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.strip().splitlines()
        assert words in line
