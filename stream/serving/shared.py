"""What the threads of the service share: the pipeline behind one lock, and how the service is doing.

| state | who sets it | what it means |
| --- | --- | --- |
| running | | messages are polled |
| draining | the caller's stop | nothing new is polled; what was read is finished and committed |
| ended | all done, the drain's time is up, or a failure | every thread returns |

The lock is held for bookkeeping only: never during a poll, a decode, an engine or a commit.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from stream.pipeline import Pipeline
from stream.serving.clock import Clock
from stream.telemetry import Telemetry

STALLED_COMMIT_S = 15.0
"""A commit that takes longer makes the service not ready [s]."""
LONGEST_WAIT_S = 0.25
"""A waiting thread looks around this often even if nobody notifies it [s]."""
FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 5.0
"""Waits between attempts when a broker is away grow from first to longest, doubling [s]."""


class Shared:
    """State shared by intake, compute and commit; hold ``condition`` to touch it."""

    def __init__(self, pipeline: Pipeline, telemetry: Telemetry, clock: Clock) -> None:
        self.condition = threading.Condition()
        self.pipeline = pipeline
        self.telemetry = telemetry
        self.clock = clock
        self.draining = False
        self.ended = False
        self.failure: BaseException | None = None
        self.caught_up = False
        self.intake_quiet = False
        self.idle_since: float | None = None
        self.input_problem: str | None = "waiting for an assignment"
        self.decode_problem: str | None = None
        self.commit_problem: str | None = None
        self.commit_since: float | None = None
        self._ready: tuple[bool, str] | None = None

    def fail(self, error: BaseException) -> None:
        """End the service because of an error; the first one counts."""
        with self.condition:
            if self.failure is None:
                self.failure = error
            self.end()

    def end(self) -> None:
        """Make every thread return."""
        with self.condition:
            self.ended = True
            self.condition.notify_all()

    def drain(self) -> None:
        """Stop polling, finish and commit what was read."""
        with self.condition:
            self.draining = True
            self.condition.notify_all()

    def drained(self) -> bool:
        """Return True once a drain has nothing left to do."""
        with self.condition:
            return self.draining and self.intake_quiet and self.pipeline.empty()

    def wait(self, deadline: float | None) -> None:
        """Wait, holding ``condition``, for a notification or until a time of the clock."""
        left = LONGEST_WAIT_S if deadline is None else deadline - self.clock.monotonic()
        self.condition.wait(min(max(left, 0.0), LONGEST_WAIT_S))

    def pause(self, seconds: float, *, through_drain: bool = True) -> None:
        """Wait that long before an attempt is repeated, or until the service ends; or, if asked, until it drains."""
        with self.condition:
            until = self.clock.monotonic() + seconds
            while not self.ended and self.clock.monotonic() < until:
                if self.draining and not through_drain:
                    return
                self.wait(until)

    def note_stalled_commit(self, now: float) -> None:
        """Note, holding ``condition``, when the commit in flight takes too long."""
        if self.commit_since is not None and now - self.commit_since > STALLED_COMMIT_S:
            self.commit_problem = f"commit: no answer for more than {STALLED_COMMIT_S:g} s"

    def report_ready(self) -> None:
        """Tell telemetry when readiness, or the reason against it, has changed."""
        with self.condition:
            problem = self.decode_problem or self.input_problem or self.commit_problem
            if self.draining:
                problem = "stopping"
            state = (problem is None, problem or "assigned, engines loaded, commits flow")
            if state == self._ready:
                return
            self._ready = state
        self.telemetry.ready(*state)


@dataclass(slots=True)
class Backoff:
    """Growing waits between attempts."""

    next_s: float = FIRST_BACKOFF_S

    def step(self) -> float:
        """Return how long to wait now; the next wait is twice that, up to the longest."""
        wait_s, self.next_s = self.next_s, min(2 * self.next_s, LONGEST_BACKOFF_S)
        return wait_s
