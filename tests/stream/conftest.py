"""What the stream's tests share: an in-memory transport that keeps the contract, deterministic engines, messages."""
# ruff: noqa: ARG002 - implementations of a protocol need not use every argument

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from classifiers.classifier import EngineUse, Verdicts
from classifiers.items import Spectrum
from schemas.codec import Codec
from stream.transports.contract import CommitOutcome, CommitUnit, Message, Output, TopicPartition


@dataclass
class MemoryTransport:
    """A broker in memory: partitions, ownership epochs, committed offsets, outputs; and faults on demand.

    ``before_poll`` and ``before_commit`` are called with the transport itself and may raise or rebalance.
    """

    partitions: dict[TopicPartition, list[Message]] = field(default_factory=dict)
    before_poll: Callable[[MemoryTransport], None] = lambda _: None
    before_commit: Callable[[MemoryTransport], None] = lambda _: None
    outputs: list[Output] = field(default_factory=list)
    commits: list[tuple[CommitUnit, ...]] = field(default_factory=list)
    polls: int = 0
    paused: bool = False
    pauses: int = 0

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.committed: dict[TopicPartition, int] = {}
        self.position: dict[TopicPartition, int] = {}
        self.epochs: dict[TopicPartition, int] = {}
        self.held: dict[TopicPartition, int] = {}
        self.version = 0
        self.is_assigned = True

    def append(self, topic: str, partition: int, values: Iterable[bytes | None], gap: int = 1) -> None:
        """Append messages; ``gap`` > 1 leaves holes between offsets, as transactions do."""
        with self.lock:
            source = TopicPartition(topic, partition)
            log = self.partitions.setdefault(source, [])
            for value in values:
                offset = log[-1].offset + gap if log else 0
                log.append(Message(source, offset, 0, None, value, (), 1_790_000_000_000 + offset))
            if source not in self.held:
                self.assign(source)

    def assign(self, source: TopicPartition) -> None:
        """Give a partition to this process under a new epoch, from the committed offset."""
        with self.lock:
            self.epochs[source] = self.epochs.get(source, 0) + 1
            self.held[source] = self.epochs[source]
            self.position[source] = self.committed.get(source, 0)
            self.version += 1

    def revoke(self, source: TopicPartition) -> None:
        """Take a partition away."""
        with self.lock:
            self.held.pop(source, None)
            self.version += 1

    def poll(self, max_records: int, timeout_s: float) -> list[Message]:
        self.polls += 1
        self.before_poll(self)
        with self.lock:
            out: list[Message] = []
            for source, epoch in self.held.items():
                if self.paused:
                    break
                waiting = [m for m in self.partitions[source] if m.offset >= self.position[source]]
                for message in waiting[: max_records - len(out)]:
                    out.append(
                        Message(source, message.offset, epoch, message.key, message.value, (), message.timestamp_ms)
                    )
                    self.position[source] = message.offset + 1
        if not out:
            threading.Event().wait(min(timeout_s, 0.005))
        return out

    def commit(self, units: Sequence[CommitUnit]) -> CommitOutcome:
        self.before_commit(self)
        with self.lock:
            live = [unit for unit in units if self.held.get(unit.source) == unit.epoch]
            dropped = [unit for unit in units if self.held.get(unit.source) != unit.epoch]
            for unit in live:
                assert unit.next_offset > self.committed.get(unit.source, 0)
                self.committed[unit.source] = unit.next_offset
                self.outputs.extend(unit.outputs)
            self.commits.append(tuple(live))
            return CommitOutcome(tuple(u.source for u in live), tuple(u.source for u in dropped))

    def owned(self) -> Mapping[TopicPartition, int]:
        with self.lock:
            return dict(self.held)

    def assigned(self) -> bool:
        return self.is_assigned

    def at_end(self) -> bool:
        with self.lock:
            return self.is_assigned and all(
                not self.partitions[source] or self.partitions[source][-1].offset < self.position[source]
                for source in self.held
            )

    def assignment_version(self) -> int:
        return self.version

    def lag(self) -> Mapping[TopicPartition, int]:
        with self.lock:
            return {source: len(self.partitions[source]) for source in self.held}

    def close(self) -> None:
        pass

    def pause(self) -> None:
        self.paused = True
        self.pauses += 1

    def resume(self) -> None:
        self.paused = False


