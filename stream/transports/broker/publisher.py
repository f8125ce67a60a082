"""Publishes outputs and the progress of whoever makes them in one transaction.

Progress lives in a compacted topic under the key (identity, progress key), so that a killed publisher's successor
finds it as of the last transaction. The successor takes the identity first, which aborts what was left open, and only
then reads.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence

from stream.errors import Fatal
from stream.transports.broker.checking import check_properties
from stream.transports.broker.configuration import MAX_MESSAGE_BYTES, producer_configuration
from stream.transports.broker.connection import Connection
from stream.transports.broker.reader import BrokerReader
from stream.transports.broker.topics import TopicSpec, ensure_topic
from stream.transports.broker.transaction import TransactionLost, Transactions
from stream.transports.contract import Output

OPEN_TIMEOUT_S = 10.0
READ_AT_ONCE = 1_000
READ_TIMEOUT_S = 1.0


def state_key(identity: str, key: str) -> bytes:
    """Return the key of a progress entry in the state topic."""
    return json.dumps([identity, key], ensure_ascii=False, separators=(",", ":")).encode()


class BrokerPublisher:
    """Implements ``stream.transports.contract.Publisher`` on Kafka.

    A second publisher with the same identity fences the first, which then raises Fatal.

    Args:
        bootstrap: ``HOST:PORT[,HOST:PORT]``.
        identity: Names the work; fixed for one source and target.
        state_topic: Compacted topic of progress; created when missing.
        librdkafka: The user's settings, passed through.
        max_message_bytes: Largest output message, bytes.
        timeout_s: Longest time for one step of a transaction, s.
        clock: Monotonic time, s.
    """

    def __init__(
        self,
        bootstrap: str,
        identity: str,
        state_topic: str,
        librdkafka: Mapping[str, str] | None = None,
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bootstrap = bootstrap
        self._identity = identity
        self._state_topic = state_topic
        self._librdkafka = dict(librdkafka or {})
        check_properties(self._librdkafka)
        configuration = producer_configuration(
            bootstrap, f"specstream-publisher-{identity}", max_message_bytes, self._librdkafka
        )
        self._transactions = Transactions(
            configuration,
            Connection(bootstrap),
            identity=repr(identity),
            exclusive=False,
            timeout_s=timeout_s,
            clock=clock,
        )
        self._progress: dict[str, str] | None = None
        self._last: tuple[tuple[Output, ...], dict[str, str]] = ((), {})

    def progress(self) -> Mapping[str, str]:
        """Return the last committed progress: key to value. Takes the identity when first called.

        Raises:
            Retryable: No broker answers; call again.
            ConfigurationError: Not authorised, or our credentials are refused.
        """
        return dict(self._opened())

    def _opened(self) -> dict[str, str]:
        if self._progress is None:
            ensure_topic(self._bootstrap, TopicSpec(self._state_topic, partitions=1, compacted=True), self._librdkafka)
            self._transactions.open(OPEN_TIMEOUT_S)
            self._progress = self._read_progress()
        return self._progress

    def _read_progress(self) -> dict[str, str]:
        reader = BrokerReader(self._bootstrap, [self._state_topic], self._librdkafka)
        found: dict[str, str] = {}
        try:
            while not reader.at_end():
                for message in reader.read(READ_AT_ONCE, READ_TIMEOUT_S):
                    identity, key = json.loads(message.key or b'["",""]')
                    if identity == self._identity and message.value is not None:
                        found[key] = message.value.decode()
        finally:
            reader.close()
        return found

    def publish(self, outputs: Sequence[Output], progress: Mapping[str, str]) -> None:
        """Publish the outputs and update these progress keys in one transaction.

        Raises:
            Retryable: Nothing is known to be published; call again with the same outputs.
            ConfigurationError: A topic is missing, not authorised, or takes no message of that size.
            Fatal: Another publisher has taken the identity.
        """
        known = self._opened()
        work = (tuple(outputs), dict(progress))
        try:
            if self._transactions.unresolved and self._transactions.settle():
                known.update(self._last[1])
                if self._last == work:
                    return
            self._last = work
            self._transactions.run([*work[0], *self._entries(work[1])])
        except TransactionLost as lost:
            raise Fatal(f"the identity {self._identity!r} was taken, or its transaction timed out: {lost}") from lost
        known.update(progress)

    def _entries(self, progress: Mapping[str, str]) -> list[Output]:
        return [
            Output(self._state_topic, state_key(self._identity, key), value.encode()) for key, value in progress.items()
        ]

    def close(self) -> None:
        """Release everything; what was not published is not."""
        self._transactions.close()
