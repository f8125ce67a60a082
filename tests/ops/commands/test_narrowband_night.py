"""Pseudo-spectra from end to end on a folder: simulated into a topic among spectra, classified, read back."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CLASSES = ("QSO_LOW_Z", "QSO_HIGH_Z", "GALAXY", "STAR")


def ok(done: subprocess.CompletedProcess[str]) -> str:
    """Return the output of a command that succeeded."""
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_mixed_topic_is_simulated_classified_and_proved(
    specstream: Any, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """Each record has the classes of its own bundle, in the order of the input; the account is right."""
    broker = f"file:{tmp_path / 'spool'}"
    config = write_config(tmp_path / "s.toml", broker)
    topic = f"{broker}/specstream.l1.spectrum"
    ok(specstream("simulate", "--to", topic, "-n", 60, "--form", "jpas", "--truth", tmp_path / "truth.csv"))
    ok(specstream("simulate", "--to", topic, "-n", 12, "--form", "sdss"))
    ok(specstream("run", "--config", config, "--until-idle", 1))
    ok(specstream("ledger", "verify", "--config", config))
    lines = ok(specstream("tail", f"{broker}/specstream.l2.classification", "--format", "jsonl")).splitlines()
    records = {record["l1_id"]: record for record in map(json.loads, lines)}
    assert len(records) == 72
    with (tmp_path / "truth.csv").open(newline="") as file:
        truths = {row["l1_id"]: row for row in csv.DictReader(file)}
    right = 0
    for l1_id, record in records.items():
        narrow = l1_id in truths
        assert record["lane"] == "spectrum"
        assert record["class_scheme"] == ("JPAS-4" if narrow else "GaSNet-II")
        if narrow:
            assert list(record["class_probabilities"]) == list(CLASSES)
            assert sum(record["class_probabilities"].values()) == pytest.approx(1)
            assert [engine["name"] for engine in record["engines"]] == ["jpas-qso-finder"]
            assert record["qso_z_threshold"] == 2.1
            assert record["p_qso_high_z"] <= record["p_qso"]
            right += record["top_class"] == truths[l1_id]["class_name"]
    assert right > 0.75 * len(truths)


@pytest.mark.slow
def test_pseudo_spectra_wait_as_dead_letters_until_their_bundle_is_there(
    specstream: Any, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """With the other bundles alone none becomes an L2 record; redriven to all bundles each is classified."""
    broker = f"file:{tmp_path / 'spool'}"
    config = write_config(tmp_path / "s.toml", broker)
    run = ("run", "--config", config, "--until-idle", 1)
    ok(specstream("simulate", "--to", f"{broker}/specstream.l1.spectrum", "-n", 5, "--form", "jpas"))
    ok(specstream(*run, env={"SPECSTREAM_ENGINES__BUNDLES": '["qso-finder"]'}))
    letters = ok(specstream("dead-letters", "list", "--config", config, "--format", "jsonl")).splitlines()
    assert [json.loads(line)["reason"] for line in letters] == ["UNSUPPORTED"] * 5
    ok(specstream("dead-letters", "redrive", "--config", config, "--reason", "UNSUPPORTED"))
    ok(specstream(*run))
    lines = ok(specstream("tail", f"{broker}/specstream.l2.classification", "--format", "jsonl")).splitlines()
    assert [json.loads(line)["class_scheme"] for line in lines] == ["JPAS-4"] * 5
