"""The program as a user runs it: a process of its own, in a folder of its own, with a clean environment."""

from __future__ import annotations

import itertools
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
from contextlib import closing
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


class Forked:
    """Runs commands in processes of their own; the imports they share (``commands_forked``)."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers, self._lock = folder, itertools.count(), threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("commands_forked.py"))],
            stdin=subprocess.PIPE,
            text=True,
            env=clean_environment(),
            start_new_session=True,
        )

    def run(
        self, words: Sequence[str], lines: Sequence[Sequence[str]], env: Mapping[str, str], cwd: Path, longest_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, or lines in turn, and wait for the end; any thread may."""
        own = self._folder / str(next(self._numbers))
        own.mkdir()
        stdout, stderr, status = (own / name for name in ("stdout", "stderr", "status"))
        os.mkfifo(status)
        places = {"cwd": str(cwd), "stdout": str(stdout), "stderr": str(stderr), "status": str(status)}
        pipe = os.open(status, os.O_RDONLY | os.O_NONBLOCK)
        try:
            self._send({"words": words, "lines": lines, "env": env, **places})
            if not select.select([pipe], [], [], longest_s)[0]:
                os.killpg(self._process.pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([*words], longest_s, *(each.read_text() for each in (stdout, stderr)))
            code = int(os.read(pipe, 16))
        finally:
            os.close(pipe)
        return subprocess.CompletedProcess([*words], code, stdout.read_text("utf-8"), stderr.read_text("utf-8"))

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """End the process that forks."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(LONGEST_S)


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forked]:
    with closing(Forked(tmp_path_factory.mktemp("commands"))) as commands:
        yield commands


@pytest.fixture(scope="session")
def specstream(forked: Forked) -> Specstream:
    """Return a function that runs a command to its end and returns status, output and messages."""

    def run(
        *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return forked.run([*map(str, arguments)], [], clean_environment(env), cwd or Path.cwd(), LONGEST_S)

    return run


@pytest.fixture(scope="session")
def in_turn(forked: Forked) -> InTurn:
    """Return a function that runs command lines one after another in one process; status and messages of each."""

    def run(lines: Sequence[Sequence[str]], longest_s: float = LONGEST_S) -> list[tuple[int, str]]:
        done = forked.run([], lines, clean_environment(), Path.cwd(), longest_s)
        assert done.returncode == 0, done.stderr
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
