"""What decoding makes of a message: an accepted item for a lane, or a rejection; nothing else exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from classifiers.items import Spectrum, Stamps
from stream.errors import Reason
from stream.transports.contract import Message

Lane: TypeAlias = Literal["spectrum", "image", "narrowband"]
"""Which engines an item goes to. Spectra of sampling NARROWBAND have a lane of their own, because a batch has one class
scheme; to the outside they are spectra (``published_lane``)."""

PublishedLane: TypeAlias = Literal["spectrum", "image"]


def published_lane(lane: Lane) -> PublishedLane:
    """Return the lane as L2 records and headers name it."""
    return "image" if lane == "image" else "spectrum"


def lane_of(spectrum: Spectrum) -> Lane:
    """Return the lane of a spectrum."""
    return "narrowband" if spectrum.sampling == "NARROWBAND" else "spectrum"


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


class EncodedIdentity(NamedTuple):
    """An identity on its way to its L2 record.

    Attributes:
        survey: upper-case name.
        key: of the L2 message: the object's identifier, else the input's.
        placed: True when the input has coordinates.
        fields: the L2 record's fields ``l1_id`` to ``mjd_end`` in Avro's binary encoding.
    """

    survey: str
    key: bytes
    placed: bool
    fields: bytes


class Accepted(NamedTuple):
    """A message that becomes exactly one L2 record; ``schema`` names its writer schema.

    A named tuple, not a dataclass, because one is made for every record on the hot path.
    """

    message: Message
    lane: Lane
    identity: EncodedIdentity
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
