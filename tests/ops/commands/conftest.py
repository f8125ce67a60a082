"""The program as a user runs it: a process of its own, in a folder of its own, with a clean environment."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import Codec
from stream.transports.contract import Message
from stream.transports.opening import open_reader

LONGEST_S = 120.0
Specstream = Callable[..., subprocess.CompletedProcess[str]]
InTurn = Callable[..., list[tuple[int, str]]]


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without any setting of specstream, and with ``extra``."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("SPECSTREAM_")}
    return {**kept, "COLUMNS": "200", **(extra or {})}


@pytest.fixture(scope="session")
def specstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Specstream]:
    """Return a function that runs a command to its end and returns status, output and messages.

    Each has a process of its own; the imports they share (``commands_forked``).
    """
    program = Path(__file__).with_name("commands_forked.py")
    said = {name: tmp_path_factory.mktemp("said") / name for name in ("stdout", "stderr")}
    with subprocess.Popen(
        [sys.executable, str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def run(
            *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
        ) -> subprocess.CompletedProcess[str]:
            words = [str(argument) for argument in arguments]
            for path in said.values():
                path.unlink(missing_ok=True)
            request = {"words": words, "env": clean_environment(env), "cwd": str(cwd or Path.cwd())}
            requests.write(json.dumps({**request, **{name: str(path) for name, path in said.items()}}) + "\n")
            requests.flush()
            if not select.select([answers], [], [], LONGEST_S)[0]:
                os.killpg(process.pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(words, LONGEST_S)
            status = int(answers.readline())
            stdout, stderr = (path.read_text(encoding="utf-8") for path in said.values())
            return subprocess.CompletedProcess(words, status, stdout, stderr)

        yield run
        requests.close()


@pytest.fixture(scope="session")
def in_turn() -> InTurn:
    """Return a function that runs command lines one after another in one process; status and messages of each."""
    program = Path(__file__).with_name("commands_in_turn.py")

    def run(lines: Sequence[Sequence[str]], longest_s: float = LONGEST_S) -> list[tuple[int, str]]:
        done = subprocess.run(
            [sys.executable, str(program)],
            input=json.dumps(lines),
            capture_output=True,
            text=True,
            check=True,
            timeout=longest_s,
            env=clean_environment(),
        )
        return [(status, said) for status, said in map(json.loads, done.stdout.splitlines())]

    return run


class Running:
    """A command that runs; what it says on standard error is read as it comes."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "ops", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment()
        )
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._lines.append("")
            self._changed.notify_all()

    @property
    def log(self) -> str:
        """Return what it has said so far."""
        with self._changed:
            return "".join(self._lines)

    def wait_for(self, words: str) -> str:
        """Return the first line of the log with ``words``, waiting for it."""

        def found() -> str | None:
            return next((line for line in self._lines if words in line), None)

        with self._changed:
            there = self._changed.wait_for(lambda: found() or (self._lines and self._lines[-1] == ""), LONGEST_S)
            line = found()
        assert there, f"waited for {words!r}, got: {self.log}"
        assert line, f"ended without {words!r}: {self.log}"
        return line

    def end(self) -> int:
        """Wait for the process and return its exit status."""
        status = self.process.wait(LONGEST_S)
        self._reader.join(LONGEST_S)
        return status


@pytest.fixture
def start_command() -> Iterator[Callable[..., Running]]:
    """Return a function that starts a command; whatever still runs at the end is killed."""
    started: list[Running] = []

    def start(*arguments: object) -> Running:
        started.append(Running(*arguments))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
        running.end()
        for stream in (running.process.stdout, running.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def start_service(start_command: Callable[..., Running]) -> Callable[[Path], Running]:
    """Return a function that starts the service."""
    return lambda config: start_command("run", "--config", config)


@pytest.fixture(scope="session")
def write_config() -> Callable[..., Path]:
    """Return a function that writes a configuration: broker, group, and further TOML at the end."""

    def write(path: Path, broker: str, more: str = "", *, group: str = "g", prefix: str = "", port: int = 0) -> Path:
        topics = "" if not prefix else (
            f'l1_spectrum = "{prefix}.l1"\nl2 = "{prefix}.l2"\ndead_letter = "{prefix}.dead"\n'
            f'ledger = "{prefix}.ledger"\nlabel = "{prefix}.label"\ningest_state = "{prefix}.state"\n'
        )  # fmt: skip
        path.write_text(
            f'broker = "{broker}"\ngroup = "{group}"\n[metrics]\nport = {port}\n[topics]\n{topics}{more}\n',
            encoding="utf-8",
        )
        return path

    return write


@pytest.fixture(scope="session")
def committed() -> Callable[[str, str], list[Message]]:
    """Return a function that reads every committed message of a topic."""

    def read(broker: str, topic: str) -> list[Message]:
        reader = open_reader(broker, [topic])
        found: list[Message] = []
        try:
            while not reader.at_end():
                found += reader.read(1000, 0.5)
        finally:
            reader.close()
        return found

    return read


@pytest.fixture(scope="session")
def values_by_l2_id(
    codec: Codec, committed: Callable[[str, str], list[Message]]
) -> Callable[[str, str], dict[str, bytes]]:
    """Return a function from a broker and L2 topic to the bytes of each record by l2_id."""

    def values(broker: str, topic: str) -> dict[str, bytes]:
        messages = committed(broker, topic)
        found: dict[str, Any] = {codec.decode(m.value or b"").record["l2_id"]: m.value for m in messages}
        assert len(found) == len(messages), "an l2_id stands there twice"
        return found

    return values


@pytest.fixture(scope="session")
def ask() -> Callable[[str], tuple[int, str]]:
    """Return a function from an address to HTTP status and body; (0, reason) where nobody answers."""

    def get(url: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    return get


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], bool]], None]:
    """Return a function that asks again until the answer is True, with a deadline."""

    def wait(condition: Callable[[], bool]) -> None:
        pause = threading.Event()
        deadline = time.monotonic() + LONGEST_S
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            pause.wait(0.1)

    return wait
