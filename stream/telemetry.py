"""What the stream tells whoever watches: a protocol that ``ops`` implements with Prometheus and tests with a list.

Label values come from closed sets; no object identifier is ever passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from stream.transports.contract import TopicPartition


class Telemetry(Protocol):
    """Receives events of the service; must return at once and never raise."""

    def records_in(self, survey: str, lane: str, count: int) -> None:
        """Count decoded or rejected input records."""
        ...

    def records_out(self, survey: str, lane: str, count: int) -> None:
        """Count committed L2 records."""
        ...

    def records_dead(self, survey: str, lane: str, reason: str, count: int) -> None:
        """Count committed dead letters."""
        ...

    def classified(self, lane: str, top_class: str, count: int) -> None:
        """Count committed L2 records by top class ("" for none)."""
        ...

    def unknown(self, lane: str, reason: str, count: int) -> None:
        """Count committed L2 records flagged unknown, by reason; sky fibres are reported with reason "SKY_FIBRE"."""
        ...

    def unknown_p_values(self, lane: str, values: list[float]) -> None:
        """Observe conformal p-values of committed records, whose uniformity is a drift metric."""
        ...

    def batch(self, lane: str, size: int) -> None:
        """Observe the size of an engine batch."""
        ...

    def stage_seconds(self, stage: str, seconds: float) -> None:
        """Observe one batch's time in a stage: poll, decode, preprocess, verdict, records, commit."""
        ...

    def engine_seconds(self, engine: str, runtime: str, dtype: str, seconds: float) -> None:
        """Observe one batch's time in an engine."""
        ...

    def engine_faults(self, lane: str, count: int) -> None:
        """Count records for which an engine answered NaN or inf: published as BAD_DATA, and never as probabilities."""
        ...

    def end_to_end_seconds(self, lane: str, seconds: list[float]) -> None:
        """Observe times from L1 append to L2 commit."""
        ...

    def lag(self, lag: Mapping[TopicPartition, int]) -> None:
        """Set the consumer lag of owned partitions; others are removed."""
        ...

    def ledger_imbalance(self, imbalance: int) -> None:
        """Set records in minus out minus dead of committed work; anything but 0 is an alarm."""
        ...

    def backpressure(self, event: str) -> None:
        """Count back-pressure events: "stall" (consume not called) or "pause"."""
        ...

    def ready(self, ready: bool, why: str) -> None:
        """Set readiness; ``why`` is shown by /health/ready."""
        ...
