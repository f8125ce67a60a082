"""The stream's ``Telemetry`` on Prometheus: turns events into the metrics of ``ops.metrics.declared``."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from classifiers.classifier import EngineUse
from ops.metrics.declared import Metrics, survey_label
from stream.transports.contract import TopicPartition


class PrometheusTelemetry:
    """Implements ``stream.telemetry.Telemetry``; every method returns at once.

    Attributes:
        why: the reason for the present readiness, for /health/ready.
        last_event_s: monotonic time of the newest event, for /health/live.
    """

    def __init__(self, metrics: Metrics, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._out: dict[str, int] = defaultdict(int)
        self._novel: dict[str, int] = defaultdict(int)
        self._partitions: set[TopicPartition] = set()
        self.is_ready = False
        self.why = "starting"
        self.last_event_s = monotonic()
        metrics.ready.set(0)
        metrics.ledger_imbalance.set(0)

    def engines(self, engines: Iterable[EngineUse]) -> None:
        """Export which engines are in use, on which runtime."""
        for engine in engines:
            self._metrics.engine_info.labels(
                engine.name,
                engine.version,
                engine.runtime,
                engine.dtype,
                engine.calibration_domain,
                engine.calibration_id,
                engine.bundle_sha256,
            ).set(1)

    def build(self, versions: Mapping[str, str]) -> None:
        """Export the versions of the program and its libraries."""
        self._metrics.build.info(dict(versions))

    def heartbeat(self) -> None:
        """Note that the service loop is alive."""
        self.last_event_s = self._monotonic()

    def records_in(self, survey: str, lane: str, count: int) -> None:
        """Count decoded or rejected input records."""
        self.heartbeat()
        self._metrics.records_in.labels(survey_label(survey), lane).inc(count)

    def records_out(self, survey: str, lane: str, count: int) -> None:
        """Count committed L2 records."""
        self._metrics.records_out.labels(survey_label(survey), lane).inc(count)
        with self._lock:
            self._out[lane] += count
            self._metrics.unknown_ratio.labels(lane).set(self._novel[lane] / self._out[lane])

    def records_dead(self, survey: str, lane: str, reason: str, count: int) -> None:
        """Count committed dead letters."""
        self._metrics.records_dead.labels(survey_label(survey), lane, reason).inc(count)

    def classified(self, lane: str, top_class: str, count: int) -> None:
        """Count committed L2 records by top class ("" for none)."""
        self._metrics.classified.labels(lane, top_class or "none").inc(count)

    def unknown(self, lane: str, reason: str, count: int) -> None:
        """Count committed L2 records flagged unknown, by reason."""
        self._metrics.unknown.labels(lane, reason).inc(count)
        if reason == "NOVEL":
            with self._lock:
                self._novel[lane] += count

    def unknown_p_values(self, lane: str, values: list[float]) -> None:
        """Observe conformal p-values of committed records."""
        histogram = self._metrics.unknown_p_value.labels(lane)
        for value in values:
            histogram.observe(value)

    def batch(self, lane: str, size: int) -> None:
        """Observe the size of an engine batch."""
        self._metrics.batch_records.labels(lane).observe(size)

    def stage_seconds(self, stage: str, seconds: float) -> None:
        """Observe one batch's time in a stage."""
        self.heartbeat()
        self._metrics.stage_seconds.labels(stage).observe(seconds)

    def engine_seconds(self, engine: str, runtime: str, dtype: str, seconds: float) -> None:
        """Observe one batch's time in an engine."""
        self._metrics.engine_seconds.labels(engine, runtime, dtype).observe(seconds)

    def engine_faults(self, lane: str, count: int) -> None:
        """Count records for which an engine answered NaN or inf."""
        self._metrics.engine_faults.labels(lane).inc(count)

    def end_to_end_seconds(self, lane: str, seconds: list[float]) -> None:
        """Observe times from L1 append to L2 commit."""
        histogram = self._metrics.end_to_end_seconds.labels(lane)
        for value in seconds:
            histogram.observe(value)

    def lag(self, lag: Mapping[TopicPartition, int]) -> None:
        """Set the consumer lag of owned partitions and forget the others."""
        self.heartbeat()
        with self._lock:
            for gone in self._partitions - set(lag):
                self._metrics.lag.remove(gone.topic, str(gone.partition))
            self._partitions = set(lag)
        for partition, records in lag.items():
            self._metrics.lag.labels(partition.topic, str(partition.partition)).set(records)

    def ledger_imbalance(self, imbalance: int) -> None:
        """Set records in minus out minus dead of committed work."""
        self._metrics.ledger_imbalance.set(imbalance)

    def backpressure(self, event: str) -> None:
        """Count back-pressure events."""
        self._metrics.backpressure.labels(event).inc()

    def ready(self, ready: bool, why: str) -> None:
        """Set readiness and its reason."""
        self.heartbeat()
        self.is_ready = ready
        self.why = why
        self._metrics.ready.set(1 if ready else 0)
