"""``bundles verify``: 1 where a bundle is not right, 2 where what was asked for cannot be checked."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from classifiers.suite import default_bundles


def with_file(folder: Path, name: str, content: bytes) -> Path:
    """Make a bundle with another file whose digest is listed, and return its folder."""
    shutil.copytree(default_bundles()[0], folder)
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "bundle.json").read_bytes())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
def test_a_file_that_is_no_graph_or_no_arrays_is_one_line_though_its_digest_agrees(
    in_turn: Callable[..., list[tuple[int, str]]], tmp_path: Path, name: str
) -> None:
    """Whichever command and runtime reads it first: file, expected and found; status 1 of ``verify``, 2 of others."""
    bundle = with_file(tmp_path / "b1", name, b"PK\x03\x04 garbage that was shipped as it is")
    verify = ["bundles", "verify", "--device", "cpu", "--runtime"]
    cases = [[*verify, "torch"], [*verify, "onnxruntime"]]
    if name == "model.onnx":
        cases += [
            ["bundles", "compile", "--runtime", "tensorrt_rtx", "--cache", str(tmp_path), "--dtype", dtype]
            for dtype in ("fp32", "bf16")
        ]
    for words, (status, said) in zip(cases, in_turn([[*words, str(bundle)] for words in cases]), strict=True):
        assert status == (1 if "verify" in words else 2), said
        assert "Traceback" not in said
        (line,) = said.strip().splitlines()
        assert f"{bundle / name}: expected " in line


@pytest.mark.slow
def test_what_keeps_a_bundle_from_being_checked_is_no_check_that_failed(
    in_turn: Callable[..., list[tuple[int, str]]], tmp_path: Path
) -> None:
    """No such folder, a runtime that is unknown or not here, though the bundle is damaged, too: 2, and not 1."""
    damaged = tmp_path / "damaged"
    shutil.copytree(default_bundles()[0], damaged)
    (damaged / "golden.npz").write_bytes(b"")
    emptied = tmp_path / "emptied"
    emptied.mkdir()
    cases: tuple[tuple[tuple[object, ...], int, str], ...] = (
        ((damaged,), 1, "golden.npz"),
        ((emptied,), 1, "bundle.json"),
        ((damaged, tmp_path / "absent"), 2, "absent"),
        ((damaged, "--runtime", "abacus"), 2, "unknown"),
        ((damaged, "--dtype", "bf16"), 2, "expected dtype = fp32"),
        ((damaged, "--runtime", "tensorrt_rtx", "--device", "cpu"), 2, "needs an NVIDIA GPU"),
    )
    ended = in_turn([["bundles", "verify", *map(str, words)] for words, _, _ in cases])
    for (words, expected, named), (status, said) in zip(cases, ended, strict=True):
        assert status == expected, (words, said)
        (line,) = said.strip().splitlines()
        assert named in line
