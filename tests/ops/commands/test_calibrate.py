"""``calibrate`` end to end on a folder: label, recalibrate, classify again, and see the survey's guarantee in L2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import Codec
from stream.transports.contract import Message, Output
from stream.transports.opening import open_publisher

RATE = "0.05"


@pytest.mark.slow
def test_a_night_is_classified_again_with_the_surveys_own_guarantee(
    specstream: Any,
    write_config: Callable[..., Path],
    codec: Codec,
    committed: Callable[[str, str], list[Message]],
    tmp_path: Path,
) -> None:
    """Truth as a table gives a bundle of domain SURVEY; labels that only confirm take their class from L2."""
    broker = f"file:{tmp_path / 'spool'}"
    made = specstream("simulate", "--to", f"{broker}/n.l1", "-n", 500, "--seed", 7, "--truth", tmp_path / "truth.csv")
    assert made.returncode == 0, made.stderr
    common = ("--spectra", f"{broker}/n.l1")
    done = specstream(
        "calibrate", "--labels", tmp_path / "truth.csv", *common, "--rate", RATE, "--id", "n-1", "-o", tmp_path / "mine"
    )
    assert done.returncode == 0, done.stderr
    assert "calibration n-1: 500 labels" in done.stdout
    assert f'bundles = ["{tmp_path / "mine"}"' in done.stderr

    engines = f'[engines]\nbundles = ["{tmp_path / "mine"}", "spectral-anomaly"]'
    config = write_config(tmp_path / "c.toml", broker, engines, prefix="n")
    assert specstream("run", "--config", config, "--until-idle", 0.2).returncode == 0
    records = [codec.decode(message.value or b"").record for message in committed(broker, "n.l2")]
    domains = {(use["name"], use["calibration_domain"], use["calibration_id"]) for r in records for use in r["engines"]}
    assert ("spectral-classifier", "SURVEY", "n-1") in domains
    assert {domain for name, domain, _ in domains if name == "spectral-anomaly"} == {"SIMULATED"}
    assert {record["unknown_rate"] for record in records} == {float(RATE)}

    publisher = open_publisher(broker, "labels", "n.state")
    labels = [
        {"l2_id": r["l2_id"], "l1_id": r["l1_id"], "verdict": "CONFIRMED", "author": "me", "labelled_ms": 1}
        for r in records
    ]
    outputs = [Output("n.label", str(each["l1_id"]).encode(), codec.encode("label", each)) for each in labels]
    publisher.publish(outputs, {})
    publisher.close()
    again = ("calibrate", "--labels", f"{broker}/n.label", *common, "--rate", RATE, "-o", tmp_path / "second")
    refused = specstream(*again)
    assert refused.returncode == 2
    assert "--l2" in refused.stderr
    done = specstream(*again, "--l2", f"{broker}/n.l2")
    assert done.returncode == 0, done.stderr
    assert "500 labels, 500 of the bundle's classes" in done.stdout


@pytest.mark.slow
def test_too_few_labels_are_refused_with_the_number_needed_and_nothing_is_written(
    specstream: Any, tmp_path: Path
) -> None:
    """One line, status 2; groups do for labels, other names do not, and labels that name no spectrum are said to."""
    topic = f"file:{tmp_path / 'spool'}/n.l1"
    assert specstream("simulate", "--to", topic, "-n", 20, "--truth", tmp_path / "t.csv").returncode == 0
    done = specstream("calibrate", "--labels", tmp_path / "t.csv", "--spectra", topic, "-o", tmp_path / "mine")
    assert done.returncode == 2
    assert "at least 1838 labelled known objects" in done.stderr
    assert not (tmp_path / "mine").exists()
    rows = [line.split(",")[0] for line in (tmp_path / "t.csv").read_text().splitlines()[1:]]
    groups = "\n".join(f"{row},{('GALAXY', 'QSO', 'STAR')[i % 3]}" for i, row in enumerate(rows))
    (tmp_path / "g.csv").write_text(f"l1_id,class_name\n{groups}\nx,GALXY\ny,GALXY\nz,OTHER\n")
    done = specstream("calibrate", "--labels", tmp_path / "g.csv", "--spectra", topic, "-o", tmp_path / "mine")
    assert done.returncode == 2
    assert "left out: labels of no class of the bundle (GALXY 2, OTHER 1)" in done.stderr
    assert "at least 1838 labelled known objects" in done.stderr
    (tmp_path / "w.csv").write_text(f"l1_id,class_name\n{rows[0]},NEBULA\n")
    done = specstream("calibrate", "--labels", tmp_path / "w.csv", "--spectra", topic, "-o", tmp_path / "mine")
    assert done.returncode == 2
    assert "or GALAXY, QSO, STAR), received NEBULA" in done.stderr
    (tmp_path / "u.csv").write_text("l1_id,class_name\nother,QSO_nan\n")
    done = specstream("calibrate", "--labels", tmp_path / "u.csv", "--spectra", topic, "-o", tmp_path / "mine")
    assert done.returncode == 2
    assert "received none that name one" in done.stderr
