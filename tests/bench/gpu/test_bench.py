"""The benchmark of GPUs runs anywhere, with the same code: here it measures the CPU runtimes and says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert set(document["not_measured"]) == {"tensorrt", "tensorrt_rtx"}
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
    assert sum(document["profiles"][0]["shares"].values()) <= 1.001
    assert (tmp_path / "gpu.png").stat().st_size > 10_000
