"""What can go wrong between bytes and records; every error says what the caller should do.

``Undecodable``: this message is bad and becomes a dead letter. ``Unencodable``: a record of ours does not fit its
schema, a defect of the program. ``RegistryUnavailable``: wait and do the same again. ``RegistryRefused`` and
``CatalogueError``: the configuration is wrong, never start.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

UndecodableReason: TypeAlias = Literal[
    "EMPTY_MESSAGE",
    "UNKNOWN_FRAMING",
    "UNKNOWN_SCHEMA",
    "INVALID_SCHEMA",
    "UNDECODABLE",
    "WRONG_SCHEMA",
    "INVALID_TEXT",
    "MISSING_FIELD",
    "INVALID_VALUE",
    "LENGTH_MISMATCH",
    "MESSAGE_TOO_LARGE",
    "UNSUPPORTED",
]
"""The part of the closed set of dead-letter reasons that this package can tell; equal to the values of the stream's."""


class SchemasError(Exception):
    """Base of every error that ``schemas`` raises."""


class Undecodable(SchemasError):
    """This message cannot become a record: dead-letter it, go on.

    Attributes:
        reason: Why, from the closed set of dead-letter reasons.
        message: What was wrong, in one sentence.
        field: Field that was wrong, as a dotted path.
        expected: What was expected.
        received: What came.
        schema_id: Schema id or fingerprint found in the message's framing.
    """

    def __init__(
        self,
        reason: UndecodableReason,
        message: str,
        *,
        field: str | None = None,
        expected: str | None = None,
        received: str | None = None,
        schema_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.reason: UndecodableReason = reason
        self.message = message
        self.field = field
        self.expected = expected
        self.received = received
        self.schema_id = schema_id


class Unencodable(SchemasError):
    """A record does not fit the schema it should be written with.

    Attributes:
        name: Full name of the schema.
        field: Field that was wrong, where it could be told.
    """

    def __init__(self, name: str, message: str, *, field: str | None = None) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.field = field


class CatalogueError(SchemasError):
    """The user named a schema file, an id or a schema name that cannot be used: stop before anything is consumed."""


class RegistryError(SchemasError):
    """Base of what a schema registry can answer wrongly.

    Attributes:
        url: Address that was asked.
        status: HTTP status, where one came.
    """

    def __init__(self, message: str, *, url: str, status: int | None = None) -> None:
        super().__init__(message)
        self.url = url
        self.status = status


class RegistryUnavailable(RegistryError):
    """The registry could not be reached or is overloaded: the same call may succeed later."""


class RegistryRefused(RegistryError):
    """The registry answered and said no (not authorised, incompatible, not a registry): mend the configuration."""
