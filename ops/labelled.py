"""The records of a topic that labels name, decoded for the lane of the bundle that is recalibrated."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from classifiers.items import Spectrum, Stamps
from ops.labels import Label
from ops.reading import everything
from ops.wiring import open_topic_reader
from schemas.codec import Codec, DecodedRecord
from schemas.errors import Undecodable
from stream.alerts import decode_alert
from stream.decode.message import MessageDecoder
from stream.decoded import Accepted, Lane
from stream.errors import Rejectable
from stream.settings import Settings
from stream.transports.contract import Message


def labelled_items(
    given: Mapping[str, Label], wanted: Collection[str], topic: str, lane: Lane, settings: Settings, codec: Codec
) -> Iterator[tuple[str, Spectrum | Stamps]]:
    """Yield l1_id and item of the labelled records of a lane; of several of one object the first.

    What cannot be decoded is passed over: the service makes a dead letter of it.

    Args:
        given: labels by l1_id.
        wanted: of which l1_id.
        topic: address of the topic of inputs.
        lane: of the bundle.
        settings: for the topic.
        codec: for the topic.
    """
    decoder = MessageDecoder(codec)
    seen: set[str] = set()
    for message in everything(lambda: open_topic_reader(settings, topic)):
        try:
            decoded = codec.decode(message.value or b"")
            found = _alert(decoded) if lane == "image" else _spectrum(decoded, message, decoder, wanted, lane)
        except (Undecodable, Rejectable):
            continue
        if found is None:
            continue
        l1_id, object_id, item = found
        if l1_id not in wanted:
            continue
        identity = given[l1_id].object_id or object_id or l1_id
        if identity not in seen:
            seen.add(identity)
            yield l1_id, item


def _alert(decoded: DecodedRecord) -> tuple[str, str | None, Stamps]:
    identity, stamps = decode_alert(decoded.record, decoded.schema_name)
    return identity.l1_id, identity.object_id, stamps


def _spectrum(
    decoded: DecodedRecord, message: Message, decoder: MessageDecoder, wanted: Collection[str], lane: Lane
) -> tuple[str, str | None, Spectrum] | None:
    """Return identifiers and spectrum of a message; None where it is not wanted, of another lane, or rejected."""
    l1_id = str(decoded.record.get("l1_id"))
    if l1_id not in wanted:
        return None
    accepted = decoder.decode(message)
    if not isinstance(accepted, Accepted) or accepted.lane != lane or not isinstance(accepted.item, Spectrum):
        return None
    return l1_id, decoded.record.get("object_id"), accepted.item