class NullEngines:
    """A deterministic classifier: every number depends on the item alone. ``refuse`` raises on items it picks."""

    CLASSES = ("GALAXY", "QSO", "STAR")

    def __init__(self, refuse: Callable[[Any], Exception | None] = lambda _: None) -> None:
        self.refuse = refuse
        self.batches: list[int] = []

    def engines(self) -> tuple[EngineUse, ...]:
        return (EngineUse("null", "1", "0" * 64, "none", "fp32", "none", "SIMULATED", "THREE", "flat"),)

    def workers(self) -> int:
        return 2

    def classify(self, items: Sequence[Any]) -> Verdicts:
        for item in items:
            error = self.refuse(item)
            if error is not None:
                raise error
        n = len(items)
        self.batches.append(n)
        first = np.array([float(item.flux[0]) if isinstance(item, Spectrum) else 0.5 for item in items])
        first = np.nan_to_num(first)
        logits = np.stack([first, -first, np.zeros(n)], axis=1)
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        unknown = np.abs(first) < 0.1
        return Verdicts(
            class_scheme="THREE",
            class_names=self.CLASSES,
            class_probabilities=probabilities,
            top_class=probabilities.argmax(axis=1),
            columns={
                "snr": np.abs(first),
                "redshift": np.where(first > 0, first, np.nan),
                "unknown_p_value": np.clip(np.abs(first), 0, 1),
            },
            zwarn=np.where(first > 0, 0, -1),
            other_type=[None] * n,
            unknown=unknown,
            unknown_reason=["NOVEL" if flag else None for flag in unknown.tolist()],
            unknown_rate=0.01,
            quality_flags=np.zeros(n, dtype=np.int64),
            alternative_class=np.array([[1, -1]] * n).reshape(n, 2),
            alternative_redshift=np.zeros((n, 2)),
            alternative_probability=np.full((n, 2), 0.25),
            stage_seconds={"preprocess": 0.001, "null": 0.002},
        )


@dataclass
class RecordingTelemetry:
    """Keeps what it is told."""

    counts: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    imbalances: list[int] = field(default_factory=list)
    readiness: list[tuple[bool, str]] = field(default_factory=list)
    stages: Counter[str] = field(default_factory=Counter)
    engines: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def records_in(self, survey: str, lane: str, count: int) -> None:
        self.counts["in", survey, lane] += count

    def records_out(self, survey: str, lane: str, count: int) -> None:
        self.counts["out", survey, lane] += count

    def records_dead(self, survey: str, lane: str, reason: str, count: int) -> None:
        self.counts["dead", survey, lane, reason] += count

    def classified(self, lane: str, top_class: str, count: int) -> None:
        self.counts["class", lane, top_class] += count

    def unknown(self, lane: str, reason: str, count: int) -> None:
        self.counts["unknown", lane, reason] += count

    def unknown_p_values(self, lane: str, values: list[float]) -> None:
        pass

    def batch(self, lane: str, size: int) -> None:
        self.counts["batch", lane, size] += 1

    def stage_seconds(self, stage: str, seconds: float) -> None:
        self.stages[stage] += 1

    def engine_seconds(self, engine: str, runtime: str, dtype: str, seconds: float) -> None:
        self.engines[engine, runtime, dtype] += 1

    def engine_faults(self, lane: str, count: int) -> None:
        self.counts["fault", lane] += count

    def end_to_end_seconds(self, lane: str, seconds: list[float]) -> None:
        self.latencies.extend(seconds)

    def lag(self, lag: Mapping[TopicPartition, int]) -> None:
        pass

    def ledger_imbalance(self, imbalance: int) -> None:
        self.imbalances.append(imbalance)

    def backpressure(self, event: str) -> None:
        self.counts["backpressure", event] += 1

    def ready(self, ready: bool, why: str) -> None:
        self.readiness.append((ready, why))


def make_spectrum_record(number: int = 0, n: int = 100, **changes: Any) -> dict[str, Any]:
    """Return a valid l1_spectrum record of n pixels."""
    rng = np.random.default_rng(number)
    record: dict[str, Any] = {
        "l1_id": f"spec-{number}",
        "survey": "SDSS",
        "instrument": "SDSS",
        "object_id": f"object-{number % 7}",
        "fibre_id": number,
        "ra_deg": 180.0,
        "dec_deg": -30.0,
        "mjd_start": 59_000.0,
        "grid": {"kind": "LOG10", "start": 3.58, "step": 1e-4, "n": n},
        "medium": "VACUUM",
        "specsys": "BARYCENT",
        "flux": rng.normal(size=n).astype(np.float32),
        "flux_unit": "1e-17 erg/s/cm2/Angstrom",
        "flux_calibration": "ABSOLUTE",
        "uncertainty": np.ones(n, dtype=np.float32),
        "uncertainty_kind": "IVAR",
    }
    record.update(changes)
    return record


@pytest.fixture(scope="session")
def spectrum_record() -> Callable[..., dict[str, Any]]:
    """Return the maker of valid l1_spectrum records."""
    return make_spectrum_record


@pytest.fixture(scope="session")
def spectrum_value(codec: Codec) -> Callable[..., bytes]:
    """Return the maker of encoded l1_spectrum records."""

    def make(number: int = 0, n: int = 100, **changes: Any) -> bytes:
        return codec.encode("l1_spectrum", make_spectrum_record(number, n, **changes))

    return make


@pytest.fixture
def memory_transport() -> type[MemoryTransport]:
    """Return the in-memory transport's class."""
    return MemoryTransport


@pytest.fixture
def null_engines() -> type[NullEngines]:
    """Return the deterministic classifier's class."""
    return NullEngines


@pytest.fixture
def telemetry() -> RecordingTelemetry:
    """Return a telemetry that keeps what it is told."""
    return RecordingTelemetry()
