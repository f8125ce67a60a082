"""The benchmark of GPUs runs anywhere, with the same code: here it measures the CPU runtimes and says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from classifiers.bundle.manifest import Tensor
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.program import Output, Program
from tests.bench.gpu.__main__ import plan, reported
from tests.bench.gpu.measuring import time_by_name

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_quick_run_without_a_gpu_measures_the_cpu_runtimes_and_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.gpu", "--quick", "--output", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the CPU runtimes are measured instead" in done.stderr
    document = json.loads((tmp_path / "gpu.json").read_text())
    assert document["machine"]["device"] == "cpu"
    assert [each["runtime"] for each in document["not_measured"]] == ["tensorrt", "tensorrt_rtx"]
    first = document["engines"][0]
    assert (first["engine"], first["dtype"]) == ("all", "fp32")
    names = {"spectral-classifier", "spectral-anomaly", "qso-finder", "all"}
    assert {(each["engine"], each["runtime"]) for each in document["engines"]} == {
        (name, runtime) for name in names for runtime in ("torch", "onnxruntime")
    }
    for each in document["engines"]:
        assert each["spectra_per_s"] > 0
        assert each["batch_p99_ms"] >= each["batch_p50_ms"] > 0
        assert each["roofline"]["bound_by"] in ("up", "down", "compute")
        assert (each["device_only_spectra_per_s"] is None) == (each["runtime"] == "onnxruntime")
    shared = {each["engine"]: each["roofline"]["operations"] for each in document["engines"]}
    assert shared["all"] < shared["spectral-classifier"] + shared["spectral-anomaly"] + shared["qso-finder"]
    assert {each["runtime"] for each in document["survey"]} == {"torch", "onnxruntime"}
    assert document["exposure"][0]["low_resolution"] == 3
    for each in document["survey"]:
        assert each["best_of"] > 1
        assert each["seconds"] <= each["first_seconds"]
    assert sum(document["profiles"][0]["shares"].values()) <= 1.001
    assert (tmp_path / "gpu.png").stat().st_size > 10_000


def test_all_bundles_together_in_fp32_come_first() -> None:
    """Where time runs out, the figures that matter most are written."""
    alone, together = (Program((), (), (Output(name, Tensor(name=name, shape=()), name),)) for name in "ab")
    made = [alone, together]
    planned = [(*each[:2], each[2] is together) for each in plan(["tensorrt", "torch"], ["bf16", "fp32"], made)]
    assert planned[:2] == [("tensorrt", "fp32", True), ("torch", "fp32", True)]
    assert [(dtype, whole) for runtime, dtype, whole in planned if runtime == "torch"] == [
        ("fp32", True), ("fp32", False), ("bf16", True), ("bf16", False)
    ]  # fmt: skip
    assert {dtype for _, dtype, _ in plan(["onnxruntime"], ["bf16"], made)} == {"fp32"}


def test_what_fails_is_a_reason_among_the_measurements() -> None:
    """An engine that cannot be built costs its own figures alone; a mistake of ours still ends the run."""
    document: dict[str, Any] = {"not_measured": []}
    with reported(document, engine="all", dtype="bf16"):
        raise RuntimeUnavailable("tensorrt", "the builder ended with SIGSEGV")
    reason = "runtime 'tensorrt' cannot serve: the builder ended with SIGSEGV"
    assert document["not_measured"] == [{"engine": "all", "dtype": "bf16", "reason": reason}]
    with pytest.raises(KeyError), reported(document, engine="all"):
        raise KeyError("ours")


def test_the_time_of_a_kernel_is_counted_once() -> None:
    """Its operator and a marked range carry the same time, which is the kernel's."""

    def event(key: str, kind: Any, *, marked: bool = False) -> Any:
        return SimpleNamespace(
            key=key, device_type=kind, is_user_annotation=marked, self_device_time_total=7.0, self_cpu_time_total=2.0
        )

    cuda, cpu = torch.autograd.DeviceType.CUDA, torch.autograd.DeviceType.CPU
    events = [event("aten::add", cpu), event("add_kernel", cuda), event("add_kernel", cuda)]
    events.append(event("a batch", cuda, marked=True))
    assert time_by_name(events, "cuda") == {"add_kernel": 14.0}
    assert time_by_name(events, "cpu") == {"aten::add": 2.0}
