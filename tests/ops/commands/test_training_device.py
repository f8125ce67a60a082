"""``train --device``: without a GPU a training computes on the processor, unless a GPU was asked for by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from classifiers.bundle.folder import load_bundle

pytestmark = pytest.mark.slow
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}
SMALL = ("--number", "256", "--epochs", "1", "--held-out", "256")


@pytest.mark.parametrize(("device", "words"), [("cuda", "expected an NVIDIA GPU"), ("abacus", "auto, cuda, cpu")])
def test_a_device_that_cannot_compute_is_one_line_and_leaves_nothing(
    device: str, words: str, specstream: Any, tmp_path: Path
) -> None:
    done = specstream("train", "jpas-qso-finder", "-o", tmp_path / "new", *SMALL, "--device", device, env=NO_GPU)
    assert done.returncode == 2
    (said,) = done.stderr.strip().splitlines()
    assert said.startswith("specstream: ")
    assert "--device" in said
    assert words in said
    assert list(tmp_path.iterdir()) == []


def test_without_a_gpu_a_training_is_one_of_the_processor(specstream: Any, tmp_path: Path) -> None:
    """The journal says so; the manifest says nothing, as that of every bundle before."""
    done = specstream("train", "jpas-qso-finder", "-o", tmp_path / "made", *SMALL, env=NO_GPU)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "made.training" / "history.json").read_text())["training"]["device"] == "cpu"
    made = load_bundle(tmp_path / "made").manifest.training
    assert "device" not in made.settings
    assert "--device" not in made.command
