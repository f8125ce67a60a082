"""The registry client against a real HTTP server that speaks the Confluent API."""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.compatibility import incompatibilities
from schemas.definitions import parse_text
from schemas.errors import CatalogueError, RegistryRefused, RegistryUnavailable, Undecodable
from schemas.registry.client import RegistryAddress, RegistryClient

LABEL = {"l2_id": "a", "l1_id": "b", "verdict": "WRONG", "author": "c", "labelled_ms": 1}


class Registry(ThreadingHTTPServer):
    """A schema registry in memory: ids, subjects, versions, compatibility levels and authentication."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.schemas: dict[int, str] = {}
        self.subjects: dict[str, list[int]] = {}
        self.levels: dict[str, str] = {}
        self.authorization: str | None = None
        self.asked: list[str] = []
        self.broken_answer: tuple[int, bytes] | None = None

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
    server = Registry()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def client_of(registry: Registry, **more: Any) -> RegistryClient:
    return RegistryClient(RegistryAddress(registry.url, timeout_s=5.0), **more)


def test_own_schemas_are_published_and_used_for_framing(registry: Registry, catalogue: Catalogue) -> None:
    client = client_of(registry)
    ids = {name: client.publish(f"{name}-value", catalogue.text(name)) for name in catalogue.names}
    assert registry.levels["org.specstream.label-value"] == "FORWARD_TRANSITIVE"
    codec = Codec(catalogue.with_registry(client, ids))
    value = codec.encode("label", LABEL)
    assert value[:5] == b"\x00" + struct.pack(">I", ids["org.specstream.label"])
    asked_before = len(registry.asked)
    assert codec.decode(value).record["author"] == "c"
    assert codec.decode(value).framing == "confluent"
    assert len(registry.asked) == asked_before + 1


def test_publishing_again_keeps_the_id(registry: Registry, catalogue: Catalogue) -> None:
    client = client_of(registry)
    text = catalogue.text("label")
    assert client.publish("s", text) == client.publish("s", text) == client.register("s", text)


def test_careless_change_is_refused_and_not_registered(registry: Registry, catalogue: Catalogue) -> None:
    client = client_of(registry)
    text = catalogue.text("label")
    client.publish("s", text)
    schema = json.loads(text)
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "author"]
    assert any("author" in reason for reason in client.incompatibilities("s", json.dumps(schema)))
    with pytest.raises(RegistryRefused, match="author"):
        client.publish("s", json.dumps(schema))
    with pytest.raises(RegistryRefused, match="incompatible"):
        client.register("s", json.dumps(schema))
    assert len(registry.subjects["s"]) == 1


def test_newer_producers_message_is_read_by_fingerprint(registry: Registry, catalogue: Catalogue) -> None:
    newer = json.loads(catalogue.text("label"))
    newer["fields"].append({"name": "weight", "type": "double", "doc": "Weight [1].", "default": 1.0})
    registry.register("s", catalogue.text("label"))
    registry.register("s", json.dumps(newer))
    message = Codec(Catalogue([json.dumps(newer)])).encode("label", LABEL)
    codec = Codec(catalogue.with_registry(client_of(registry, subjects=["s"])))
    assert codec.decode(message).record["author"] == "c"
    with pytest.raises(Undecodable):
        Codec(catalogue.with_registry(client_of(registry))).decode(message)


def test_unknown_id_is_believed_for_a_while_and_then_asked_again(registry: Registry) -> None:
    now = [100.0]
    client = client_of(registry, ask_again_after_s=60.0, clock=lambda: now[0])
    assert client.schema_by_id(1) is None
    now[0] += 59
    assert client.schema_by_id(1) is None
    assert len(registry.asked) == 1
    registry.register("s", '"int"')
    now[0] += 2
    assert client.schema_by_id(1) == '"int"'
    assert client.schema_by_id(1) == '"int"'
    assert len(registry.asked) == 2


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        ({"user": "ann", "password": "s:ecret"}, "Basic " + base64.b64encode(b"ann:s:ecret").decode()),
        ({"token": "abc"}, "Bearer abc"),
    ],
)
def test_client_logs_in_and_shows_no_secret(registry: Registry, credentials: dict[str, str], header: str) -> None:
    registry.authorization = header
    registry.register("s", '"int"')
    address = RegistryAddress(registry.url, **credentials)  # type: ignore[arg-type]
    assert RegistryClient(address).schema_by_id(1) == '"int"'
    assert "ecret" not in repr(address)
    assert "abc" not in repr(address)


def test_wrong_password_is_refused_without_retry(registry: Registry) -> None:
    registry.authorization = "Basic x"
    with pytest.raises(RegistryRefused, match="Unauthorized") as caught:
        client_of(registry).schema_by_id(1)
    assert caught.value.status == 401


def test_overloaded_registry_is_unavailable_and_not_remembered(registry: Registry) -> None:
    registry.register("s", '"int"')
    registry.broken_answer = (503, b"busy")
    client = client_of(registry)
    with pytest.raises(RegistryUnavailable):
        client.schema_by_id(1)
    registry.broken_answer = None
    assert client.schema_by_id(1) == '"int"'


def test_some_other_web_server_is_refused(registry: Registry) -> None:
    registry.broken_answer = (200, b"<html>hello</html>")
    with pytest.raises(RegistryRefused, match="no schema registry"):
        client_of(registry).schema_by_id(1)


def test_nobody_listening_is_unavailable() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(RegistryUnavailable, match="cannot be reached"):
            RegistryClient(RegistryAddress(url, timeout_s=2.0)).schema_by_id(1)


def test_silent_registry_is_unavailable_after_the_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RegistryUnavailable):
            RegistryClient(RegistryAddress(url, timeout_s=0.2)).schema_by_id(1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "localhost:8081"},
        {"url": "ftp://host"},
        {"url": "http://ann:secret@host"},
        {"url": "http://host", "timeout_s": 0.0},
        {"url": "http://host", "user": "ann", "token": "abc"},
    ],
)
def test_address_that_cannot_be_is_a_catalogue_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(CatalogueError) as caught:
        RegistryAddress(**wrong)
    assert "secret" not in str(caught.value)
