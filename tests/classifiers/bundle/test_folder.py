"""Writing and loading bundles: nothing that a digest does not cover is ever used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from classifiers.bundle.calibration import Calibration, TailTable
from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import load_bundle, write_bundle

CALIBRATION = "calibration/onnxruntime-fp32.json"


def manifest_fields() -> dict[str, Any]:
    pixels = (1557,)
    return {
        "name": "tiny-anomaly",
        "version": "1.0",
        "role": "anomaly",
        "grid": {"log10_start": 3.5501, "log10_step": 3e-4, "n": 1557},
        "inputs": [{"name": name, "shape": pixels} for name in ("flux", "inverse_variance")],
        "outputs": [
            {"name": "score", "shape": ()},
            {"name": "contribution", "shape": pixels},
            {"name": "map", "shape": (2,)},
        ],
        "batch_buckets": (16, 64),
        "training": {"command": "specstream train anomaly", "seed": 1},
    }


def calibration() -> Calibration:
    return Calibration(id="sim-1", n=3, novelty=TailTable(n=3, scores=(0.5, 1.0, 2.0), at_or_above=(3, 2, 1)))


def write(folder: Path) -> Path:
    files = {"model.onnx": b"graph", CALIBRATION: calibration().model_dump_json().encode()}
    write_bundle(folder, manifest_fields(), files)
    return folder


def test_a_written_bundle_loads_with_the_digest_of_its_manifest(tmp_path: Path) -> None:
    bundle = load_bundle(write(tmp_path / "b"))
    assert bundle.graph == b"graph"
    assert bundle.calibration("onnxruntime", "fp32") == calibration()
    assert bundle.sha256 == hashlib.sha256((tmp_path / "b" / "bundle.json").read_bytes()).hexdigest()
    assert bundle.manifest.files["model.onnx"] == hashlib.sha256(b"graph").hexdigest()


def test_the_same_fields_and_files_write_the_same_bytes(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one"), write(tmp_path / "two")
    assert (one / "bundle.json").read_bytes() == (two / "bundle.json").read_bytes()


def test_a_changed_file_is_named_with_both_digests(tmp_path: Path) -> None:
    folder = write(tmp_path / "b")
    (folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert caught.value.file.endswith("model.onnx")
    assert hashlib.sha256(b"graph").hexdigest() in caught.value.expected
    assert hashlib.sha256(b"other").hexdigest() in caught.value.found


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "b")
    (folder / CALIBRATION).unlink()
    with pytest.raises(BundleError, match=r"onnxruntime-fp32\.json"):
        load_bundle(folder)


@pytest.mark.parametrize("stranger", ["weights.pkl", "calibration/torch-fp16.json"])
def test_a_file_that_the_manifest_does_not_list_is_refused(tmp_path: Path, stranger: str) -> None:
    folder = write(tmp_path / "b")
    (folder / stranger).write_bytes(b"x")
    with pytest.raises(BundleError, match=stranger):
        load_bundle(folder)


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"bundle\.json: expected a readable file"):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("batch_buckets", (1, 16), "batch_buckets"),
        ("role", "oracle", "role"),
        ("grid", None, "grid"),
        ("surprise", 1, "surprise"),
        ("outputs", [{"name": "score", "shape": ()}], "outputs must be"),
        ("name", "../evil", "name"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, field: str, value: object, named: str) -> None:
    with pytest.raises(BundleError, match=named):
        write_bundle(tmp_path, {**manifest_fields(), field: value}, {"model.onnx": b""})


def test_a_file_name_outside_the_known_set_is_never_written_or_read(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="file name"):
        write_bundle(tmp_path / "b", manifest_fields(), {"model.onnx": b"", "../escape.json": b""})
    folder = write(tmp_path / "c")
    (tmp_path / "outside").write_bytes(b"")
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["files"]["../outside"] = hashlib.sha256(b"").hexdigest()
    (folder / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"\.\./outside"):
        load_bundle(folder)


def test_a_calibration_under_the_name_of_another_runtime_is_refused(tmp_path: Path) -> None:
    files = {"model.onnx": b"", "calibration/tensorrt-fp16.json": calibration().model_dump_json().encode()}
    with pytest.raises(BundleError, match="onnxruntime-fp32"):
        write_bundle(tmp_path, manifest_fields(), files)


def test_a_borrowed_calibration_says_so_in_its_id(tmp_path: Path) -> None:
    bundle = load_bundle(write(tmp_path / "b"))
    assert bundle.calibration("tensorrt", "fp16").id == "sim-1+borrowed-for-tensorrt-fp16"


def test_rewriting_a_bundle_leaves_no_file_of_the_earlier_one(tmp_path: Path) -> None:
    folder = write(tmp_path / "b")
    write_bundle(folder, manifest_fields(), {"model.onnx": b"new"})
    assert load_bundle(folder).calibrations == {}
    assert not (folder / CALIBRATION).exists()
