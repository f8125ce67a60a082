"""Conversations with a registry, held without any network."""

import json
from typing import Any

import pytest

from schemas.definitions import parse_text
from schemas.errors import RegistryRefused, RegistryUnavailable, Undecodable
from schemas.fingerprint import fingerprint
from schemas.registry.core import (
    Conversation,
    Request,
    Response,
    ask_compatibility,
    ask_publish,
    ask_register,
    ask_schema_by_fingerprint,
    ask_schema_by_id,
)

SCHEMA = json.dumps({"type": "record", "name": "a.r", "fields": [{"name": "x", "type": "int"}]})


def hold(conversation: Conversation[Any], *answers: tuple[int, Any]) -> tuple[Any, list[Request]]:
    """Drive a conversation with prepared answers; return its result and what was asked."""
    asked: list[Request] = []
    left = list(answers)
    try:
        request = next(conversation)
        while True:
            asked.append(request)
            status, body = left.pop(0)
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            request = conversation.send(Response(status, text, "http://registry" + request.path))
    except StopIteration as end:
        assert not left
        return end.value, asked


def test_schema_is_asked_for_by_id() -> None:
    text, asked = hold(ask_schema_by_id(12), (200, {"schema": SCHEMA}))
    assert text == SCHEMA
    assert asked == [Request("GET", "/schemas/ids/12")]


def test_unknown_id_is_none() -> None:
    assert hold(ask_schema_by_id(12), (404, {"error_code": 40403, "message": "Schema not found"}))[0] is None


def test_references_are_fetched_and_put_in_their_place() -> None:
    top = {"type": "record", "name": "a.t", "fields": [{"name": "r", "type": "a.r"}, {"name": "s", "type": "a.s"}]}
    second = {"type": "record", "name": "a.s", "fields": [{"name": "r", "type": "a.r"}]}
    refer_r = {"name": "a.r", "subject": "r/1", "version": 3}
    refer_s = {"name": "a.s", "subject": "s", "version": 1}
    text, asked = hold(
        ask_schema_by_id(1),
        (200, {"schema": json.dumps(top), "references": [refer_s, refer_r]}),
        (200, {"schema": json.dumps(second), "references": [refer_r]}),
        (200, {"schema": SCHEMA}),
    )
    whole = json.loads(text)
    assert whole["fields"][0]["type"]["fields"] == [{"name": "x", "type": "int"}]
    assert whole["fields"][1]["type"]["name"] == "a.s"
    assert [request.path for request in asked[1:]] == ["/subjects/s/versions/1", "/subjects/r%2F1/versions/3"]


def test_reference_that_is_missing_is_an_unknown_schema() -> None:
    refer = {"name": "a.r", "subject": "r", "version": 3}
    answers = ((200, {"schema": SCHEMA, "references": [refer]}), (404, {"error_code": 40402}))
    with pytest.raises(Undecodable) as caught:
        hold(ask_schema_by_id(1), *answers)
    assert caught.value.reason == "UNKNOWN_SCHEMA"


def test_schema_of_another_kind_is_unsupported() -> None:
    with pytest.raises(Undecodable) as caught:
        hold(ask_schema_by_id(1), (200, {"schema": "{}", "schemaType": "PROTOBUF"}))
    assert (caught.value.reason, caught.value.received) == ("UNSUPPORTED", "PROTOBUF")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_overloaded_registry_is_unavailable(status: int) -> None:
    with pytest.raises(RegistryUnavailable) as caught:
        hold(ask_schema_by_id(1), (status, b"<html>"))
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"message": "Unauthorized"}),
        (403, {"message": "no"}),
        (404, {"error": "x"}),
        (404, b"<html>"),
        (200, b"hello"),
    ],
)
def test_registry_that_says_no_or_is_none_is_refused(status: int, body: Any) -> None:
    with pytest.raises(RegistryRefused) as caught:
        hold(ask_schema_by_id(1), (status, body))
    assert "http://registry/schemas/ids/1" in str(caught.value)


def test_fingerprint_is_looked_for_in_every_version_newest_first() -> None:
    other = json.dumps({"type": "record", "name": "a.r", "fields": [{"name": "y", "type": "int"}]})
    wanted = fingerprint(parse_text(SCHEMA))
    text, asked = hold(
        ask_schema_by_fingerprint(wanted, ["absent", "s"]),
        (404, {"error_code": 40401}),
        (200, [1, 3, 2]),
        (200, {"schema": "{broken"}),
        (200, {"schema": other}),
        (200, {"schema": SCHEMA}),
    )
    assert text == SCHEMA
    assert [r.path for r in asked[2:]] == [f"/subjects/s/versions/{number}" for number in (3, 2, 1)]


def test_publishing_sets_the_level_checks_and_registers() -> None:
    schema_id, asked = hold(
        ask_publish("l2-value", SCHEMA),
        (200, {"compatibility": "FORWARD_TRANSITIVE"}),
        (200, {"is_compatible": True}),
        (200, {"id": 9}),
    )
    assert schema_id == 9
    assert [(r.method, r.path) for r in asked] == [
        ("PUT", "/config/l2-value"),
        ("POST", "/compatibility/subjects/l2-value/versions?verbose=true"),
        ("POST", "/subjects/l2-value/versions"),
    ]
    assert json.loads(asked[0].body or b"") == {"compatibility": "FORWARD_TRANSITIVE"}
    assert json.loads(asked[2].body or b"")["schema"] == SCHEMA


def test_incompatible_schema_is_not_registered() -> None:
    answers = ((200, {"compatibility": "FORWARD_TRANSITIVE"}), (200, {"is_compatible": False, "messages": ["field y"]}))
    with pytest.raises(RegistryRefused, match="field y"):
        hold(ask_publish("l2-value", SCHEMA), *answers)


def test_first_version_of_a_subject_is_compatible() -> None:
    assert hold(ask_compatibility("new", SCHEMA), (404, {"error_code": 40401}))[0] == ()


def test_refused_registration_tells_the_registrys_words() -> None:
    with pytest.raises(RegistryRefused, match="incompatible with an earlier schema") as caught:
        hold(ask_register("s", SCHEMA), (409, {"error_code": 409, "message": "incompatible with an earlier schema"}))
    assert caught.value.status == 409
