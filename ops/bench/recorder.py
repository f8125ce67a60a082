"""A ``Telemetry`` that keeps times: when the first record came, when the last was committed, every latency."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from stream.transports.contract import TopicPartition


class Recorder:
    """Keeps what a bench needs of the service's events.

    Attributes:
        first_in_s, last_out_s: monotonic times of the first read and the newest commit.
        committed: L2 records and dead letters committed.
        dead: dead letters among them.
        latencies_s: end-to-end times.
        stages_s: summed wall time by stage and engine.
        is_ready: the service's readiness.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.first_in_s: float | None = None
        self.last_out_s = 0.0
        self.committed = 0
        self.dead = 0
        self.latencies_s: list[float] = []
        self.stages_s: dict[str, float] = defaultdict(float)
        self.is_ready = False
        self.imbalance = 0
        self._adding = threading.Lock()

    def records_in(self, survey: str, lane: str, count: int) -> None:
        """Note when the first record came."""
        del survey, lane, count
        if self.first_in_s is None:
            self.first_in_s = self._monotonic()

    def records_out(self, survey: str, lane: str, count: int) -> None:
        """Count and time a commit."""
        del survey, lane
        self.committed += count
        self.last_out_s = self._monotonic()

    def records_dead(self, survey: str, lane: str, reason: str, count: int) -> None:
        """Count dead letters as committed."""
        del reason
        self.dead += count
        self.records_out(survey, lane, count)

    def classified(self, lane: str, top_class: str, count: int) -> None:
        """Not needed."""

    def unknown(self, lane: str, reason: str, count: int) -> None:
        """Not needed."""

    def unknown_p_values(self, lane: str, values: list[float]) -> None:
        """Not needed."""

    def batch(self, lane: str, size: int) -> None:
        """Not needed."""

    def stage_seconds(self, stage: str, seconds: float) -> None:
        """Add up the time of a stage."""
        with self._adding:
            self.stages_s[stage] += seconds

    def engine_seconds(self, engine: str, runtime: str, dtype: str, seconds: float) -> None:
        """Add up the time of an engine."""
        del runtime, dtype
        self.stage_seconds(engine, seconds)

    def engine_faults(self, lane: str, count: int) -> None:
        """Not needed."""

    def end_to_end_seconds(self, lane: str, seconds: list[float]) -> None:
        """Keep every latency."""
        del lane
        self.latencies_s += seconds

    def lag(self, lag: Mapping[TopicPartition, int]) -> None:
        """Not needed."""

    def ledger_imbalance(self, imbalance: int) -> None:
        """Keep the newest."""
        self.imbalance = imbalance

    def backpressure(self, event: str) -> None:
        """Not needed."""

    def ready(self, ready: bool, why: str) -> None:
        """Keep readiness."""
        del why
        self.is_ready = ready

    @property
    def elapsed_s(self) -> float:
        """Return the time from the first record read to the newest commit."""
        return self.last_out_s - (self.first_in_s or self.last_out_s)
