"""What an evaluation says it was of: bundles, packages, samples and digests of what was read; the same each time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from classifiers.classifier import EngineUse
from classifiers.training.evaluation.document import Report
from classifiers.training.evaluation.ran import REAL_INPUTS, Drawn, folder_digest, ran, real_inputs

USE = EngineUse("qso-finder", "1.2.0", "0f" * 32, "onnx-cpu", "fp32", "cal-7", "SIMULATION")


def test_everything_that_decides_the_numbers_stands_in_the_json() -> None:
    tables = ran([USE], {"numpy": "2.1"}, [Drawn("spectra", 4096, 2_000_003)], {"real_labels.csv": "ab" * 32})
    written = json.loads(Report("t", {}, [], [], {}, [], tables).to_json())["ran"]
    rows = {table["title"]: table["rows"] for table in written}
    assert rows["Bundles"] == [["qso-finder", "1.2.0", "0f" * 32, "onnx-cpu", "fp32", "cal-7", "SIMULATION"]]
    assert rows["Packages"] == [["numpy", "2.1"]]
    assert rows["Simulated samples"] == [["spectra", 4096, 2_000_003]]
    assert rows["Real data"] == [["real_labels.csv", "ab" * 32]]
    assert all(len(row) == len(table["columns"]) for table in written for row in table["rows"])


def test_each_real_input_has_its_digest_and_none_may_lack(tmp_path: Path) -> None:
    for name in REAL_INPUTS:
        (tmp_path / name).write_bytes(name.encode())
    found = real_inputs(tmp_path)
    assert found == {name: hashlib.sha256(name.encode()).hexdigest() for name in REAL_INPUTS}
    (tmp_path / REAL_INPUTS[-1]).unlink()
    with pytest.raises(FileNotFoundError):
        real_inputs(tmp_path)


def test_a_folder_has_another_digest_when_a_file_changes_or_moves(tmp_path: Path) -> None:
    (tmp_path / "ztf").mkdir()
    file = tmp_path / "ztf" / "a.avro"
    file.write_bytes(b"alert")
    lines = f"{hashlib.sha256(b'alert').hexdigest()}  ztf/a.avro\n"
    before = folder_digest(tmp_path)
    assert before == hashlib.sha256(lines.encode()).hexdigest()
    moved = file.rename(tmp_path / "a.avro")
    after = folder_digest(tmp_path)
    moved.write_bytes(b"other")
    assert len({before, after, folder_digest(tmp_path)}) == 3
