"""What becomes of one input message: the one message to publish for it, and what is counted once it is committed."""

from __future__ import annotations

from typing import Final, NamedTuple

from stream.decoded import Lane
from stream.errors import Reason
from stream.transports.contract import Headers

SKY_FIBRE = "SKY_FIBRE"
GROUP_HEADER: Final = "group"
"""Header of L2 records and dead letters that names the consumer group which made them; older ones have none."""


class Finished(NamedTuple):
    """A finished input record: exactly one L2 record (``reason`` None) or one dead letter.

    A named tuple, not a dataclass, because one is made for every record on the hot path.

    Attributes:
        topic, key, value, headers: the message to publish, without the group and the time of publication.
        lane, survey: which kind of input, and whose.
        l1_append_ms: when the input was appended to its topic, UTC [ms since 1970].
        reason: why it is a dead letter; None for an L2 record.
        top_class: most probable class; "" for none.
        unknown_reason: why it is unknown (sky fibres: ``SKY_FIBRE``); None when it is not.
        unknown_p_value: conformal p-value; NaN = absent.
    """

    topic: str
    key: bytes
    value: bytes
    headers: Headers
    lane: Lane
    survey: str
    l1_append_ms: int
    reason: Reason | None = None
    top_class: str = ""
    unknown_reason: str | None = None
    unknown_p_value: float = float("nan")
