"""On a machine with nothing but torch, numpy and onnxruntime the GPU tests are collected and the benchmark runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
WANTED = ("torch", "numpy", "onnxruntime", "pytest")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a Python that finds these packages and what they need, and no others."""
    folder = tmp_path_factory.mktemp("site-packages")
    found: set[str] = set()
    waiting = list(WANTED)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # of another platform
        for top in {Path(file).parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(package.locate_file(top))))
        needs = (Requirement(text) for text in package.requires or ())
        waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    assert not {"pydantic", "numba", "safetensors", "onnx"} & found
    return {**os.environ, "PYTHONPATH": str(folder), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}


def ran(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python without its own site-packages in the root of the repository."""
    return subprocess.run(
        [sys.executable, "-S", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_benchmark_measures_torch_and_says_what_it_lacks(bare: dict[str, str], tmp_path: Path) -> None:
    done = ran(bare, "-m", "tests.bench.gpu", "--quick", "--bucket", "4", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "gpu.json").read_text())
    assert document["stand_ins"] == ["pydantic", "numba", "safetensors", "onnx"]
    assert {each["engine"] for each in document["engines"] if each["runtime"] == "torch"} == {
        "spectral-classifier", "spectral-anomaly", "qso-finder", "all"
    }  # fmt: skip
    assert [each["runtime"] for each in document["survey"]] == ["torch"]
    lacks = [each["reason"] for each in document["not_measured"] if each["runtime"] == "onnxruntime"]
    assert len(lacks) == 1
    assert "the package onnx" in lacks[0]
    assert "matplotlib is not installed" in done.stderr


@pytest.mark.slow
def test_golden_answers_are_read_and_held_by_the_stand_ins(bare: dict[str, str]) -> None:
    program = """
        import tests.bare
        from classifiers.runtimes.opening import RuntimeOptions, open_engines
        from classifiers.bundle.folder import load_bundle
        from classifiers.suite import default_bundles

        assert tests.bare.STOOD_IN == ("pydantic", "numba", "safetensors", "onnx"), tests.bare.STOOD_IN
        for folder in default_bundles():
            open_engines([load_bundle(folder)], RuntimeOptions("torch", "fp16", "cpu"))
            print(folder.name)
    """
    done = ran(bare, "-c", "\n".join(line[8:] for line in program.splitlines()))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 5


@pytest.mark.slow
def test_the_tests_of_gpus_are_collected(bare: dict[str, str]) -> None:
    folders = ("runtimes/device", "runtimes/tensorrt", "training")
    files = [f"tests/classifiers/{folder}/on_gpu.py" for folder in folders]
    options = ["-p", "tests.bare", "-m", "gpu", "--noconftest", "-W", "default", "-p", "no:cacheprovider"]
    done = ran(bare, "-m", "pytest", *options, "--collect-only", "-q", *files)
    assert done.returncode == 0, done.stdout
    assert "error" not in done.stdout.splitlines()[-1]
