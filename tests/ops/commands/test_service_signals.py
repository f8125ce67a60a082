"""SIGTERM drains the service; a broker that is away is waited for, and said so on the health page."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from classifiers.suite import default_bundles
from ops.kafka.launcher import Broker, free_port
from stream.transports.contract import Message

SPECTRA = 400


def page_of(line: str) -> str:
    """Return the address of the metrics page without its path, from the line that says ``started``."""
    return str(json.loads(line)["metrics"]).removesuffix("/metrics")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["file", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_sigterm_drains_commits_and_ends_well(
    where: str,
    specstream: Any,
    start_service: Any,
    write_config: Callable[..., Path],
    committed: Callable[[str, str], list[Message]],
    until: Callable[[Callable[[], bool]], None],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    """Stopped in the middle it exits with 0; a second run does the rest; nothing is lost or doubled."""
    broker = f"file:{tmp_path / 'night'}" if where == "file" else f"kafka://{request.getfixturevalue('broker_url')}"
    prefix = f"signal-{where}"
    more = "[batching]\nmax_records = 8\ncommit_max_records = 16\nin_flight_max_records = 32\n"
    config = write_config(tmp_path / "s.toml", broker, more, group=prefix, prefix=prefix)
    for arguments in (
        ("topics", "create", "-c", config),
        ("simulate", "--to", f"{broker}/{prefix}.l1", "-n", SPECTRA, "-c", config),
    ):
        done = specstream(*arguments)
        assert done.returncode == 0, done.stderr
    service = start_service(config)
    service.wait_for('"event": "started"')
    until(lambda: len(committed(broker, f"{prefix}.l2")) > 0)
    service.process.send_signal(signal.SIGTERM)
    assert service.end() == 0, service.log
    ended = json.loads(service.wait_for('"event": "ended"'))
    assert ended["drained"] is True
    first = len(committed(broker, f"{prefix}.l2"))
    assert first == ended["records_in"] == ended["records_out"]
    done = specstream("run", "-c", config, "--until-idle", "0.5")
    assert done.returncode == 0, done.stderr
    assert len(committed(broker, f"{prefix}.l2")) == SPECTRA
    done = specstream("ledger", "verify", "-c", config)
    assert done.returncode == 0, done.stderr
    assert f"holds for {SPECTRA} records" in done.stdout


@pytest.mark.slow
def test_sigterm_while_engines_open_ends_well_before_anything_is_read(
    start_service: Any, write_config: Callable[..., Path], until: Callable[[Callable[[], bool]], None], tmp_path: Path
) -> None:
    """It is remembered until the engines are there, which are never interrupted halfway; then the status is 0."""
    bundle = tmp_path / "bundle"
    shutil.copytree(default_bundles()[0], bundle)
    manifest = bundle / "bundle.json"
    content = manifest.read_bytes()
    manifest.unlink()
    os.mkfifo(manifest)
    config = write_config(tmp_path / "s.toml", f"file:{tmp_path / 'night'}", f'[engines]\nbundles = ["{bundle}"]')
    service = start_service(config)
    opened: list[int] = []

    def reads() -> bool:
        with suppress(OSError):  # nobody reads it yet
            opened.append(os.open(manifest, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    until(reads)
    service.process.send_signal(signal.SIGTERM)
    os.write(opened[0], content)
    os.close(opened[0])
    assert service.end() == 0, service.log
    assert "stopped before it started" in service.log
    assert '"started"' not in service.log
    assert not (tmp_path / "night").exists()


@pytest.mark.slow
def test_sigterm_while_the_schema_registry_is_away_ends_well(
    start_service: Any, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """What waits for a registry that never comes needs no second signal."""
    registry = f'[schemas]\nregistry = "http://127.0.0.1:{free_port()}"'
    service = start_service(write_config(tmp_path / "s.toml", f"file:{tmp_path / 'night'}", registry))
    service.wait_for("waiting: the schema registry at")
    service.process.send_signal(signal.SIGTERM)
    assert service.end() == 0, service.log
    assert "stopped before it started" in service.log


@pytest.mark.slow
@pytest.mark.kafka
def test_the_service_waits_for_a_broker_and_says_so(
    specstream: Any,
    start_service: Any,
    write_config: Callable[..., Path],
    ask: Callable[[str], tuple[int, str]],
    until: Callable[[Callable[[], bool]], None],
    tmp_path: Path,
) -> None:
    """Started before its broker it is live but not ready, with the reason; with the broker it becomes ready."""
    broker = Broker(tmp_path / "broker", free_port())
    config = write_config(tmp_path / "s.toml", f"kafka://{broker.bootstrap}")
    broker.start()
    try:
        done = specstream("topics", "create", "-c", config)
        assert done.returncode == 0, done.stderr
        broker.stop()
        service = start_service(config)
        page = page_of(service.wait_for('"event": "started"'))
        until(lambda: "no broker answers" in ask(f"{page}/health/ready")[1])
        status, said = ask(f"{page}/health/ready")
        assert status == 503
        assert broker.bootstrap in said
        assert ask(f"{page}/health/live")[0] == 200
        broker.start()
        until(lambda: ask(f"{page}/health/ready")[0] == 200)
        service.process.send_signal(signal.SIGTERM)
        assert service.end() == 0, service.log
    finally:
        broker.stop()


@pytest.mark.slow
def test_a_command_that_waits_for_its_broker_can_be_interrupted(
    specstream: Any, start_command: Any, tmp_path: Path
) -> None:
    """``produce`` to a broker that is away says that it waits, ends when it is told to, and says that nothing is in."""
    (tmp_path / "message").write_bytes(b"x")
    command = start_command("produce", tmp_path / "message", "--to", f"kafka://127.0.0.1:{free_port()}/t")
    command.wait_for("waiting: ")
    command.process.send_signal(signal.SIGTERM)
    assert command.end() == 0
    assert "0 records" in command.log


@pytest.mark.slow
def test_classify_that_is_terminated_leaves_no_copies_of_the_spectra(
    start_command: Any,
    until: Callable[[Callable[[], bool]], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its topics lie in a temporary folder, which is gone; the status is that of a terminated program."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    os.mkfifo(tmp_path / "endless.fits")  # nobody ever writes it
    command = start_command("classify", tmp_path / "endless.fits")
    until(lambda: bool(list(tmp_path.glob("specstream-*/locks/identity-*"))))
    command.process.send_signal(signal.SIGTERM)
    assert command.end() == 143, command.log
    assert command.log == "specstream: terminated\n"
    assert list(tmp_path.glob("specstream-*")) == []
