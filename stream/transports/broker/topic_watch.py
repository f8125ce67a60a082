"""Whether the topics of a group member are there and ours to use: at the start, and now and then while it runs.

librdkafka tells of a topic that was deleted under an idle member after minutes, or never: under KIP-848 it is just no
longer assigned. What is asked is asked by an admin client, because a consumer that is polled for an answer may bring a
message, which would be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stream.transports.broker.connection import Connection, check_topics

OPEN_TIMEOUT_S = 5.0
PROBE_TIMEOUT_S = 1.0
LOOK_EVERY_S = 10.0

LOST_TOPIC_GRACE_S = 5.0
"""How long a topic may be unknown mid-way: a broker that starts again may know less than its cluster for a moment."""


class TopicWatch:
    """Looks at topics.

    Args:
        admin: Asks the broker.
        topics: What must be there.
        connection: That of ``admin``.
        clock: Monotonic time, s.
    """

    def __init__(self, admin: Any, topics: Sequence[str], connection: Connection, clock: Callable[[], float]) -> None:
        self._admin = admin
        self._topics = tuple(dict.fromkeys(topics))
        self._connection = connection
        self._clock = clock
        self._due = 0.0

    def begin(self) -> None:
        """Look before anything is consumed.

        Raises:
            Retryable: No broker answers.
            ConfigurationError: A topic is missing or not authorised, or our credentials are refused.
        """
        check_topics(self._admin, self._topics, self._connection, OPEN_TIMEOUT_S)
        self._due = self._clock() + LOOK_EVERY_S

    def look(self, *, at_once: bool = False) -> None:
        """Look when it is time, or at once; raises as ``begin`` does."""
        now = self._clock()
        if at_once or now >= self._due:
            self._due = now + LOOK_EVERY_S
            check_topics(self._admin, self._topics, self._connection, PROBE_TIMEOUT_S, grace_s=LOST_TOPIC_GRACE_S)
