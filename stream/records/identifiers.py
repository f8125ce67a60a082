"""``l2_id``: a UUID version 5 (RFC 9562) of source coordinates and bundle digests, the same on a replay."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Final

from classifiers.classifier import EngineUse
from stream.transports.contract import Message

NAMESPACE: Final = uuid.UUID("8afef30b-a905-54a2-ad46-5341ff01e738")
"""Namespace of every ``l2_id``; part of the public interface, never changes."""


class L2Identifiers:
    """Makes the ``l2_id`` of records that these engines classify.

    The name that is hashed is ``topic/partition/offset/sha256,sha256...`` with the digests in the engines' order.
    """

    def __init__(self, engines: Sequence[EngineUse]) -> None:
        self._bundles = ",".join(engine.bundle_sha256 for engine in engines)

    def name(self, message: Message) -> str:
        """Return the name that is hashed for a message."""
        return f"{message.source.topic}/{message.source.partition}/{message.offset}/{self._bundles}"

    def make(self, message: Message) -> str:
        """Return the identifier; equal to ``str(uuid.uuid5(NAMESPACE, self.name(message)))`` at half the time."""
        digest = bytearray(
            hashlib.sha1(NAMESPACE.bytes + self.name(message).encode(), usedforsecurity=False).digest()[:16]
        )
        digest[6] = (digest[6] & 0x0F) | 0x50
        digest[8] = (digest[8] & 0x3F) | 0x80
        text = digest.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
