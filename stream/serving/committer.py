"""The commit thread: one commit at a time, while the other threads go on reading and computing.

A ``Retryable`` keeps the commit and repeats it, the same units, with growing waits; readiness is false meanwhile.
Records are counted as out or dead only here, after the commit.
"""

from __future__ import annotations

import structlog

from stream.errors import Retryable
from stream.serving.shared import Backoff, Shared
from stream.tally import Tally
from stream.transports.contract import CommitOutcome, Transport
from stream.work import Commit

_log = structlog.get_logger("specstream.commit")


class Committer:
    """Commits what the pipeline has finished."""

    def __init__(self, shared: Shared, transport: Transport) -> None:
        self._shared = shared
        self._transport = transport

    def run(self) -> None:
        """Commit until the service ends."""
        shared = self._shared
        while (commit := self._next_commit()) is not None:
            started = shared.clock.monotonic()
            shared.commit_since = started
            outcome = self._publish(commit)
            if outcome is None:
                return
            with shared.condition:
                shared.commit_since = None
                shared.commit_problem = None
                tally = shared.pipeline.settle(outcome)
                imbalance = shared.pipeline.balance.imbalance
                shared.condition.notify_all()
            shared.report_ready()
            shared.telemetry.stage_seconds("commit", shared.clock.monotonic() - started)
            if outcome.dropped:
                _log.info("units_dropped", partitions=[f"{tp.topic}[{tp.partition}]" for tp in outcome.dropped])
            self._count(tally, imbalance)

    def _next_commit(self) -> Commit | None:
        shared = self._shared
        with shared.condition:
            while not shared.ended:
                pipeline = shared.pipeline
                asked = (shared.draining or shared.caught_up) and pipeline.all_finished()
                commit = pipeline.next_commit(shared.clock.monotonic(), shared.clock.unix_ms(), asked=asked)
                if commit is not None:
                    return commit
                shared.wait(pipeline.commit_deadline())
        return None

    def _publish(self, commit: Commit) -> CommitOutcome | None:
        """Return the outcome; None when the service ended before there was one."""
        shared = self._shared
        backoff = Backoff()
        while not shared.ended:
            try:
                outcome = self._transport.commit(commit.units)
            except Retryable as error:
                with shared.condition:
                    shared.commit_problem = f"commit: {error}"
                shared.report_ready()
                wait_s = backoff.step()
                _log.warning("commit_failed", error=str(error), records=commit.records, retry_in_s=wait_s)
                shared.pause(wait_s)
            else:
                return outcome
        return None

    def _count(self, tally: Tally, imbalance: int) -> None:
        telemetry = self._shared.telemetry
        for (survey, lane), count in tally.out.items():
            telemetry.records_out(survey, lane, count)
        for (survey, lane, reason), count in tally.dead.items():
            telemetry.records_dead(survey, lane, reason, count)
        for (lane, top_class), count in tally.classes.items():
            telemetry.classified(lane, top_class, count)
        for (lane, reason), count in tally.unknown.items():
            telemetry.unknown(lane, reason, count)
        for lane, values in tally.p_values.items():
            telemetry.unknown_p_values(lane, values)
        now_ms = self._shared.clock.unix_ms()
        for lane, times in tally.append_ms.items():
            telemetry.end_to_end_seconds(lane, [max(0, now_ms - time) / 1000.0 for time in times])
        telemetry.ledger_imbalance(imbalance)
