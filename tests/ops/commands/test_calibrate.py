"""``calibrate`` end to end on a folder: label, recalibrate, classify again, and see the survey's guarantee in L2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from classifiers.bundle.folder import load_bundle
from classifiers.suite import MODELS
from schemas.codec import Codec
from stream.transports.contract import Message, Output
from stream.transports.opening import open_publisher

RATE = "0.05"
BUNDLE = MODELS / "jpas-qso-finder"
FULL_COVERAGE = load_bundle(BUNDLE).manifest.domain.full_coverage


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
    assert "of the surveys SIMULATED 405" in done.stdout
    assert "spectra that lack wavelengths: 0 labelled, 364 needed for tables of their own" in done.stdout
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


@pytest.mark.slow
def test_pseudo_spectra_are_recalibrated_by_the_role_of_the_bundle(
    specstream: Any,
    write_config: Callable[..., Path],
    codec: Codec,
    committed: Callable[[str, str], list[Message]],
    tmp_path: Path,
) -> None:
    """Labels of spectra of the same topic have no part; a survey that was not labelled is promised nothing."""
    broker = f"file:{tmp_path / 'spool'}"
    topic = f"{broker}/n.l1"
    truth = tmp_path / "truth.csv"
    assert specstream("simulate", "--to", topic, "-n", 150, "--form", "jpas", "--truth", truth).returncode == 0
    assert specstream("simulate", "--to", topic, "-n", 3).returncode == 0
    common = ("calibrate", "--bundle", BUNDLE.name, "--labels", truth, "--spectra", topic, "-o", tmp_path / "mine")
    refused = specstream(*common)
    assert refused.returncode == 2
    assert "at least 459 labelled known objects" in refused.stderr
    done = specstream(*common, "--rate", RATE, "--id", "j-1")
    assert done.returncode == 0, done.stderr
    assert "calibration j-1: 150 labels, 150 of the bundle's classes" in done.stdout
    assert "pseudo-spectra outside the domain" in done.stdout
    engines = f'[engines]\nbundles = ["{tmp_path / "mine"}", "qso-finder"]'
    config = write_config(tmp_path / "c.toml", broker, engines, prefix="n")
    given = [codec.decode(message.value or b"").record for message in committed(broker, "n.l1")[:9]]
    others = [codec.encode("l1_spectrum", record | {"survey": "OTHER"}) for record in given]
    publisher = open_publisher(broker, "other", "n.state")
    publisher.publish([Output("n.l1", b"x", value) for value in others], {})
    publisher.close()
    assert specstream("run", "--config", config, "--until-idle", 0.2).returncode == 0
    records = [codec.decode(message.value or b"").record for message in committed(broker, "n.l2")]
    said = {
        (record["survey"], record["coverage"] >= FULL_COVERAGE, use["calibration_domain"])
        for record in records
        for use in record["engines"]
        if use["calibration_id"] == "j-1"
    }
    assert said - {("OTHER", False, "SIMULATED"), ("SIMULATED", False, "SIMULATED")} == {
        ("OTHER", True, "SIMULATED"),
        ("SIMULATED", True, "SURVEY"),
    }


@pytest.mark.slow
def test_alerts_are_recalibrated_by_the_identifiers_that_their_records_have(
    specstream: Any, codec: Codec, committed: Callable[[str, str], list[Message]], tmp_path: Path
) -> None:
    """An alert called ARTEFACT by its verdict is a known object; a class that the bundle has not is left out."""
    broker = f"file:{tmp_path / 'spool'}"
    assert specstream("simulate", "--to", f"{broker}/alerts", "-n", 40, "--form", "alerts").returncode == 0
    names = [codec.decode(message.value or b"").record["l1_id"] for message in committed(broker, "alerts")]
    rows = [f"{name},{'' if row % 2 else 'HOSTLESS'},{'ARTEFACT' if row % 2 else ''}" for row, name in enumerate(names)]
    table = "\n".join(["l1_id,class_name,verdict", *rows, "x,GALAXY,"])
    (tmp_path / "labels.csv").write_text(table)
    common = ("--labels", tmp_path / "labels.csv", "--spectra", f"{broker}/alerts", "--bundle", "stamp-anomaly")
    done = specstream("calibrate", *common, "--rate", 0.2, "-o", tmp_path / "mine")
    assert done.returncode == 0, done.stderr
    assert "41 labels, 40 of the bundle's classes" in done.stdout
    assert "left out: labels of no class of the bundle (GALAXY 1)" in done.stderr
    assert "of the surveys SIMULATED" in done.stdout
    done = specstream("calibrate", *common, "--bundle", "qso-finder", "--rate", 0.001, "-o", tmp_path / "other")
    assert done.returncode == 2
    assert "at least 4603 labelled known objects" in done.stderr


def test_a_bundle_that_cannot_be_recalibrated_is_refused_with_the_roles_that_can(
    specstream: Any, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text("l1_id,class_name\na,QSO\n")
    common = ("--labels", tmp_path / "labels.csv", "--spectra", f"file:{tmp_path}/t", "-o", tmp_path / "mine")
    done = specstream("calibrate", *common, "--bundle", "qso-finder")
    assert done.returncode == 2
    assert "a bundle of role spectral_classifier, narrowband, image_anomaly" in done.stderr
