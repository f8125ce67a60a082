"""What is said to a Confluent-compatible schema registry, without saying it: requests and answers as values.

A *conversation* is a generator that yields a ``Request``, is sent the ``Response``, and returns its result; whoever
drives it does the I/O (``schemas.registry.client``). Pure. Paths and error codes are those of the Confluent Schema
Registry API v1, which Karapace, Apicurio and Redpanda answer too.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote

from schemas.assembly import assemble_texts
from schemas.definitions import parse_text
from schemas.errors import RegistryRefused, RegistryUnavailable, Undecodable
from schemas.fingerprint import fingerprint

CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"
FORWARD_TRANSITIVE: Final = "FORWARD_TRANSITIVE"
_NOT_FOUND_CODES: Final = frozenset({40401, 40402, 40403})
_MAX_REFERENCES: Final = 256

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to the registry: method, path (with leading slash) and JSON body."""

    method: str
    path: str
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer: status, body, and the address that was asked (for messages)."""

    status: int
    body: bytes
    url: str


Conversation: TypeAlias = Generator[Request, Response, Result]


@dataclass(frozen=True, slots=True)
class Reference:
    """A schema that another one refers to: the name it is called by, and the subject and version that define it."""

    name: str
    subject: str
    version: int


def ask_schema_by_id(schema_id: int) -> Conversation[str | None]:
    """Ask for the schema of a Confluent id.

    Returns:
        The schema as JSON text with the types that it refers to defined within, or None where there is no such id.

    Raises:
        Undecodable: ``UNSUPPORTED`` when the id is of a schema that is not Avro.
    """
    answer = _answer((yield Request("GET", f"/schemas/ids/{schema_id}")))
    return None if answer is None else (yield from _whole_schema(answer))


def ask_schema_by_fingerprint(value: int, subjects: Sequence[str]) -> Conversation[str | None]:
    """Ask for the schema of a CRC-64-AVRO fingerprint among every version of some subjects; None when none has it.

    A registry does not know this fingerprint, so the versions are read, newest first, and compared here.
    """
    for subject in subjects:
        versions = _answer((yield Request("GET", f"/subjects/{quote(subject, safe='')}/versions")))
        if not isinstance(versions, list):
            continue
        for version in sorted((number for number in versions if isinstance(number, int)), reverse=True):
            answer = _answer((yield _version_request(subject, version)))
            if answer is None:
                continue
            text = yield from _whole_schema(answer)
            try:
                if fingerprint(parse_text(text)) == value:
                    return text
            except Undecodable:
                # A schema that cannot be read is not the one that a message of ours was written with.
                continue
    return None


def ask_compatibility(subject: str, text: str) -> Conversation[tuple[str, ...]]:
    """Ask whether a schema may become the next version of a subject.

    Returns:
        Why not, as the registry words it; empty when it may (also when the subject does not exist yet).
    """
    path = f"/compatibility/subjects/{quote(subject, safe='')}/versions?verbose=true"
    answer = _answer((yield Request("POST", path, _schema_body(text))))
    if answer is None or _get(answer, "is_compatible") is True:
        return ()
    messages = _get(answer, "messages")
    return tuple(str(message) for message in messages) if messages else ("the registry gives no reason",)


def ask_register(subject: str, text: str) -> Conversation[int]:
    """Register a schema under a subject (a schema that is registered already keeps its id) and return its id.

    Raises:
        RegistryRefused: when it is incompatible or invalid.
    """
    response = yield Request("POST", f"/subjects/{quote(subject, safe='')}/versions", _schema_body(text))
    schema_id = _get(_answer(response), "id")
    if not isinstance(schema_id, int):
        raise _not_a_registry(response)
    return schema_id


def ask_set_compatibility(subject: str, level: str = FORWARD_TRANSITIVE) -> Conversation[None]:
    """Set the compatibility level of a subject."""
    body = json.dumps({"compatibility": level}).encode()
    response = yield Request("PUT", f"/config/{quote(subject, safe='')}", body)
    if _answer(response) is None:
        raise _not_a_registry(response)


def ask_publish(subject: str, text: str) -> Conversation[int]:
    """Make a schema the newest version of a subject under ``FORWARD_TRANSITIVE`` and return its id.

    Raises:
        RegistryRefused: when a version before it could not read what it writes; nothing is registered then.
    """
    yield from ask_set_compatibility(subject)
    problems = yield from ask_compatibility(subject, text)
    if problems:
        message = f"the schema is not {FORWARD_TRANSITIVE} with subject {subject!r}: {'; '.join(problems)}"
        raise RegistryRefused(message, url=subject)
    return (yield from ask_register(subject, text))


def _whole_schema(answer: object) -> Conversation[str]:
    kind = _get(answer, "schemaType") or "AVRO"
    if kind != "AVRO":
        raise Undecodable("UNSUPPORTED", f"the schema is {kind}", expected="an Avro schema", received=str(kind))
    texts: dict[str, str] = {}
    waiting = _references(answer)
    seen = set(waiting)
    while waiting:
        reference = waiting.pop(0)
        response = yield _version_request(reference.subject, reference.version)
        part = _answer(response)
        if part is None or len(texts) >= _MAX_REFERENCES:
            raise Undecodable(
                "UNKNOWN_SCHEMA",
                f"the schema refers to {reference.name}, which the registry does not have",
                expected=f"version {reference.version} of subject {reference.subject}",
                received="nothing" if part is None else f"more than {_MAX_REFERENCES} references",
            )
        texts[reference.name] = _text_of(part, response)
        new = [inner for inner in _references(part) if inner not in seen]
        seen.update(new)
        waiting += new
    text = _get(answer, "schema")
    if not isinstance(text, str):
        raise Undecodable("INVALID_SCHEMA", "the registry's answer holds no schema", expected="a schema as JSON text")
    return assemble_texts(text, tuple(texts.values())) if texts else text


def _references(answer: object) -> list[Reference]:
    found = []
    for part in _get(answer, "references") or ():
        name, subject, version = _get(part, "name"), _get(part, "subject"), _get(part, "version")
        if isinstance(name, str) and isinstance(subject, str) and isinstance(version, int):
            found.append(Reference(name, subject, version))
    return found


def _version_request(subject: str, version: int) -> Request:
    return Request("GET", f"/subjects/{quote(subject, safe='')}/versions/{version}")


def _schema_body(text: str) -> bytes:
    return json.dumps({"schema": text, "schemaType": "AVRO"}).encode()


def _text_of(answer: object, response: Response) -> str:
    text = _get(answer, "schema")
    if not isinstance(text, str):
        raise _not_a_registry(response)
    return text


def _answer(response: Response) -> object | None:
    """Return the JSON of an answer, None for "no such schema", or raise what the status means."""
    if response.status in {408, 429} or response.status >= 500:
        message = f"the registry at {response.url} answers {response.status}"
        raise RegistryUnavailable(message, url=response.url, status=response.status)
    try:
        value: Any = json.loads(response.body)
    except ValueError:
        raise _not_a_registry(response) from None
    if response.status < 300:
        return value  # type: ignore[no-any-return]
    if response.status == 404 and _get(value, "error_code") in _NOT_FOUND_CODES:
        return None
    message = (
        f"the registry at {response.url} refuses ({response.status}): {_get(value, 'message') or 'no reason given'}"
    )
    raise RegistryRefused(message, url=response.url, status=response.status)


def _not_a_registry(response: Response) -> RegistryRefused:
    message = f"{response.url} answers {response.status} with something that is no schema registry's answer"
    return RegistryRefused(message, url=response.url, status=response.status)


def _get(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
