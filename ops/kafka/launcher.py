"""Start and stop a real single-node Apache Kafka: ``python -m ops.kafka.launcher --port 9092 --directory DIR``.

The settings are those of ``server.properties``; the launcher adds listeners, folder and whatever the caller asks for.
A broker keeps its port and its folder, so that it can be stopped (or killed) and started again with its data.
"""

from __future__ import annotations

import argparse
import base64
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from ops.kafka.errors import BrokerError, BrokerFailed
from ops.kafka.jars import java_command, resolve_jars
from ops.stopping import stop_on_signals

SETTINGS = Path(__file__).with_name("server.properties")
STARTED = "Kafka Server started"
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 30.0
LOOK_EVERY_S = 0.05

JVM_OPTIONS = (
    "-Xms256m",
    "-Xmx768m",
    "-XX:+ExitOnOutOfMemoryError",
    # A broker moves bytes. Its hot code is optimised fully only after minutes, and on two cores that costs more than it
    # saves: 40 to 90 us of compiler for each of the first 100,000 spectra, against 45 us of broker.
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def read_properties(text: str) -> dict[str, str]:
    """Return the keys and values of a Java properties file (one ``key=value`` a line, ``#`` comments)."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in pairs}


def broker_settings(port: int, controller_port: int, data: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Return ``server.properties`` with this broker's listeners and folder; ``extra`` has the last word."""
    return {
        **read_properties(SETTINGS.read_text(encoding="utf-8")),
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
        "log.dirs": str(data),
        **extra,
    }


class Broker:
    """One broker process on a fixed port and folder.

    Args:
        directory: Holds its data, its settings and ``broker.log``; made if missing.
        port: Where clients connect, on 127.0.0.1; None: a free one.
        properties: Broker settings on top of ``server.properties``.
        accounts: By SASL mechanism (SCRAM), passwords by name; they enter a new folder and stay in it.
    """

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        properties: Mapping[str, str] | None = None,
        accounts: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.directory = directory.resolve()
        self.port = free_port() if port is None else port
        self._controller_port = free_port()
        self._properties = dict(properties or {})
        self._accounts = dict(accounts or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect: ``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """The file that the broker writes its warnings to."""
        return self.directory / "broker.log"

    def start(self) -> None:
        """Start the broker and return once it serves.

        Raises:
            BrokerError: Java or Maven is missing, the folder cannot be formatted, or the broker ended.
        """
        java, jars = java_command(), resolve_jars()
        data = self.directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        settings = self.directory / "server.properties"
        values = broker_settings(self.port, self._controller_port, data, self._properties)
        settings.write_text("".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8")
        # A killed JVM leaves its unpacked native libraries behind: here they go with the folder.
        scratch = self.directory / "tmp"
        scratch.mkdir(exist_ok=True)
        program = [java, *JVM_OPTIONS, f"-Djava.io.tmpdir={scratch}", "-cp", f"{jars}/*"]
        if not (data / "meta.properties").exists():
            _format_storage(program, settings, self._accounts)
        with self.log.open("ab") as log:
            heard = log.tell()
            self._process = subprocess.Popen(  # noqa: S603
                [*program, "kafka.Kafka", str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self.directory / "broker.pid").write_text(f"{self._process.pid}\n", encoding="ascii")
        self._guard = _guard(self._process.pid)
        self._wait_until_started(self._process, heard)

    def _wait_until_started(self, process: subprocess.Popen[bytes], heard: int) -> None:
        """Wait for the broker's own word, written after byte ``heard`` of its log, that it serves."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            with self.log.open("rb") as log:
                log.seek(heard)
                said = log.read().decode("utf-8", "replace")
            if STARTED in said:
                return
            if process.poll() is not None:
                raise BrokerFailed(
                    f"the broker on port {self.port} ended with {process.returncode}: {_last_words(said)}"
                )
            time.sleep(LOOK_EVERY_S)
        self.kill()
        raise BrokerFailed(f"the broker on port {self.port} did not start in {START_TIMEOUT_S:.0f} s: see {self.log}")

    def running(self) -> bool:
        """Return whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Shut the broker down in order; it is killed if that takes too long."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.kill()
            guard.communicate()
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait(self) -> int:
        """Wait until the broker ends by itself and return its exit status (0 when it does not run)."""
        return 0 if self._process is None else self._process.wait()


def _guard(broker: int) -> subprocess.Popen[bytes]:
    """Start a shell that ends the broker when this process ends in whatever way: then the pipe to the shell closes."""
    command = ["/bin/sh", "-c", 'read -r _; kill -TERM "$1"', "sh", str(broker)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603


def _format_storage(program: list[str], settings: Path, accounts: Mapping[str, Mapping[str, str]]) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
    # An identifier that begins with "-" would be read as an option.
    cluster = cluster.replace("-", "A")
    command = [*program, "kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", str(settings)]
    for mechanism, passwords in accounts.items():
        for name, password in passwords.items():
            command += ["--add-scram", f'{mechanism}=[name="{name}",password="{password}"]']
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise BrokerFailed(f"could not format {settings.parent}: {_last_words(done.stderr or done.stdout)}")


def _last_words(said: str) -> str:
    """Return the last line that is not part of a Java stack trace."""
    lines = [line for line in said.splitlines() if line.strip() and not line.lstrip().startswith(("at ", "..."))]
    return lines[-1].strip() if lines else "it said nothing"


@contextmanager
def running_broker(
    directory: Path | None = None, port: int | None = None, properties: Mapping[str, str] | None = None
) -> Iterator[Broker]:
    """Run a broker for the length of a ``with`` block; without a directory its data go with it."""
    with tempfile.TemporaryDirectory(prefix="specstream-kafka-", ignore_cleanup_errors=True) as temporary:
        broker = Broker(directory or Path(temporary), port, properties)
        try:
            broker.start()
            yield broker
        finally:
            broker.stop()


def serve_until_stopped(running: AbstractContextManager[tuple[Broker, str]]) -> int:
    """Run a broker until Ctrl-C or SIGTERM and say what comes with it once it serves; return the exit status."""
    stop = stop_on_signals()
    try:
        with running as (broker, greeting):
            print(greeting, flush=True)
            while not stop.wait(0.5):
                if not broker.running():
                    raise BrokerFailed(f"the broker ended with {broker.wait()}: see {broker.log}")
    except BrokerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run a broker until Ctrl-C or SIGTERM; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ops.kafka.launcher", description="Run a real Apache Kafka.")
    parser.add_argument("--port", type=int, default=9092, help="port of 127.0.0.1 (default 9092; 0: a free one)")
    parser.add_argument("--directory", type=Path, default=None, help="keep the data here (default: a temporary folder)")
    parser.add_argument(
        "--property",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="broker setting on top of server.properties",
    )
    options = parser.parse_args(arguments)
    if wrong := [text for text in options.property if "=" not in text]:
        parser.error(f"--property expects KEY=VALUE, got {wrong[0]!r}")

    @contextmanager
    def greeted() -> Iterator[tuple[Broker, str]]:
        properties = read_properties("\n".join(options.property))
        with running_broker(options.directory, options.port or None, properties) as it:
            yield it, f"kafka://{it.bootstrap} serves; data and log in {it.directory}; Ctrl-C stops it"

    return serve_until_stopped(greeted())


if __name__ == "__main__":
    sys.exit(main())
