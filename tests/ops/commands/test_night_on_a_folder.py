"""README's flow on a folder: spectra and alerts in, verdicts and dead letters out, the account proved and tampered."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from astropy.table import Table

from schemas.codec import Codec
from stream.transports.contract import Message, Output
from stream.transports.opening import open_publisher

L2, DEAD, ALERTS = "specstream.l2.classification", "specstream.dead_letter", "alerts"


def ok(done: subprocess.CompletedProcess[str]) -> str:
    """Return the output of a command that succeeded."""
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_night_from_files_to_proof(
    specstream: Any,
    write_config: Callable[..., Path],
    committed: Callable[[str, str], list[Message]],
    codec: Codec,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    """Each input comes out once; every format of every list agrees; a redriven letter is a new, accounted input."""
    night, broker = tmp_path / "night", f"file:{tmp_path / 'night'}"
    config = write_config(tmp_path / "s.toml", broker, f'image_alert = ["{ALERTS}"]')
    made = ok(specstream("topics", "create", "-c", config))
    assert "specstream.l1.spectrum: created" in made
    assert "exists" in ok(specstream("topics", "create", "-c", config))

    alerts = sorted((data_dir / "alerts").rglob("*.avro"))
    archive = tmp_path / "some.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for path in alerts[:3]:
            tar.add(path, path.name)
    loose = sorted((data_dir / "alerts").rglob("*.tar.gz"))
    ok(specstream("ingest", data_dir / "fits", "--to", f"file:{night}/specstream.l1.spectrum"))
    again = specstream("ingest", data_dir / "fits", "--to", f"file:{night}/specstream.l1.spectrum")
    assert "0 records" in again.stderr
    assert "11 sources were there already" in again.stderr
    produced = specstream("produce", *alerts, archive, *loose, "--to", f"file:{night}/{ALERTS}")
    assert produced.returncode == 0, produced.stderr
    members = 0
    for path in (archive, *loose):
        with tarfile.open(path) as tar:
            members += sum(member.isfile() for member in tar)

    ok(specstream("run", "-c", config, "--until-idle", "1"))
    account = ok(specstream("ledger", "verify", "-c", config))
    inputs = 12 + len(alerts) + members
    assert f"in = out + dead holds for {inputs} records" in account

    everything = [
        json.loads(line) for line in ok(specstream("tail", f"{broker}/{L2}", "--format", "jsonl")).splitlines()
    ]
    letters = [
        json.loads(line)
        for line in ok(specstream("dead-letters", "list", "-c", config, "--format", "jsonl")).splitlines()
    ]
    assert len(everything) + len(letters) == inputs
    assert letters, "the poisoned alerts are dead letters"
    where = ("--where", 'lane == "spectrum" and snr > 5')
    expected = [r["l2_id"] for r in everything if r["lane"] == "spectrum" and r["snr"] is not None and r["snr"] > 5]
    assert 0 < len(expected) < 12
    rows = list(csv.DictReader(io.StringIO(ok(specstream("tail", f"{broker}/{L2}", *where, "--format", "csv")))))
    assert [row["l2_id"] for row in rows] == expected
    table = Table.read(ok(specstream("tail", f"{broker}/{L2}", *where, "--format", "ecsv")), format="ascii.ecsv")
    assert list(table["l2_id"]) == expected
    assert table["ra_deg"].unit == "deg"
    lines = ok(specstream("tail", f"{broker}/{L2}", *where, "--limit", "3")).splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("object")

    def strange_to_vae(record: dict[str, Any]) -> bool:
        return record["anomaly_p_value"] is not None and record["anomaly_p_value"] <= 0.01

    strange = [
        r["l2_id"]
        for r in everything
        if r["unknown_reason"] == "NOVEL"
        or (not r["unknown"] and (strange_to_vae(r) or r["quality_flags"] & (3 << 16)))
        or (r["unknown_reason"] == "OTHER_KNOWN" and r["other_type"] in {"WD", "CV", "OB"} and strange_to_vae(r))
    ]
    feed = ok(specstream("tail", f"{broker}/{L2}", "--anomalies", "--format", "jsonl")).splitlines()
    assert [json.loads(line)["l2_id"] for line in feed] == strange
    assert strange, "a night without a discovery shows nothing here"

    letter = letters[0]
    shown = ok(specstream("dead-letters", "list", "-c", config))
    assert len(shown.splitlines()) == len(letters) + 1
    assert shown.splitlines()[1].split()[0] == letter["letter"]
    saved = tmp_path / "letter.bin"
    said = ok(specstream("dead-letters", "show", letter["letter"], "-c", config, "--save", saved))
    assert letter["reason"] in said
    assert saved.read_bytes() == committed(broker, ALERTS)[letter["source"]["offset"]].value
    unknown = specstream("dead-letters", "show", "9:999", "-c", config)
    assert unknown.returncode == 2
    assert "9:999" in unknown.stderr

    reason = letter["reason"]
    redriven = sum(each["reason"] == reason for each in letters)
    ok(specstream("dead-letters", "redrive", "-c", config, "--reason", reason))
    twice = specstream("dead-letters", "redrive", "-c", config, "--reason", reason)
    assert f"0 records (0.0 MB) back in their input topics; {redriven} sources were there already" in twice.stderr
    ok(specstream("run", "-c", config, "--until-idle", "1"))
    account = ok(specstream("ledger", "verify", "-c", config))
    assert f"in = out + dead holds for {inputs + redriven} records" in account
    assert len(committed(broker, DEAD)) == len(letters) + redriven

    forged = codec.decode(committed(broker, L2)[0].value or b"").record
    forged["source"] = {**forged["source"], "offset": 1_000_000}
    publisher = open_publisher(broker, "forger")
    try:
        publisher.publish([Output(L2, None, codec.encode("l2_classification", forged))], {})
    finally:
        publisher.close()
    caught = specstream("ledger", "verify", "-c", config)
    assert caught.returncode == 1
    assert "1000000" in caught.stderr
    assert forged["source"]["topic"] in caught.stderr
    assert len(caught.stderr.strip().splitlines()) == 1
