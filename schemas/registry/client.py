"""The HTTP edge of the schema registry: carries the conversations of ``schemas.registry.core`` and remembers answers.

Uses the standard library only (the registry client of confluent-kafka pulls in three more packages). An id never
changes its schema, so what was found is kept, in a bounded cache; what was not found is asked again after a while.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from schemas.cache import BoundedCache
from schemas.errors import CatalogueError, RegistryUnavailable
from schemas.registry.core import (
    CONTENT_TYPE,
    Conversation,
    Request,
    Response,
    Result,
    ask_compatibility,
    ask_publish,
    ask_register,
    ask_schema_by_fingerprint,
    ask_schema_by_id,
    ask_set_compatibility,
)

_MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
_MAX_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class RegistryAddress:
    """Where a registry is and how to be let in.

    Attributes:
        url: ``http://`` or ``https://`` address, with a path where the registry has one.
        user: User name for Basic authentication.
        password: Password for Basic authentication; never shown.
        token: Bearer token, instead of user and password; never shown.
        ca_file: File of certificate authorities to trust instead of the system's.
        timeout_s: Longest wait for connecting and for each answer [s].
    """

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = f"schema registry address {self.url!r}: expected http://HOST[:PORT] or https://HOST[:PORT]"
            raise CatalogueError(message)
        if parts.username is not None:
            message = "schema registry address: user and password belong in their own settings, not in the address"
            raise CatalogueError(message)
        if self.token is not None and self.user is not None:
            message = "schema registry: expected either user and password or a token, received both"
            raise CatalogueError(message)
        if self.timeout_s <= 0:
            message = f"schema registry: timeout_s is {self.timeout_s}, expected more than 0"
            raise CatalogueError(message)

    @property
    def authorization(self) -> str | None:
        """Value of the Authorization header; None where nobody logs in."""
        if self.token is not None:
            return f"Bearer {self.token}"
        if self.user is not None:
            return "Basic " + base64.b64encode(f"{self.user}:{self.password or ''}".encode()).decode()
        return None


class RegistryClient:
    """A schema registry over HTTP; a ``SchemaSource`` for the catalogue.

    Args:
        address: Where it is.
        subjects: Subjects to look through when a schema is asked for by fingerprint.
        ask_again_after_s: How long "no such schema" is believed [s].
        clock: Monotonic clock [s].
    """

    def __init__(
        self,
        address: RegistryAddress,
        *,
        subjects: Sequence[str] = (),
        ask_again_after_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._subjects = tuple(subjects)
        self._ask_again_after_s = ask_again_after_s
        self._clock = clock
        self._found: BoundedCache[tuple[str, int], str] = BoundedCache(_MAX_REMEMBERED)
        self._missed: BoundedCache[tuple[str, int], float] = BoundedCache(_MAX_REMEMBERED)

    def schema_by_id(self, schema_id: int) -> str | None:
        """Return the schema of a Confluent id as JSON text, references included; None when there is none.

        Raises:
            RegistryUnavailable: when the registry cannot be reached or is overloaded.
            RegistryRefused: when it says no, or is no registry.
            Undecodable: when the schema is not Avro, or refers to one that is missing.
        """
        return self._remembered(("id", schema_id), lambda: ask_schema_by_id(schema_id))

    def schema_by_fingerprint(self, fingerprint: int) -> str | None:
        """Return the schema of a CRC-64-AVRO fingerprint, looked for in the client's subjects; None when not there.

        Raises:
            RegistryUnavailable: see ``schema_by_id``.
            RegistryRefused: see ``schema_by_id``.
        """
        if not self._subjects:
            return None
        key = ("fingerprint", fingerprint)
        return self._remembered(key, lambda: ask_schema_by_fingerprint(fingerprint, self._subjects))

    def incompatibilities(self, subject: str, text: str) -> tuple[str, ...]:
        """Return why a schema may not become the next version of a subject; empty when it may."""
        return self._hold(ask_compatibility(subject, text))

    def set_compatibility(self, subject: str, level: str) -> None:
        """Set the compatibility level of a subject, for example ``FORWARD_TRANSITIVE``."""
        self._hold(ask_set_compatibility(subject, level))

    def register(self, subject: str, text: str) -> int:
        """Register a schema under a subject and return its id; a schema known already keeps its id."""
        return self._hold(ask_register(subject, text))

    def publish(self, subject: str, text: str) -> int:
        """Register a schema under ``FORWARD_TRANSITIVE`` after checking it, and return its id.

        Raises:
            RegistryRefused: when an older version could not read what it writes.
        """
        return self._hold(ask_publish(subject, text))

    def _remembered(self, key: tuple[str, int], begin: Callable[[], Conversation[str | None]]) -> str | None:
        text = self._found.get(key)
        if text is not None:
            return text
        now = self._clock()
        missed = self._missed.get(key)
        if missed is not None and now - missed < self._ask_again_after_s:
            return None
        text = self._hold(begin())
        if text is None:
            self._missed.put(key, now)
            return None
        return self._found.put(key, text)

    def _hold(self, conversation: Conversation[Result]) -> Result:
        """Drive a conversation to its end."""
        try:
            request = next(conversation)
            while True:
                request = conversation.send(self._send(request))
        except StopIteration as end:
            result: Result = end.value
            return result

    def _send(self, request: Request) -> Response:
        parts = urlsplit(self._address.url)
        url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}{request.path}"
        headers = {"Accept": CONTENT_TYPE, "Content-Type": CONTENT_TYPE}
        if self._address.authorization is not None:
            headers["Authorization"] = self._address.authorization
        connection = self._connection(parts.scheme, parts.hostname or "", parts.port)
        try:
            connection.request(request.method, parts.path.rstrip("/") + request.path, request.body, headers)
            answer = connection.getresponse()
            body = answer.read(_MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            message = f"the schema registry at {url} cannot be reached: {error or type(error).__name__}"
            raise RegistryUnavailable(message, url=url) from error
        finally:
            connection.close()
        if len(body) > _MAX_ANSWER_BYTES:
            message = f"the schema registry at {url} answers more than {_MAX_ANSWER_BYTES} bytes"
            raise RegistryUnavailable(message, url=url, status=answer.status)
        return Response(answer.status, body, url)

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._address.timeout_s)
        context = ssl.create_default_context(cafile=self._address.ca_file)
        return http.client.HTTPSConnection(host, port, timeout=self._address.timeout_s, context=context)
