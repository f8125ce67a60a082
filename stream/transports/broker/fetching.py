"""Whether the owned partitions are fetched: a pause holds through rebalances, and ends with ``resume`` for all.

librdkafka remembers that a partition is paused when it is revoked, and it is still paused when it comes back. So what
was paused is remembered here too, and fetched again when it is owned again, if the pause has ended meanwhile.
"""

from __future__ import annotations

from typing import Any

from stream.transports.broker.convert import position_of
from stream.transports.broker.ownership import Ownership


class Fetching:
    """Pauses and resumes a consumer; for the polling thread."""

    def __init__(self, consumer: Any, ownership: Ownership) -> None:
        """Begin with everything fetched.

        Args:
            consumer: confluent-kafka's.
            ownership: the partitions owned now.
        """
        self._consumer = consumer
        self._ownership = ownership
        self._pausing = False
        self._paused: set[tuple[str, int]] = set()
        self._version = ownership.version()

    def pause(self) -> None:
        """Fetch nothing until ``resume``, of partitions assigned meanwhile neither."""
        self._pausing = True
        self._apply()

    def resume(self) -> None:
        """Fetch again what is owned, and what comes back later."""
        self._pausing = False
        self._apply()

    def follow(self) -> None:
        """Do the same to the partitions of a new assignment; called by every poll."""
        if self._version != self._ownership.version():
            self._apply()

    def _apply(self) -> None:
        self._version = self._ownership.version()
        owned = {key: position_of(partition.source) for key, partition in self._ownership.table().items()}
        if self._pausing:
            self._consumer.pause(list(owned.values()))
            self._paused |= owned.keys()
        else:
            back = self._paused & owned.keys()
            self._consumer.resume([owned[key] for key in back])
            self._paused -= back
