"""What every room's tests share: real data, our schemas, processes, a real broker, and a schema registry.

The registry speaks the Confluent API.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ops.kafka.launcher import running_broker
from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.compatibility import incompatibilities
from schemas.definitions import named_types, parse_text, resolve

ROOT = Path(__file__).resolve().parent.parent

# How fast a machine is decides no test, and the same commit gets the same examples: what passed once passes again.
# `--hypothesis-profile search` draws new ones; so does `make check`, fewer where a test names no number of its own.
settings.register_profile("all", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("search", settings.get_profile("all"), derandomize=False)
settings.register_profile("check", settings.get_profile("search"), max_examples=20)
settings.load_profile("all")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of slow tests, those that wait for a broker spread evenly among those that compute.

    Workers side by side then end together, and hardly ever wait all at once.
    """
    marks: dict[Path, set[str]] = {}
    for item in items:
        marks.setdefault(item.path, set()).update(mark.name for mark in item.iter_markers())
    place: dict[Path, tuple[bool, float]] = {}
    for slow, waits in itertools.product((True, False), repeat=2):
        files = [path for path, names in marks.items() if ("slow" in names, "kafka" in names) == (slow, waits)]
        place |= {path: (not slow, (number + 0.5) / len(files)) for number, path in enumerate(files)}
    items.sort(key=lambda item: place[item.path])


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real spectra, FITS files and alerts; skip where it is absent."""
    path = Path(os.environ.get("SPECSTREAM_DATA", ROOT / ".." / "shared" / "data")).resolve()
    if not (path / "spectra").is_dir():
        pytest.skip(f"real data not found at {path}; set SPECSTREAM_DATA")
    return path


@pytest.fixture(scope="session")
def base_install(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a Python that finds nothing of what only extras bring, but matplotlib."""
    hiding = tmp_path_factory.mktemp("absent")
    for name in ("torch", "onnxscript", "safetensors", "tensorrt", "tensorrt_rtx", "scipy"):
        (hiding / f"{name}.py").write_text(f"raise ModuleNotFoundError('hidden', name={name!r})\n")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(hiding), str(ROOT)])}


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Return the embedded schemas."""
    return Catalogue.embedded()


@pytest.fixture(scope="session")
def codec(catalogue: Catalogue) -> Codec:
    """Return the codec of the embedded schemas."""
    return Codec(catalogue)


@pytest.fixture
def start() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Return a function that starts a Python program in a process of its own; what lives at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(program: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture(scope="session")
def broker_url() -> Iterator[str]:
    """Run one real Kafka for the whole session, started when first asked for; return its ``HOST:PORT``.

    Tests share it, so each takes topics and groups of its own name.
    """
    with running_broker() as broker:
        yield broker.bootstrap


class Registry(ThreadingHTTPServer):
    """A schema registry in memory: ids, subjects, versions, compatibility levels and authentication.

    It serves as a context manager; nobody listens before and after.
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.schemas: dict[int, str] = {}
        self.subjects: dict[str, list[int]] = {}
        self.levels: dict[str, str] = {}
        self.authorization: str | None = None
        self.asked: list[str] = []
        self.broken_answer: tuple[int, bytes] | None = None

    def __enter__(self) -> Registry:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/api"

    def register(self, subject: str, text: str) -> int:
        known = next((key for key, value in self.schemas.items() if value == text), None)
        schema_id = known or len(self.schemas) + 1
        self.schemas[schema_id] = text
        versions = self.subjects.setdefault(subject, [])
        if schema_id not in versions:
            versions.append(schema_id)
        return schema_id

    def problems(self, subject: str, text: str) -> list[str]:
        if self.levels.get(subject) != "FORWARD_TRANSITIVE":
            return []
        newest = parse_text(text)
        older = [parse_text(self.schemas[key]) for key in self.subjects.get(subject, ())]
        return [str(problem) for schema in older for problem in incompatibilities(newest, schema)]


class Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        del arguments

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_GET  # noqa: N815

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.removeprefix("/api")
        self.server.asked.append(f"{self.command} {path}")
        if self.server.broken_answer is not None:
            self._answer(*self.server.broken_answer)
        elif self.server.authorization not in (None, self.headers.get("Authorization")):
            self._answer(401, json.dumps({"error_code": 401, "message": "Unauthorized"}).encode())
        else:
            status, value = self._value(path.partition("?")[0].strip("/").split("/"), json.loads(body or b"{}"))
            self._answer(status, json.dumps(value).encode())

    def _value(self, parts: list[str], body: dict[str, Any]) -> tuple[int, Any]:
        server = self.server
        match (self.command, *parts):
            case ("GET", "schemas", "ids", number):
                text = server.schemas.get(int(number))
                return (200, {"schema": text}) if text else (404, {"error_code": 40403, "message": "Schema not found"})
            case ("GET", "subjects", subject, "versions"):
                versions = server.subjects.get(subject)
                return (
                    (200, list(range(1, len(versions) + 1)))
                    if versions
                    else (404, {"error_code": 40401, "message": ""})
                )
            case ("GET", "subjects", subject, "versions", version):
                key = server.subjects[subject][int(version) - 1]
                return 200, {"subject": subject, "id": key, "version": int(version), "schema": server.schemas[key]}
            case ("PUT", "config", subject):
                server.levels[subject] = body["compatibility"]
                return 200, body
            case ("POST", "compatibility", "subjects", subject, "versions"):
                problems = server.problems(subject, body["schema"])
                return 200, {"is_compatible": not problems, "messages": problems}
            case ("POST", "subjects", subject, "versions"):
                if server.problems(subject, body["schema"]):
                    return 409, {"error_code": 409, "message": "incompatible with an earlier schema"}
                return 200, {"id": server.register(subject, body["schema"])}
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Run a schema registry."""
    with Registry() as server:
        yield server


@pytest.fixture
def registry_at() -> Callable[[int], Registry]:
    """Return a maker of schema registries at a given port, which serve as context managers."""
    return Registry


@pytest.fixture(scope="session")
def records_of() -> Callable[..., st.SearchStrategy[Any]]:
    """Return a function that makes the strategy for the records of a parsed schema.

    ``leave_out`` lets fields with a default be absent; ``whole_arrays`` keeps array fields a whole number of values.
    """

    def strategy(schema: Any, *, leave_out: bool = False, whole_arrays: bool = False) -> st.SearchStrategy[Any]:
        return _values(schema, named_types(schema), leave_out, whole_arrays)

    return strategy


def _values(schema: Any, names: dict[str, Any], leave_out: bool, whole_arrays: bool) -> st.SearchStrategy[Any]:
    kind, definition = resolve(schema, names)

    def inner(part: Any) -> st.SearchStrategy[Any]:
        return _values(part, names, leave_out, whole_arrays)

    if kind == "union":
        return st.one_of([inner(branch) for branch in definition])
    if kind == "record":
        fields = {field["name"]: inner(field["type"]) for field in definition["fields"]}
        optional = {field["name"] for field in definition["fields"] if leave_out and "default" in field}
        required = {name: values for name, values in fields.items() if name not in optional}
        return st.fixed_dictionaries(required, optional={name: fields[name] for name in optional})
    if kind == "array":
        return st.lists(inner(definition["items"]), max_size=3)
    if kind == "map":
        return st.dictionaries(st.text(max_size=5), inner(definition["values"]), max_size=3)
    if kind == "enum":
        return st.sampled_from(definition["symbols"])
    if whole_arrays and isinstance(definition, dict) and definition.get("logicalType"):
        width_bytes = 8 if definition["logicalType"] == "float64-le" else 4
        return st.sampled_from([0, 1, 2, 5]).map(lambda count: bytes(range(count * width_bytes)))
    return _SIMPLE[kind]


_SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, -1, 63, 64, 1023, 1024, 8191, 8192]),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=20),
    "string": st.text(max_size=20),
}
