"""``l2_id``: a UUID version 5 (RFC 9562) of source coordinates and bundle digests, the same on a replay."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Final

from classifiers.classifier import EngineUse
from stream.transports.contract import Message, TopicPartition

NAMESPACE: Final = uuid.UUID("8afef30b-a905-54a2-ad46-5341ff01e738")
"""Namespace of every ``l2_id``; part of the public interface, never changes."""


_KEPT: Final = ~(0xF << 76 | 0x3 << 62)
_VERSION_5: Final = 0x5 << 76 | 0x2 << 62
"""The bits of a UUID that are not hashed: its version and its variant (RFC 9562, section 5.5)."""


class L2Identifiers:
    """Makes the ``l2_id`` of records that these engines classify.

    The name that is hashed is ``topic/partition/offset/sha256,sha256...`` with the digests in the engines' order.
    """

    def __init__(self, engines: Sequence[EngineUse]) -> None:
        self._bundles = ",".join(engine.bundle_sha256 for engine in engines).encode()
        self._begun: dict[TopicPartition, hashlib._Hash] = {}

    def make(self, message: Message) -> str:
        """Return the identifier of a message: ``uuid.uuid5(NAMESPACE, name)``, at a third of its time."""
        begun = self._begun.get(message.source)
        hashed = (begun or self._begin(message.source)).copy()
        hashed.update(b"%d/%b" % (message.offset, self._bundles))
        number = int.from_bytes(hashed.digest()[:16], "big") & _KEPT | _VERSION_5
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _begin(self, source: TopicPartition) -> hashlib._Hash:
        """Remember the hash of what all names of a partition begin with."""
        name = f"{source.topic}/{source.partition}/".encode()
        self._begun[source] = hashlib.sha1(NAMESPACE.bytes + name, usedforsecurity=False)
        return self._begun[source]
