"""The three kinds of error in the stream, each of which says what the caller should do.

``Retryable``: wait and do the same again. ``Rejectable``: this record becomes a dead letter, the stream goes on.
``Fatal``: stop before anything is lost (exit status 3). ``ConfigurationError``: never start (exit status 2).
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a message became a dead letter: the closed set used in dead letters, ledger and metrics."""

    EMPTY_MESSAGE = "EMPTY_MESSAGE"
    UNKNOWN_FRAMING = "UNKNOWN_FRAMING"
    UNKNOWN_SCHEMA = "UNKNOWN_SCHEMA"
    INVALID_SCHEMA = "INVALID_SCHEMA"
    UNDECODABLE = "UNDECODABLE"
    WRONG_SCHEMA = "WRONG_SCHEMA"
    INVALID_TEXT = "INVALID_TEXT"
    MISSING_FIELD = "MISSING_FIELD"
    INVALID_VALUE = "INVALID_VALUE"
    LENGTH_MISMATCH = "LENGTH_MISMATCH"
    INVALID_WAVELENGTH = "INVALID_WAVELENGTH"
    UNKNOWN_UNIT = "UNKNOWN_UNIT"
    UNKNOWN_FRAME = "UNKNOWN_FRAME"
    NO_VALID_PIXELS = "NO_VALID_PIXELS"
    IMPLAUSIBLE_POSITION = "IMPLAUSIBLE_POSITION"
    CUTOUT_MISSING = "CUTOUT_MISSING"
    CUTOUT_INVALID = "CUTOUT_INVALID"
    CUTOUT_TOO_LARGE = "CUTOUT_TOO_LARGE"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    UNSUPPORTED = "UNSUPPORTED"


class StreamError(Exception):
    """Base of every error that ``stream`` raises."""


class Retryable(StreamError):
    """The same call may succeed later: keep the batch and call again."""


class Fatal(StreamError):
    """We are wrong, or no longer the owner of our identity: stop without committing."""


class ConfigurationError(StreamError):
    """The user asked for something that cannot be: one line, exit status 2."""


class Rejectable(StreamError):
    """This record is bad; it becomes a dead letter that names field, expected and received."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        field: str | None = None,
        expected: str | None = None,
        received: str | None = None,
        schema_id: str | None = None,
        survey: str | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field
        self.expected = expected
        self.received = received
        self.schema_id = schema_id
        self.survey = survey
