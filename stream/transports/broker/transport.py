"""A group member on Kafka: read, process, write, with the outputs and the input offsets in one transaction.

What keeps a message from being published twice:

- *Ownership.* Messages carry the epoch of their partition (``ownership``). A commit drops units of old epochs,
  produces, looks again, and only then takes the group metadata and sends the offsets. A revocation waits for the commit
  in flight; a loss does not wait, and the commit finds its units stale. Under the classic protocol the metadata must
  also be those of the assignment: each rebalance there begins with a revocation, so other metadata mean a membership
  whose rebalance was not served yet. Under KIP-848 the member epoch moves by itself; a stale one is refused by the
  coordinator and the commit is done again.
- *Offsets in a transaction* that the coordinator has accepted hide the group's offsets from the next owner until the
  transaction ends, so a commit that is overtaken by a rebalance after that point is still seen by the next owner.
- *Identity.* ``transactional.id`` is the group and the instance, or a fresh UUID; an orphaned transaction of the same
  instance is aborted before the subscription, any other by its timeout.

``poll`` opens everything when first called, so that a broker that is away is Retryable from the start.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import confluent_kafka as kafka
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from stream.errors import Retryable
from stream.transports.broker.checking import check_properties
from stream.transports.broker.configuration import (
    MAX_MESSAGE_BYTES,
    GroupProtocol,
    admin_configuration,
    member_configuration,
    producer_configuration,
)
from stream.transports.broker.connection import Connection, make_client
from stream.transports.broker.convert import position_of, take
from stream.transports.broker.failures import MISSING, error_of, explained
from stream.transports.broker.fetching import Fetching
from stream.transports.broker.membership import Membership
from stream.transports.broker.ownership import Ownership
from stream.transports.broker.topic_watch import TopicWatch
from stream.transports.broker.transaction import OwnershipPassed, TransactionLost, Transactions
from stream.transports.contract import CommitOutcome, CommitUnit, Message, TopicPartition

OPEN_TIMEOUT_S = 5.0
LOOK_EVERY_S = 1.0
COMMIT_ATTEMPTS = 3
CHUNK = 64
"""Messages taken from librdkafka at once; between chunks the size of what was taken is looked at."""


class BrokerTransport:
    """Implements ``stream.transports.contract.Transport`` on Kafka.

    Args:
        bootstrap: ``HOST:PORT[,HOST:PORT]``.
        topics: Input topics.
        group: Consumer group.
        instance: Stable name of this replica (a StatefulSet's ordinal); None: a fresh identity each time.
        group_protocol: ``classic``, or ``consumer`` (KIP-848).
        librdkafka: The user's settings, passed through.
        output_topics: Topics that must exist before anything is consumed.
        max_message_bytes: Largest output message, bytes.
        max_poll_bytes: ``poll`` returns early once it holds this many bytes of values.
        commit_timeout_s: Longest time for one step of a commit, s; also how long a revocation waits for it.
        clock: Monotonic time, s.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: Sequence[str],
        group: str,
        *,
        instance: str | None = None,
        group_protocol: GroupProtocol = "classic",
        librdkafka: Mapping[str, str] | None = None,
        output_topics: Sequence[str] = (),
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        max_poll_bytes: int = 32 * 1024 * 1024,
        commit_timeout_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        settings = dict(librdkafka or {})
        check_properties(settings)
        self._topics = tuple(topics)
        self._identity = f"group {group!r}" if instance is None else f"instance {instance!r} of group {group!r}"
        self._max_poll_bytes = max_poll_bytes
        self._connection = Connection(bootstrap)
        self._ownership = Ownership()
        member = member_configuration(
            bootstrap, group, instance=instance, group_protocol=group_protocol, librdkafka=settings
        )
        self._consumer: Any = make_client(kafka.Consumer, member, self._connection)
        admin = make_client(AdminClient, admin_configuration(bootstrap, settings), self._connection)
        self._watch = TopicWatch(admin, (*topics, *output_topics), self._connection, clock)
        transactional_id = f"{group}-{uuid.uuid4() if instance is None else instance}"
        self._transactions = Transactions(
            producer_configuration(bootstrap, transactional_id, max_message_bytes, settings),
            self._connection,
            identity=self._identity,
            exclusive=instance is None,
            timeout_s=commit_timeout_s,
            clock=clock,
        )
        self._membership = Membership(
            self._consumer, admin, self._ownership, bootstrap, group, group_protocol, settings, commit_timeout_s, clock
        )  # fmt: skip
        self._unresolved: tuple[CommitUnit, ...] = ()
        self._failed: KafkaError | None = None
        self._open = False
        self._clock = clock
        self._next_look = 0.0
        self._fetching = Fetching(self._consumer, self._ownership)

    def poll(self, max_records: int, timeout_s: float) -> list[Message]:
        """Return up to ``max_records`` messages, as soon as there are any; opens the transport when first called.

        Raises:
            Retryable: No broker answers.
            ConfigurationError: A topic is missing or not authorised, or our credentials are refused.
            Fatal: Another process has our identity, or the consumer cannot go on.
        """
        self._start()
        self._membership.look()
        self._fetching.follow()
        self._watch.look()
        messages: list[Message] = []
        failed, self._failed = self._failed, None
        if failed is None:
            failed = self._fill(messages, max_records, timeout_s)
        self._look_at_ends(at_once=not messages)
        if messages:
            # An error behind messages is raised by the next call: they are out of librdkafka's hands already.
            self._failed = failed
            self._connection.heard()
            return messages
        if failed is not None:
            self._raise(failed)
        self._connection.raise_refusal()
        if self._connection.away():
            self._watch.look(at_once=True)
        return messages

    def _start(self) -> None:
        if self._open:
            return
        self._watch.begin()
        self._transactions.open(OPEN_TIMEOUT_S)
        self._membership.join(self._topics)
        self._open = True

    def _look_at_ends(self, *, at_once: bool) -> None:
        """Note how far the partitions reach, now and then; ``lag`` and ``at_end`` may be asked from any thread."""
        now = self._clock()
        if now < self._next_look and not at_once:
            return
        self._next_look = now + LOOK_EVERY_S
        for partition in self._ownership.table().values():
            _, partition.end = self._consumer.get_watermark_offsets(position_of(partition.source), cached=True)

    def _fill(self, messages: list[Message], max_records: int, timeout_s: float) -> KafkaError | None:
        """Take what is there, waiting only for the first message; return the first error."""
        size, waited = 0, timeout_s <= 0.0
        while len(messages) < max_records and size < self._max_poll_bytes:
            try:
                batch = self._consumer.consume(min(CHUNK, max_records - len(messages)), 0.0)
                if not batch:
                    if messages or waited:
                        break
                    batch, waited = self._consumer.consume(1, timeout_s), True
            except KafkaException as failed:  # a fatal error may come this way too
                return error_of(failed)
            taken, errors = take(batch, self._ownership.table(), messages)
            size += taken
            if errors:
                return next((error for error in errors if error.fatal()), errors[0])
        return None

    def _raise(self, error: KafkaError) -> None:
        if error.code() == KafkaError._MAX_POLL_EXCEEDED:
            raise Retryable(f"{error.str()}; the group is joined again")
        if error.code() in MISSING:
            self._watch.look(at_once=True)
            return
        raise explained(error, f"consuming {', '.join(self._topics)}", self._identity)

    def commit(self, units: Sequence[CommitUnit]) -> CommitOutcome:
        """Publish the outputs and next offsets of the units in one transaction, leaving out units of old epochs.

        Raises:
            Retryable: Nothing is known to be published; call again with the same units.
            ConfigurationError: An output topic is missing, not authorised, or takes no message of that size.
            Fatal: Another process has our identity, or the producer cannot go on.
        """
        with self._ownership.commit_in_flight():
            done = list(self._settle())
            for attempt in range(COMMIT_ATTEMPTS):
                live = [unit for unit in self._ownership.current(units) if unit not in done]
                if not live:
                    break
                try:
                    self._publish(live)
                except OwnershipPassed as passed:
                    if passed.evicted:
                        self._ownership.give_up(live)
                    elif attempt == COMMIT_ATTEMPTS - 1:
                        raise Retryable(f"the group is moving: {passed}") from passed
                except TransactionLost:
                    self._unresolved = tuple(live)
                    done += self._settle()
                else:
                    done += live
            self._ownership.committed(done)
        return CommitOutcome(
            committed=tuple(unit.source for unit in units if unit in done),
            dropped=tuple(unit.source for unit in units if unit not in done),
        )

    def _publish(self, units: list[CommitUnit]) -> None:
        def check() -> None:
            if len(self._ownership.current(units)) < len(units):
                raise OwnershipPassed("a partition was revoked or lost during the commit")

        def offsets() -> tuple[list[kafka.TopicPartition], bytes]:
            check()
            metadata = self._membership.proof()
            after = {unit.source: unit.next_offset for unit in units}
            return [position_of(source, offset) for source, offset in after.items()], metadata

        try:
            self._transactions.run([output for unit in units for output in unit.outputs], offsets, check)
        except Retryable:
            if self._transactions.unresolved:
                self._unresolved = tuple(units)
            raise

    def _settle(self) -> tuple[CommitUnit, ...]:
        """Bring an earlier transaction to its end; return its units that are published."""
        if self._transactions.unresolved:
            try:
                published = self._transactions.settle()
            except TransactionLost:
                pass
            else:
                units, self._unresolved = self._unresolved, ()
                return units if published else ()
        if not self._unresolved:
            return ()
        # The coordinator gave the transaction up. Outputs and offsets are one: the group's offsets tell which it was.
        self._transactions.open(OPEN_TIMEOUT_S)
        units = tuple(self._ownership.current(self._unresolved))
        stored = self._membership.stored([unit.source for unit in units], OPEN_TIMEOUT_S)
        self._unresolved = ()
        return tuple(unit for unit, at in zip(units, stored, strict=True) if at >= unit.next_offset)

    def owned(self) -> Mapping[TopicPartition, int]:
        """Return the partitions owned now with their ownership epochs."""
        return {partition.source: partition.epoch for partition in self._ownership.table().values()}

    def assigned(self) -> bool:
        """Return True once an assignment was received and none is pending (it may be empty)."""
        return self._open and self._membership.assigned()

    def at_end(self) -> bool:
        """Return True when every owned partition's end was seen; with none, once nobody dead can hold any."""
        if not self.assigned() or self._connection.away():
            return False
        partitions = self._ownership.table()
        if partitions:
            return all(partition.at_end for partition in partitions.values())
        return self._membership.surely_empty()

    def assignment_version(self) -> int:
        """Return a number that grows with each change of assignment."""
        return self._ownership.version()

    def lag(self) -> Mapping[TopicPartition, int]:
        """Return messages not yet committed per owned partition, as ``Ownership.lag`` says."""
        return self._ownership.lag()

    def pause(self) -> None:
        """Fetch nothing until ``resume``; for the polling thread. Drops what was fetched ahead: for long stalls."""
        self._fetching.pause()

    def resume(self) -> None:
        """Fetch again after ``pause``; for the polling thread."""
        self._fetching.resume()

    def close(self) -> None:
        """Abort what is open, leave the group and release everything."""
        self._transactions.close()
        self._consumer.close()
