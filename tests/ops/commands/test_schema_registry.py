"""The service with a schema registry over HTTP: registers what it writes, asks for what it does not know, waits."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ops.kafka.launcher import free_port
from schemas.codec import Codec
from schemas.wire import confluent_header
from stream.transports.contract import Message, Output
from stream.transports.folder import FolderPublisher

L1, L2, DEAD, LEDGER = (f"specstream.{name}" for name in ("l1.spectrum", "l2.classification", "dead_letter", "ledger"))
FOREIGN_ID = 4711


@pytest.fixture
def newer_l1(codec: Codec) -> str:
    """Return the schema of a producer who is ahead of us by one field."""
    schema = json.loads(codec.catalogue.text("l1_spectrum"))
    schema["fields"].append({"name": "weather", "type": "string", "doc": "Weather.", "default": "clear"})
    return json.dumps(schema)


@pytest.fixture
def foreign(codec: Codec, newer_l1: str) -> Callable[[int], bytes]:
    """Return a maker of spectra written with that schema, framed with the registry's id of it."""
    newer = Codec(type(codec.catalogue)([newer_l1]))

    def make(number: int) -> bytes:
        n = 4600
        rng = np.random.default_rng(number)
        record = {
            "l1_id": f"spec-{number}", "survey": "SDSS", "grid": {"kind": "LOG10", "start": 3.58, "step": 1e-4, "n": n},
            "medium": "VACUUM", "specsys": "BARYCENT", "flux": rng.normal(10, 1, n).astype(np.float32),
            "flux_unit": "1e-17 erg/s/cm2/Angstrom", "flux_calibration": "ABSOLUTE",
            "uncertainty": np.ones(n, np.float32), "uncertainty_kind": "IVAR", "weather": "fog",
        }  # fmt: skip
        return confluent_header(FOREIGN_ID) + newer.encode_datum("l1_spectrum", record)

    return make


def publish(folder: Path, identity: str, values: list[bytes]) -> None:
    with closing(FolderPublisher(folder, identity, "specstream.ingest_state")) as publisher:
        publisher.publish([Output(L1, None, value) for value in values], {})


def with_registry(url: str) -> str:
    return f'[schemas]\nregistry = "{url}"\n'


def ids_of(messages: list[Message]) -> set[int]:
    assert all(m.value is not None and m.value[:1] == b"\x00" for m in messages)
    return {struct.unpack_from(">I", m.value or b"", 1)[0] for m in messages}


@pytest.mark.slow
def test_outputs_are_registered_and_framed_and_unknown_ids_are_asked_for(
    registry: Any, specstream: Any, write_config: Any, committed: Any, foreign: Any, newer_l1: str, tmp_path: Path
) -> None:
    """Every reader of ours with the same configuration understands the framing; an id that nobody has is a reason."""
    registry.schemas[FOREIGN_ID] = newer_l1
    night = tmp_path / "night"
    broker = f"file:{night}"
    publish(night, "a", [foreign(0), foreign(1), confluent_header(99) + foreign(2)[5:]])
    config = write_config(tmp_path / "s.toml", broker, with_registry(registry.url))
    done = specstream("run", "-c", config, "--until-idle", "0.2")
    assert done.returncode == 0, done.stderr
    subjects = registry.subjects
    assert {f"{L2}-value", f"{DEAD}-value", f"{LEDGER}-value"} <= subjects.keys()
    assert registry.levels[f"{L2}-value"] == "FORWARD_TRANSITIVE"
    for topic, count in ((L2, 2), (DEAD, 1)):
        messages = committed(broker, topic)
        assert len(messages) == count
        assert ids_of(messages) == set(subjects[f"{topic}-value"])
    assert ids_of(committed(broker, LEDGER)) == set(subjects[f"{LEDGER}-value"])

    proof = specstream("ledger", "verify", "-c", config)
    assert proof.returncode == 0, proof.stderr
    assert "holds for 3 records" in proof.stdout
    tail = specstream("tail", f"{broker}/{L2}", "--format", "jsonl", "-c", config)
    assert tail.returncode == 0, tail.stderr
    assert [json.loads(line)["l1_id"] for line in tail.stdout.splitlines()] == ["spec-0", "spec-1"]
    dead = specstream("dead-letters", "list", "-c", config)
    assert "UNKNOWN_SCHEMA" in dead.stdout, dead.stderr

    asked = len(registry.asked)
    again = specstream("run", "-c", config, "--until-idle", "0.2")
    assert again.returncode == 0, again.stderr
    assert all(len(versions) == 1 for versions in subjects.values())
    assert len(registry.asked) > asked


