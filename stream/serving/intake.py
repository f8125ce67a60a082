"""The intake thread: polls, decodes, hands over to the pipeline; holds back when memory is full.

Back-pressure: while the pipeline has no room ``poll`` is not called, for at most ``STALL_S``. After that a transport
that is ``Pausable`` is paused and polled for its membership's sake, until the pipeline is down to ``LOW_WATER`` of its
limits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import structlog

from stream.decode.message import MessageDecoder
from stream.decoded import Accepted, Decoded, Lane, Rejected
from stream.errors import Reason, Retryable
from stream.serving.shared import Backoff, Shared
from stream.transports.contract import Message, Pausable, Transport

POLL_RECORDS = 256
"""Messages in one poll [1]: what is decoded before the pipeline sees any of it."""
POLL_TIMEOUT_S = 0.02
HOLD_PERIOD_S = 0.1
STALL_S = 1.0
LOW_WATER = 0.5
LAG_PERIOD_S = 1.0

_log = structlog.get_logger("specstream.intake")


class Intake:
    """Brings messages from the transport into the pipeline."""

    def __init__(self, shared: Shared, transport: Transport, decoder: MessageDecoder, lanes: Collection[Lane]) -> None:
        self._shared = shared
        self._transport = transport
        self._decoder = decoder
        self._lanes = frozenset(lanes)
        self._assignment_version: int | None = None
        self._lag_due = 0.0
        self._paused = False
        self._backoff = Backoff()

    def run(self) -> None:
        """Poll until the service ends; once a drain began, only keep the membership alive."""
        shared = self._shared
        while (room := self._wait_for_room()) is not None:
            started = shared.clock.monotonic()
            messages = self._poll(room, POLL_TIMEOUT_S)
            if messages is None:
                continue
            polled = shared.clock.monotonic()
            decoded = self._decode(messages)
            if decoded is None:
                return
            self._hand_over(decoded)
            if messages:
                shared.telemetry.stage_seconds("poll", polled - started)
                shared.telemetry.stage_seconds("decode", shared.clock.monotonic() - polled)

    def _wait_for_room(self) -> int | None:
        """Return how many messages to poll now; None when the service ended."""
        shared = self._shared
        with shared.condition:
            if not shared.draining and not shared.ended:
                room = shared.pipeline.room(POLL_RECORDS)
                if room:
                    return room
                shared.telemetry.backpressure("stall")
                shared.idle_since = None
                until = shared.clock.monotonic() + STALL_S
                while not room and not shared.draining and not shared.ended and shared.clock.monotonic() < until:
                    shared.wait(until)
                    room = shared.pipeline.room(POLL_RECORDS)
                if room and not shared.draining and not shared.ended:
                    return room
        self._hold()
        with shared.condition:
            return None if shared.ended else max(1, shared.pipeline.room(POLL_RECORDS))

    def _hold(self) -> None:
        """Take no messages, but keep the membership alive, until the pipeline is down to the low-water mark.

        During a drain, until the service ends: what a poll still brings then is not taken in and comes again elsewhere.
        """
        shared = self._shared
        if not isinstance(self._transport, Pausable):
            self._wait_for_low_water(None)
            return
        self._stop_fetching()
        shared.telemetry.backpressure("pause")
        while not self._wait_for_low_water(shared.clock.monotonic() + HOLD_PERIOD_S):
            messages = self._poll(1, 0.0)
            if messages and not shared.draining:
                decoded = self._decode(messages)
                if decoded is not None:
                    self._hand_over(decoded)
        self._resume_fetching()

    def _wait_for_low_water(self, until: float | None) -> bool:
        """Wait for the low-water mark, or the end of the service: True; or until a time: False."""
        shared = self._shared
        with shared.condition:
            while not shared.ended:
                if shared.draining:
                    shared.intake_quiet = True
                    shared.condition.notify_all()
                elif shared.pipeline.fill() <= LOW_WATER:
                    return True
                if until is not None and shared.clock.monotonic() >= until:
                    return False
                shared.wait(until)
        return True

    def _poll(self, at_most: int, timeout_s: float) -> list[Message] | None:
        """Poll once; None after a failure that passes, when it has waited already."""
        shared = self._shared
        try:
            messages = self._transport.poll(at_most, timeout_s)
        except Retryable as error:
            with shared.condition:
                shared.idle_since = None
                shared.input_problem = f"input: {error}"
            shared.report_ready()
            wait_s = self._backoff.step()
            _log.warning("poll_failed", error=str(error), retry_in_s=wait_s)
            shared.pause(wait_s)
            return None
        self._backoff = Backoff()
        self._look_around(bool(messages))
        return messages

    def _look_around(self, arrived: bool) -> None:
        """Note ownership, idleness, readiness and lag; called by the polling thread, right after a poll."""
        shared, transport = self._shared, self._transport
        now = shared.clock.monotonic()
        owned = transport.owned()
        assigned = transport.assigned()
        at_end = transport.at_end()
        version = transport.assignment_version()
        with shared.condition:
            shared.pipeline.own(owned)
            shared.caught_up = at_end
            shared.input_problem = None if assigned else "waiting for an assignment"
            quiet = assigned and at_end and not arrived and version == self._assignment_version
            quiet = quiet and shared.decode_problem is None
            if not quiet or not shared.pipeline.empty():
                shared.idle_since = None
            elif shared.idle_since is None:
                shared.idle_since = now
            self._assignment_version = version
            shared.note_stalled_commit(now)
            if at_end:
                shared.condition.notify_all()
        shared.report_ready()
        if now >= self._lag_due:
            self._lag_due = now + LAG_PERIOD_S
            shared.telemetry.lag(transport.lag())

    def _decode(self, messages: list[Message]) -> list[Decoded] | None:
        """Decode all messages, waiting for a schema registry that is away; None when the service ended meanwhile.

        When a drain begins while it waits, it returns what it has decoded: the rest comes again to the next owner.
        """
        shared = self._shared
        plain = self._decoder.decode_plain(messages)
        decoded: list[Decoded] = []
        backoff = Backoff()
        resume = False
        try:
            while (row := len(decoded)) < len(messages):
                done = plain[row] if row < len(plain) else None
                try:
                    decoded.append(self._routed(done or self._decoder.decode(messages[row])))
                except Retryable as error:
                    resume = self._stop_fetching() or resume
                    self._wait_to_decode(error, backoff, messages)
                    if shared.ended:
                        return None
                    if shared.draining:
                        break
                else:
                    shared.decode_problem = None
        finally:
            if resume:
                self._resume_fetching()
        return decoded

    def _wait_to_decode(self, error: Retryable, backoff: Backoff, messages: list[Message]) -> None:
        """Say what is waited for, wait, and keep the membership alive; what a poll still brings joins ``messages``."""
        shared = self._shared
        with shared.condition:
            shared.decode_problem = str(error)
            shared.idle_since = None
        shared.report_ready()
        wait_s = backoff.step()
        _log.warning("decode_waits", error=str(error), retry_in_s=wait_s)
        shared.pause(wait_s, through_drain=False)
        if not isinstance(self._transport, Pausable):
            shared.telemetry.lag(self._transport.lag())
        elif not shared.ended and not shared.draining:
            messages += self._poll(1, 0.0) or []

    def _stop_fetching(self) -> bool:
        """Pause a transport that can be paused; True when it was not paused before."""
        if self._paused or not isinstance(self._transport, Pausable):
            return False
        self._transport.pause()
        self._paused = True
        return True

    def _resume_fetching(self) -> None:
        if isinstance(self._transport, Pausable):
            self._transport.resume()
        self._paused = False

    def _routed(self, item: Decoded) -> Decoded:
        if isinstance(item, Accepted) and item.lane not in self._lanes:
            return Rejected(
                item.message,
                item.lane,
                Reason.UNSUPPORTED,
                f"no engines are loaded for the {item.lane} lane",
                expected=" or ".join(sorted(self._lanes)),
                received=item.lane,
                schema_id=item.schema,
                survey=item.identity.survey,
            )
        return item

    def _hand_over(self, decoded: Sequence[Decoded]) -> None:
        shared = self._shared
        with shared.condition:
            shared.pipeline.accept(decoded, shared.clock.monotonic())
            shared.condition.notify_all()
        counts = Counter([(item.identity.survey, item.lane) for item in decoded if isinstance(item, Accepted)])
        for item in (item for item in decoded if isinstance(item, Rejected)):
            counts[item.survey or "", item.lane] += 1
            _log.warning(
                "record_rejected",
                topic=item.message.source.topic,
                partition=item.message.source.partition,
                offset=item.message.offset,
                reason=item.reason.value,
                field=item.field,
                expected=item.expected,
                received=item.received,
            )
        for (survey, lane), count in counts.items():
            shared.telemetry.records_in(survey, lane, count)
