"""The pipeline under any interleaving: hypothesis plays broker, engines and rebalances against a simple model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from stream.decoded import Decoded
from stream.pipeline import Pipeline
from stream.records.finished import Finished
from stream.transports.contract import CommitOutcome, Message, TopicPartition
from stream.work import Batch, Commit

SOURCES = tuple(TopicPartition("l1", number) for number in range(3))
# The number of examples is the profile's: `make check` looks at fewer.
SETTINGS = settings(stateful_step_count=40, suppress_health_check=list(HealthCheck))

MakePipeline = Callable[..., Pipeline]
Decode = Callable[[Message, str], Decoded]
Finish = Callable[..., list[Finished]]


@dataclass
class Broker:
    """The truth: each partition's messages, what is committed, who owns it, what was published in which order."""

    logs: dict[TopicPartition, list[tuple[int, str]]] = field(default_factory=lambda: {s: [] for s in SOURCES})
    committed: dict[TopicPartition, int] = field(default_factory=lambda: dict.fromkeys(SOURCES, 0))
    epochs: dict[TopicPartition, int] = field(default_factory=lambda: dict.fromkeys(SOURCES, 0))
    owned: dict[TopicPartition, int] = field(default_factory=dict)
    position: dict[TopicPartition, int] = field(default_factory=dict)
    published: dict[TopicPartition, list[int]] = field(default_factory=lambda: {s: [] for s in SOURCES})


class PipelineMachine(RuleBasedStateMachine):
    """Arrivals, flushes, completions, commits, drops, retries, revocations and reassignments in any order."""

    batches = Bundle("batches")

    def __init__(self, make_pipeline: MakePipeline, decoded: Decode, finished: Finish) -> None:
        super().__init__()
        self.make_pipeline, self.decoded, self.finished = make_pipeline, decoded, finished

    @initialize(batch=st.integers(1, 5), commit=st.integers(1, 12), records=st.integers(8, 30))
    def start(self, batch: int, commit: int, records: int) -> None:
        self.now = 0.0
        self.most = records
        self.pipeline = self.make_pipeline(batch=batch, commit=commit, records=records)
        self.broker = Broker()
        self.open_batches: dict[int, Batch] = {}
        self.commit: Commit | None = None
        for source in SOURCES:
            self._assign(source)

    def _assign(self, source: TopicPartition) -> None:
        broker = self.broker
        broker.epochs[source] += 1
        broker.owned[source] = broker.epochs[source]
        broker.position[source] = broker.committed[source]

    @rule(source=st.sampled_from(SOURCES), kinds=st.lists(st.sampled_from(["good", "image", "bad"]), max_size=6),
          gap=st.integers(1, 3))  # fmt: skip
    def arrive(self, source: TopicPartition, kinds: list[str], gap: int) -> None:
        log = self.broker.logs[source]
        for kind in kinds:
            log.append((log[-1][0] + gap if log else 0, kind))

    @rule(sources=st.permutations(SOURCES), at_most=st.integers(1, 10))
    def poll(self, sources: list[TopicPartition], at_most: int) -> None:
        room = self.pipeline.room(at_most)
        assert room <= at_most
        polled: list[Decoded] = []
        for source in sources:
            epoch = self.broker.owned.get(source)
            if epoch is None:
                continue
            for offset, kind in self.broker.logs[source]:
                if offset >= self.broker.position[source] and len(polled) < room:
                    polled.append(self.decoded(Message(source, offset, epoch, None, b"value", (), offset), kind))
                    self.broker.position[source] = offset + 1
        self.pipeline.own(self.broker.owned)
        self.pipeline.accept(polled, self.now)

    @rule(seconds=st.floats(0, 1.5))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=batches, asked=st.booleans())
    def take_batch(self, asked: bool) -> Any:
        batch = self.pipeline.next_batch(self.now, asked=asked)
        if batch is None:
            return multiple()
        self.open_batches[id(batch)] = batch
        return batch

    @rule(batch=consumes(batches), refused=st.integers(0, 5))
    def complete(self, batch: Batch, refused: int) -> None:
        self.open_batches.pop(id(batch), None)
        self.pipeline.complete(batch, self.finished(batch, refused), self.now)

    @rule(asked=st.booleans())
    def take_commit(self, asked: bool) -> None:
        commit = self.pipeline.next_commit(self.now, 0, asked=asked)
        if commit is not None:
            assert self.commit is None
            self.commit = commit

    @rule(lost=st.sets(st.sampled_from(SOURCES)))
    def settle(self, lost: set[TopicPartition]) -> None:
        """Commit the units whose epoch is current; a retried commit is this rule not chosen yet."""
        if self.commit is None:
            return
        for source in lost:
            self.broker.owned.pop(source, None)
        live = [unit for unit in self.commit.units if self.broker.owned.get(unit.source) == unit.epoch]
        for unit in live:
            published = self.broker.published[unit.source]
            assert unit.next_offset > self.broker.committed[unit.source]
            for output in unit.outputs[:-1]:
                _, partition, offset = (output.value or b"").decode().split("/")
                assert int(partition) == unit.source.partition
                assert int(offset) < unit.next_offset
                published.append(int(offset))
            self.broker.committed[unit.source] = unit.next_offset
        committed = tuple(unit.source for unit in live)
        dropped = tuple(unit.source for unit in self.commit.units if unit.source not in committed)
        tally = self.pipeline.settle(CommitOutcome(committed, dropped))
        assert sum(tally.out.values()) + sum(tally.dead.values()) == sum(len(unit.outputs) - 1 for unit in live)
        self.commit = None

    @rule(source=st.sampled_from(SOURCES), known=st.booleans())
    def revoke(self, source: TopicPartition, known: bool) -> None:
        self.broker.owned.pop(source, None)
        if known:
            self.pipeline.own(self.broker.owned)

    @rule(source=st.sampled_from(SOURCES))
    def reassign(self, source: TopicPartition) -> None:
        self._assign(source)

    @invariant()
    def nothing_is_lost_doubled_or_reordered(self) -> None:
        for source, published in self.broker.published.items():
            expected = [offset for offset, _ in self.broker.logs[source] if offset < self.broker.committed[source]]
            assert published == expected

    @invariant()
    def the_ledger_balances_and_memory_is_bounded(self) -> None:
        assert self.pipeline.balance.imbalance == 0
        assert self.pipeline.balance.records_in == sum(map(len, self.broker.published.values()))
        assert 0 <= self.pipeline.records <= self.most
        assert self.pipeline.size_bytes >= 0

    def teardown(self) -> None:
        """Whatever happened, calm brings everything through."""
        if not hasattr(self, "pipeline"):
            return
        self.settle(set())
        for batch in list(self.open_batches.values()):
            self.complete(batch, 99)
        for source in SOURCES:
            if source not in self.broker.owned:
                self._assign(source)
        for _ in range(200):
            self.poll(list(SOURCES), 10)
            batch = self.pipeline.next_batch(self.now, asked=True)
            if batch is not None:
                self.complete(batch, 99)
            self.take_commit(asked=True)
            self.settle(set())
        assert self.pipeline.empty()
        for source, log in self.broker.logs.items():
            assert self.broker.published[source] == [offset for offset, _ in log]


def test_any_interleaving_loses_doubles_and_reorders_nothing(
    make_pipeline: MakePipeline, decoded: Decode, finished: Finish
) -> None:
    run_state_machine_as_test(lambda: PipelineMachine(make_pipeline, decoded, finished), settings=SETTINGS)