@pytest.mark.slow
def test_a_registry_that_is_away_at_the_start_is_waited_for_and_the_health_page_says_so(
    registry_at: Any, start_command: Any, write_config: Any, committed: Any, foreign: Any, newer_l1: str,
    ask: Any, until: Any, tmp_path: Path
) -> None:  # fmt: skip
    night, port, metrics = tmp_path / "night", free_port(), free_port()
    publish(night, "a", [foreign(0)])
    address = f"http://127.0.0.1:{port}/api"
    config = write_config(tmp_path / "s.toml", f"file:{night}", with_registry(address), port=metrics)
    service = start_command("run", "-c", config, "--until-idle", "0.2")
    service.wait_for("waiting: the schema registry at")
    page = f"http://127.0.0.1:{metrics}/health"
    until(lambda: "cannot be reached" in ask(f"{page}/ready")[1])
    assert ask(f"{page}/ready")[0] == 503
    assert ask(f"{page}/live")[0] == 200
    with registry_at(port) as registry:
        registry.schemas[FOREIGN_ID] = newer_l1
        assert service.end() == 0, service.log
    assert len(committed(f"file:{night}", L2)) == 1


@pytest.mark.slow
def test_a_registry_that_goes_away_lets_records_wait_and_rejects_none(
    registry_at: Any, start_command: Any, write_config: Any, committed: Any, foreign: Any, newer_l1: str, tmp_path: Path
) -> None:
    """Also with --until-idle: a record in hand is not idleness."""
    night, port = tmp_path / "night", free_port()
    broker = f"file:{night}"
    publish(night, "a", [])
    with registry_at(port) as registry:
        config = write_config(tmp_path / "s.toml", broker, with_registry(registry.url))
        service = start_command("run", "-c", config, "--until-idle", "5")
        service.wait_for('"event": "started"')
        known = dict(registry.schemas), dict(registry.subjects)
    publish(night, "b", [foreign(0), foreign(1)])
    service.wait_for("decode_waits")
    assert committed(broker, L2) == []
    with registry_at(port) as registry:
        registry.schemas.update(known[0])
        registry.subjects.update(known[1])
        registry.schemas[FOREIGN_ID] = newer_l1
        assert service.end() == 0, service.log
    assert len(committed(broker, L2)) == 2
    assert committed(broker, DEAD) == []


@pytest.mark.slow
def test_a_registry_that_refuses_ends_the_service_before_anything_is_read(
    registry: Any, specstream: Any, write_config: Any, foreign: Any, codec: Codec, tmp_path: Path
) -> None:
    """Not let in, or not compatible with what readers of the topic know: one line, exit 2, no offset committed."""
    night = tmp_path / "night"
    publish(night, "a", [foreign(0)])
    before = sorted(path.name for path in (night / "commits").iterdir())
    config = write_config(tmp_path / "s.toml", f"file:{night}", with_registry(registry.url))
    registry.authorization = "Bearer right"
    done = specstream("run", "-c", config, "--until-idle", "0", env={"SPECSTREAM_SCHEMAS__REGISTRY_TOKEN": "wrong"})
    assert (done.returncode, "Unauthorized" in done.stderr) == (2, True), done.stderr
    assert "wrong" not in done.stderr
    assert "Traceback" not in done.stderr
    registry.authorization = None
    older = json.loads(codec.catalogue.text("l2_classification"))
    older["fields"].append({"name": "mandatory", "type": "string", "doc": "No default."})
    registry.register(f"{L2}-value", json.dumps(older))
    done = specstream("run", "-c", config, "--until-idle", "0")
    assert (done.returncode, "FORWARD_TRANSITIVE" in done.stderr) == (2, True), done.stderr
    assert sorted(path.name for path in (night / "commits").iterdir()) == before
