"""One transaction at a time: produce, send offsets, commit; and what to do about each way in which that fails.

States: CLOSED (identity not taken) -> IDLE -> OPEN -> IDLE. A commit whose answer did not come leaves UNRESOLVED:
nobody knows yet whether it is published, so it is committed again (never begun again).

A transaction that fails otherwise is aborted and given up with its producer: CLOSED. Taking the identity again aborts
it on the broker in any case. The producer is not used again after an abort, because librdkafka 2.16 then skips the
sequence numbers of what it purged and fails the next transaction; nor are offsets sent before everything produced is
acknowledged, because ``send_offsets_to_transaction`` never returns if a produce request fails meanwhile (both were met
when a broker was killed and came back).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, TypeAlias

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from stream.errors import ConfigurationError, Retryable, StreamError
from stream.transports.broker.configuration import Configuration
from stream.transports.broker.connection import Connection, check_topics, make_client
from stream.transports.broker.failures import EVICTED, FENCED, PASSED, error_of, explained, means_configuration
from stream.transports.contract import Output

ATTEMPTS = 3
"""How often an aborted transaction is tried in one call."""

LOGGER = logging.getLogger(__name__)

Offsets: TypeAlias = Callable[[], tuple[list[TopicPartition], bytes]]
"""Returns the next offsets and the group metadata that proves the right to commit them; asked after producing."""


class Phase(Enum):
    """Where the producer stands."""

    CLOSED = auto()
    IDLE = auto()
    OPEN = auto()
    UNRESOLVED = auto()


class OwnershipPassed(Exception):
    """The units are not ours to commit now; the transaction was aborted.

    ``evicted``: the group's coordinator has put this member out, and a rebalance that says so is on its way.
    """

    def __init__(self, reason: str, *, evicted: bool = False) -> None:
        super().__init__(reason)
        self.evicted = evicted


class TransactionAborted(Retryable):
    """Nothing is published; the same can be done again at once."""


class TransactionLost(Exception):
    """The coordinator gave this transaction up (it outlived its timeout); whether it was published is to be asked."""


class Transactions:
    """A transactional producer that always knows whether its last transaction is published.

    Args:
        configuration: librdkafka's settings, ``transactional.id`` among them.
        connection: Where its background errors go.
        identity: Named in the Fatal error when another process takes the same transactional id.
        exclusive: Whether the transactional id is ours alone by construction (a fresh UUID).
        timeout_s: Longest time for one step (produce, offsets, commit, abort), s.
        clock: Monotonic time, s.
    """

    def __init__(
        self,
        configuration: Configuration,
        connection: Connection,
        *,
        identity: str,
        exclusive: bool,
        timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        # No delivery callback: a failed delivery fails its transaction, which says why; and confluent_kafka calls
        # callbacks with an exception already set once the producer is fenced.
        self._configuration = configuration
        self._connection = connection
        self._identity = identity
        self._exclusive = exclusive
        self._timeout_s = timeout_s
        self._clock = clock
        self._transaction_timeout_s = float(str(configuration["transaction.timeout.ms"])) / 1000
        self._began = 0.0
        self._producer: Any = make_client(Producer, self._configuration, connection)
        self._phase = Phase.CLOSED
        self._there: frozenset[str] = frozenset()

    def open(self, timeout_s: float) -> None:
        """Take the identity; a transaction that an earlier holder left open is aborted.

        Raises:
            Retryable: No broker answers.
            ConfigurationError: Not authorised, or the broker does not take a setting.
        """
        if self._phase is not Phase.CLOSED:
            return
        if self._producer is None:
            self._producer = make_client(Producer, self._configuration, self._connection)
        try:
            self._producer.init_transactions(timeout_s)
        except KafkaException as failed:
            error = error_of(failed)
            if error.code() == KafkaError._TIMED_OUT:
                self._producer.poll(0)  # serves the error callback, which knows more than "timed out"
                self._connection.raise_refusal()
                raise self._connection.missing(error) from failed
            raise self._explained(error, "opening transactions") from failed
        self._phase = Phase.IDLE

    @property
    def unresolved(self) -> bool:
        """Whether a commit is without its answer."""
        return self._phase is Phase.UNRESOLVED

    def settle(self) -> bool:
        """Commit an unresolved transaction again; return True if it is published, False if it was aborted.

        Raises:
            Retryable: Still no answer.
            TransactionLost: The coordinator gave it up.
            Fatal: Fenced.
        """
        try:
            self._commit()
        except KafkaException as failed:
            self._give_up(failed)
            return False
        return True

    def run(
        self, outputs: Sequence[Output], offsets: Offsets | None = None, check: Callable[[], None] | None = None
    ) -> None:
        """Publish outputs and offsets in one transaction; an aborted one is done again a few times.

        Args:
            outputs: What to publish.
            offsets: Asked after producing for what to commit; may raise OwnershipPassed.
            check: Called just before the commit; may raise OwnershipPassed.

        Raises:
            Retryable: Nothing is published, or the answer is still to come (``unresolved``).
            OwnershipPassed: Nothing is published, and the units are not ours.
            TransactionLost: The coordinator gave the transaction up.
            ConfigurationError: An output topic is missing, not authorised, or takes no message of that size.
            Fatal: Fenced by another process.
        """
        for _ in range(ATTEMPTS - 1):
            try:
                return self._attempt(outputs, offsets, check)
            except TransactionAborted as aborted:
                LOGGER.warning("produced again: %s", aborted)
        return self._attempt(outputs, offsets, check)

    def _attempt(self, outputs: Sequence[Output], offsets: Offsets | None, check: Callable[[], None] | None) -> None:
        self.open(self._timeout_s)
        topics = sorted({output.topic for output in outputs})
        # To a producer a topic that is missing, or was deleted since, is one that does not answer; the broker knows.
        check_topics(self._producer, [t for t in topics if t not in self._there], self._connection, self._timeout_s)
        there, self._there = self._there.union(topics), frozenset()
        try:
            self._producer.begin_transaction()
            self._phase, self._began = Phase.OPEN, self._clock()
            self._produce(outputs)
            if offsets is not None:
                self._send(*offsets())
            if check is not None:
                check()
            self._commit()
            self._there = there
        except KafkaException as failed:
            self._give_up(failed)
            raise self._reason(error_of(failed), topics) from failed
        except (OwnershipPassed, ConfigurationError):
            self._abort()
            raise
        finally:
            if self._phase is Phase.OPEN:
                self._discard()

    def close(self) -> None:
        """Give an unresolved commit a last chance, and release the producer."""
        try:
            if self._phase is Phase.UNRESOLVED:
                self.settle()
        except (StreamError, TransactionLost) as error:
            LOGGER.warning("a commit without its answer is left to the broker: %s", error)
        self._discard()

    def _abort(self) -> None:
        """Abort at once what the timeout would abort later, while the broker answers."""
        try:
            self._producer.abort_transaction(self._timeout_s)
        except KafkaException as failed:
            LOGGER.warning("an open transaction is left to its timeout: %s", error_of(failed))
        self._discard()

    def _discard(self) -> None:
        """Drop the producer with whatever it has not sent."""
        if self._producer is not None:
            self._producer.purge()
            self._producer = None
        self._phase = Phase.CLOSED

    def _produce(self, outputs: Sequence[Output]) -> None:
        produce, deadline = self._producer.produce, self._clock() + self._timeout_s
        for output in outputs:
            while True:
                try:
                    produce(
                        output.topic,
                        output.value,
                        output.key,
                        -1 if output.partition is None else output.partition,
                        timestamp=output.timestamp_ms or 0,
                        headers=list(output.headers),
                    )
                    break
                except BufferError as full:
                    if self._clock() > deadline:
                        raise Retryable(f"the producer's queue stayed full for {self._timeout_s:g} s") from full
                    self._producer.poll(0.05)
                except KafkaException as failed:
                    if means_configuration(error_of(failed)):
                        size = len(output.value or b"") + len(output.key or b"")
                        doing = f"publishing {size} bytes to {output.topic!r}"
                        raise explained(error_of(failed), doing, self._identity) from failed
                    raise
        if self._producer.flush(max(deadline - self._clock(), 0.0)):
            raise Retryable(f"outputs were not acknowledged within {self._timeout_s:g} s")

    def _send(self, positions: list[TopicPartition], metadata: bytes) -> None:
        deadline = self._clock() + self._timeout_s
        while True:
            try:
                self._producer.send_offsets_to_transaction(positions, metadata, self._timeout_s)
                return
            except KafkaException as failed:
                error = error_of(failed)
                if error.txn_requires_abort() or error.fatal() or not error.retriable():
                    raise
                if self._clock() > deadline:
                    raise Retryable(f"sending offsets: {error.str()}") from failed

    def _commit(self) -> None:
        try:
            self._producer.commit_transaction(self._timeout_s)
        except KafkaException as failed:
            error = error_of(failed)
            if error.retriable() and not error.txn_requires_abort() and not error.fatal():
                self._phase = Phase.UNRESOLVED
                raise Retryable(f"committing: no answer yet ({error.str()})") from failed
            raise
        self._phase = Phase.IDLE
        self._connection.heard()

    def _give_up(self, failed: KafkaException) -> None:
        """Give a failed transaction up with its producer."""
        error = error_of(failed)
        if error.fatal() or error.code() in FENCED:
            outlived = self._clock() - self._began >= self._transaction_timeout_s
            if error.code() in FENCED and (self._exclusive or outlived):
                self._discard()
                raise TransactionLost(str(error)) from failed
            raise self._explained(error, f"committing as {self._identity}") from failed
        if error.txn_requires_abort():
            self._abort()
        self._discard()

    def _reason(self, error: KafkaError, topics: Sequence[str]) -> Exception:
        """Return what to raise after an abort."""
        if error.code() in PASSED:
            return OwnershipPassed(error.str(), evicted=error.code() in EVICTED)
        if means_configuration(error):
            return self._explained(error, f"publishing to {', '.join(topics)} as {self._identity}")
        return TransactionAborted(f"the transaction was aborted: {error.str()}")

    def _explained(self, error: KafkaError, doing: str) -> StreamError:
        return explained(error, doing, self._identity)
