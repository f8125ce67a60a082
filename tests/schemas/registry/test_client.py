"""The registry client against a real HTTP server that speaks the Confluent API."""

from __future__ import annotations

import base64
import json
import socket
import struct
from typing import Any, TypeAlias

import pytest

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.errors import CatalogueError, RegistryRefused, RegistryUnavailable, Undecodable
from schemas.registry.client import RegistryAddress, RegistryClient

Registry: TypeAlias = Any
"""The server of the root ``conftest``."""

LABEL = {"l2_id": "a", "l1_id": "b", "verdict": "WRONG", "author": "c", "labelled_ms": 1}


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
