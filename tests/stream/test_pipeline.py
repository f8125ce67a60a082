"""The pipeline under any interleaving: hypothesis plays broker, engines and rebalances against a simple model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from classifiers.items import GridAxis, Spectrum
from stream.batching import BatchPolicy
from stream.decoded import Accepted, Decoded, EncodedIdentity, Rejected
from stream.errors import Reason
from stream.ledger.account import Account, LedgerImbalance
from stream.partition_log import OffsetWentBack
from stream.pipeline import Pipeline, PipelineError
from stream.records.finished import Finished
from stream.transports.contract import CommitOutcome, Message, Output, TopicPartition
from stream.work import Batch, Commit, Limits

SOURCES = tuple(TopicPartition("l1", number) for number in range(3))
IDENTITY = EncodedIdentity("TEST", b"x", placed=True, fields=b"")
SPECTRUM = Spectrum(
    GridAxis("LINEAR", 4000.0, 1.0, 4), "VACUUM", np.zeros(4, np.float32), np.ones(4, np.float32), "IVAR", "Jy", None,
    0.0, None, "DISPERSED", sky_fibre=False,
)  # fmt: skip


def dead_letter(item: Rejected) -> Finished:
    return finished(item.message, "dead", item.lane)


def finished(message: Message, topic: str, lane: Any) -> Finished:
    name = f"{message.source.topic}/{message.source.partition}/{message.offset}".encode()
    reason = Reason.UNDECODABLE if topic == "dead" else None
    return Finished(topic, name, name, (), lane, "TEST", message.timestamp_ms, reason)


def ledger_output(account: Account) -> Output:
    text = f"{account.first_offset}..{account.last_offset}={account.records_in}"
    return Output("ledger", b"", text.encode())


def decoded(message: Message, kind: str) -> Decoded:
    if kind == "bad":
        return Rejected(message, "spectrum", Reason.UNDECODABLE, "bad")
    lane: Any = "image" if kind == "image" else "spectrum"
    return Accepted(message, lane, IDENTITY, SPECTRUM, "s", 32)


def limits(**changes: int) -> Limits:
    return Limits(
        batch=BatchPolicy(changes.get("batch", 4), 10_000, 1.0),
        commit=BatchPolicy(changes.get("commit", 6), 10_000, 2.0),
        max_records=changes.get("records", 20),
        max_bytes=changes.get("bytes", 1_000_000),
    )


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

    @initialize(batch=st.integers(1, 5), commit=st.integers(1, 12), records=st.integers(8, 30))
    def start(self, batch: int, commit: int, records: int) -> None:
        self.now = 0.0
        self.most = records
        self.pipeline = Pipeline(
            limits(batch=batch, commit=commit, records=records), dead_letter=dead_letter, ledger_output=ledger_output
        )
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
                    polled.append(decoded(Message(source, offset, epoch, None, b"value", (), offset), kind))
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
        results = [
            finished(item.message, "dead" if index == refused else "l2", item.lane)
            for index, item in enumerate(batch.accepted)
        ]
        self.pipeline.complete(batch, results, self.now)

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


TestPipeline = PipelineMachine.TestCase
TestPipeline.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)


def message(offset: int, epoch: int = 1, source: TopicPartition = SOURCES[0]) -> Message:
    return Message(source, offset, epoch, None, b"value", (), offset)


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(limits(), dead_letter=dead_letter, ledger_output=ledger_output)


def complete_all(pipeline: Pipeline, now: float) -> None:
    while (batch := pipeline.next_batch(now, asked=True)) is not None:
        pipeline.complete(batch, [finished(item.message, "l2", item.lane) for item in batch.accepted], now)


def test_a_commit_holds_only_the_contiguous_finished_prefix(pipeline: Pipeline) -> None:
    """A record that is still computing keeps everything behind it out of the commit."""
    pipeline.accept([decoded(message(0), "bad"), decoded(message(1), "good"), decoded(message(2), "bad")], 0.0)
    commit = pipeline.next_commit(0.0, 0, asked=True)
    assert commit is not None
    assert commit.units[0].next_offset == 1
    assert [output.topic for output in commit.units[0].outputs] == ["dead", "ledger"]


def test_one_commit_is_in_flight_while_the_next_is_prepared(pipeline: Pipeline) -> None:
    """No second commit is handed out before the first is settled; computing goes on."""
    pipeline.accept([decoded(message(0), "good")], 0.0)
    complete_all(pipeline, 0.0)
    assert pipeline.next_commit(0.0, 0, asked=True) is not None
    pipeline.accept([decoded(message(1), "good")], 0.0)
    complete_all(pipeline, 0.0)
    assert pipeline.next_commit(0.0, 0, asked=True) is None
    pipeline.settle(CommitOutcome((SOURCES[0],), ()))
    assert pipeline.next_commit(0.0, 0, asked=True) is not None


def test_a_commit_is_due_by_number_or_age(pipeline: Pipeline) -> None:
    """Finished records wait for company, but not for long."""
    pipeline.accept([decoded(message(0), "bad")], 10.0)
    assert pipeline.next_commit(11.9, 0) is None
    assert pipeline.commit_deadline() == 12.0
    assert pipeline.next_commit(12.0, 0) is not None
    pipeline.settle(CommitOutcome((SOURCES[0],), ()))
    pipeline.accept([decoded(message(offset), "bad") for offset in range(1, 7)], 20.0)
    assert pipeline.next_commit(20.0, 0) is not None


def test_full_memory_flushes_and_stops_input() -> None:
    """At the limit nothing is asked for, and what waits is computed and committed whatever its age."""
    pipeline = Pipeline(limits(records=3), dead_letter=dead_letter, ledger_output=ledger_output)
    pipeline.accept([decoded(message(offset), "good") for offset in range(3)], 0.0)
    assert pipeline.room(10) == 0
    batch = pipeline.next_batch(0.0)
    assert batch is not None
    pipeline.complete(batch, [finished(item.message, "l2", item.lane) for item in batch.accepted], 0.0)
    assert pipeline.next_commit(0.0, 0) is not None
    pipeline.settle(CommitOutcome((SOURCES[0],), ()))
    assert pipeline.room(10) == 3


def test_room_shrinks_with_the_size_of_the_records() -> None:
    """A poll is kept so small that it cannot exceed the byte limit by much."""
    pipeline = Pipeline(limits(bytes=100_000), dead_letter=dead_letter, ledger_output=ledger_output)
    big = Message(SOURCES[0], 0, 1, None, bytes(20_000), (), 0)
    pipeline.accept([decoded(big, "bad")], 0.0)
    assert 1 <= pipeline.room(256) <= 4


def test_a_dropped_unit_ends_its_epoch(pipeline: Pipeline) -> None:
    """After a drop, later messages of that epoch are ignored, and the next epoch starts afresh."""
    pipeline.accept([decoded(message(0), "bad")], 0.0)
    assert pipeline.next_commit(0.0, 0, asked=True) is not None
    pipeline.settle(CommitOutcome((), (SOURCES[0],)))
    pipeline.accept([decoded(message(1), "bad")], 0.0)
    assert pipeline.next_commit(0.0, 0, asked=True) is None
    assert pipeline.empty()
    pipeline.accept([decoded(message(0, epoch=2), "bad")], 0.0)
    commit = pipeline.next_commit(0.0, 0, asked=True)
    assert commit is not None
    assert commit.units[0].epoch == 2


def test_an_offset_that_goes_back_is_fatal(pipeline: Pipeline) -> None:
    """A transport that repeats an offset within an epoch would double records."""
    pipeline.accept([decoded(message(5), "bad")], 0.0)
    with pytest.raises(OffsetWentBack, match="above 5, received 5"):
        pipeline.accept([decoded(message(5), "bad")], 0.0)


def test_results_that_do_not_fit_their_batch_are_a_defect(pipeline: Pipeline) -> None:
    """A batch is completed once, with one result per item."""
    pipeline.accept([decoded(message(0), "good")], 0.0)
    batch = pipeline.next_batch(0.0, asked=True)
    assert batch is not None
    with pytest.raises(PipelineError):
        pipeline.complete(batch, [], 0.0)
    results = [finished(item.message, "l2", item.lane) for item in batch.accepted]
    pipeline.complete(batch, results, 0.0)
    with pytest.raises(PipelineError):
        pipeline.complete(batch, results, 0.0)


def test_an_outcome_must_speak_of_every_unit(pipeline: Pipeline) -> None:
    """A transport that forgets a unit is a defect, not a commit."""
    pipeline.accept([decoded(message(0), "bad")], 0.0)
    pipeline.next_commit(0.0, 0, asked=True)
    with pytest.raises(PipelineError):
        pipeline.settle(CommitOutcome((), ()))


def test_an_account_that_does_not_balance_stops_everything() -> None:
    """In differs from out + dead: Fatal, before the commit."""
    account = Account(SOURCES[0], 0, 9, 10, 8, 1, {}, "", 0)
    with pytest.raises(LedgerImbalance, match="expected 10 records out or dead, received 8 out and 1 dead"):
        account.check()


def test_lanes_take_turns_by_the_age_of_their_oldest(pipeline: Pipeline) -> None:
    """A busy lane does not starve the other."""
    pipeline.accept([decoded(message(0), "image")], 0.0)
    pipeline.accept([decoded(message(offset), "good") for offset in range(1, 9)], 0.5)
    order: list[str] = []
    for now in (0.6, 1.0, 1.0):
        batch = pipeline.next_batch(now)
        assert batch is not None
        order.append(batch.lane)
    assert order == ["spectrum", "image", "spectrum"]
