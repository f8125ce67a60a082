"""Which runtime served stands in every record, and what it may not do ends the program before anything is read."""

from __future__ import annotations

import json
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
