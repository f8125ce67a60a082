"""The launcher: settings, errors of one line, and a broker that stops, is killed and starts again with its data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ops.kafka.errors import BrokerFailed, ToolMissing
from ops.kafka.jars import java_command, resolve_jars
from ops.kafka.launcher import Broker, broker_settings, main, read_properties
from stream.transports.broker import BrokerReader, TopicSpec, create_topics

DEADLINE_S = 120.0


def test_properties_are_read_without_comments() -> None:
    assert read_properties("# one\n a = b \n\nc=d=e\n") == {"a": "b", "c": "d=e"}


def test_shipped_settings_make_recovery_take_seconds() -> None:
    settings = broker_settings(1, 2, Path("data"), {"num.partitions": "9"})
    assert settings["group.consumer.session.timeout.ms"] == "6000"
    assert settings["group.consumer.min.session.timeout.ms"] == "6000"
    assert settings["auto.create.topics.enable"] == "false"
    assert settings["listeners"].startswith("PLAINTEXT://127.0.0.1:1,")
    assert settings["num.partitions"] == "9"


def test_missing_java_says_in_one_line_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ToolMissing, match="install a JDK 17"):
        java_command()
    assert main(["--port", "0"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_missing_maven_says_in_one_line_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="install Maven"):
        resolve_jars()


@pytest.mark.kafka
@pytest.mark.slow
def test_broker_keeps_its_port_and_data_when_stopped_and_when_killed(tmp_path: Path) -> None:
    # A killed broker may register again once its old session has ended.
    broker = Broker(tmp_path, properties={"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"})
    try:
        broker.start()
        create_topics(broker.bootstrap, [TopicSpec("kept")])
        broker.kill()
        assert not broker.running()
        broker.start()
        reader = BrokerReader(broker.bootstrap, ["kept"])
        assert reader.read(1, 0.5) == []
        reader.close()
    finally:
        broker.stop()


@pytest.mark.kafka
@pytest.mark.slow
def test_setting_that_the_broker_refuses_is_told_with_its_last_words(tmp_path: Path) -> None:
    broker = Broker(tmp_path, properties={"num.partitions": "none"})
    with pytest.raises(BrokerFailed, match=r"num\.partitions"):
        broker.start()
    broker.stop()


@pytest.mark.kafka
@pytest.mark.slow
def test_broker_ends_with_the_process_that_started_it_even_if_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ops.kafka.launcher", "--port", "0", "--directory", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        assert "serves" in launcher.stdout.readline()
        (broker,) = (tmp_path / "broker.pid").read_text().split()
        launcher.send_signal(signal.SIGKILL)
    end = time.monotonic() + DEADLINE_S
    while _alive(int(broker)):
        assert time.monotonic() < end, "the broker outlived its launcher"
        os.sched_yield()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
