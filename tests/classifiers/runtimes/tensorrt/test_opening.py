"""A program opens on a GPU, or says in a line that there is none and builds nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.program import Program
from classifiers.runtimes.tensorrt.opening import open_tensorrt


@pytest.mark.parametrize("library", ["tensorrt", "tensorrt_rtx"])
def test_without_a_gpu_nothing_is_built(
    small_program: Callable[..., Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    """An engine that nothing here can run is no use to who asked for it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    notices: list[str] = []
    with pytest.raises(RuntimeUnavailable, match="expected an NVIDIA GPU that torch can use, found none"):
        open_tensorrt(small_program(), library, "fp32", tmp_path / "cache", notices.append)
    assert notices == []
    assert not (tmp_path / "cache").exists()
