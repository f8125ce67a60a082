"""What decoding makes of a message: an accepted item for a lane, or a rejection; nothing else exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from classifiers.items import Spectrum, Stamps
from stream.errors import Reason
from stream.transports.contract import Message

Lane: TypeAlias = Literal["spectrum", "image"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Identity, sky and time fields that an L2 record copies from its input; names and units as in the L2 schema."""

    l1_id: str
    survey: str
    instrument: str = ""
    spec_uid: str | None = None
    object_uid: str | None = None
    object_id: str | None = None
    cname: str | None = None
    programme_id: str | None = None
    ob_id: str | None = None
    fibre_id: int | None = None
    fibre_use: str | None = None
    product_level: str | None = None
    supersedes: str | None = None
    ra_deg: float | None = None
    dec_deg: float | None = None
    mjd_start: float | None = None
    mjd_end: float | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that becomes exactly one L2 record; ``schema`` names its writer schema."""

    message: Message
    lane: Lane
    identity: Identity
    item: Spectrum | Stamps
    schema: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that will become exactly one dead letter."""

    message: Message
    lane: Lane
    reason: Reason
    explanation: str
    field: str | None = None
    expected: str | None = None
    received: str | None = None
    schema_id: str | None = None
    survey: str | None = None


Decoded: TypeAlias = Accepted | Rejected
