"""When the pipeline hands out batches and commits, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stream.decoded import Decoded
from stream.partition_log import OffsetWentBack
from stream.pipeline import Pipeline, PipelineError
from stream.records.finished import Finished
from stream.transports.contract import CommitOutcome, Message, TopicPartition

SOURCE = TopicPartition("l1", 0)

MakePipeline = Callable[..., Pipeline]
Decode = Callable[[Message, str], Decoded]
Finish = Callable[..., list[Finished]]


def message(offset: int, epoch: int = 1, source: TopicPartition = SOURCE) -> Message:
    return Message(source, offset, epoch, None, b"value", (), offset)


def complete_all(pipeline: Pipeline, finished: Finish, now: float) -> None:
    while (batch := pipeline.next_batch(now, asked=True)) is not None:
        pipeline.complete(batch, finished(batch), now)


def test_a_commit_holds_only_the_contiguous_finished_prefix(pipeline: Pipeline, decoded: Decode) -> None:
    """A record that is still computing keeps everything behind it out of the commit."""
    pipeline.accept([decoded(message(0), "bad"), decoded(message(1), "good"), decoded(message(2), "bad")], 0.0)
    commit = pipeline.next_commit(0.0, 0, asked=True)
    assert commit is not None
    assert commit.units[0].next_offset == 1
    assert [output.topic for output in commit.units[0].outputs] == ["dead", "ledger"]


def test_one_commit_is_in_flight_while_the_next_is_prepared(
    pipeline: Pipeline, decoded: Decode, finished: Finish
) -> None:
    """No second commit is handed out before the first is settled; computing goes on."""
    pipeline.accept([decoded(message(0), "good")], 0.0)
    complete_all(pipeline, finished, 0.0)
    assert pipeline.next_commit(0.0, 0, asked=True) is not None
    pipeline.accept([decoded(message(1), "good")], 0.0)
    complete_all(pipeline, finished, 0.0)
    assert pipeline.next_commit(0.0, 0, asked=True) is None
    pipeline.settle(CommitOutcome((SOURCE,), ()))
    assert pipeline.next_commit(0.0, 0, asked=True) is not None


def test_a_commit_is_due_by_number_or_age(pipeline: Pipeline, decoded: Decode) -> None:
    """Finished records wait for company, but not for long."""
    pipeline.accept([decoded(message(0), "bad")], 10.0)
    assert pipeline.next_commit(11.9, 0) is None
    assert pipeline.commit_deadline() == 12.0
    assert pipeline.next_commit(12.0, 0) is not None
    pipeline.settle(CommitOutcome((SOURCE,), ()))
    pipeline.accept([decoded(message(offset), "bad") for offset in range(1, 7)], 20.0)
    assert pipeline.next_commit(20.0, 0) is not None


def test_full_memory_flushes_and_stops_input(make_pipeline: MakePipeline, decoded: Decode, finished: Finish) -> None:
    """At the limit nothing is asked for, and what waits is computed and committed whatever its age."""
    pipeline = make_pipeline(records=3)
    pipeline.accept([decoded(message(offset), "good") for offset in range(3)], 0.0)
    assert pipeline.room(10) == 0
    batch = pipeline.next_batch(0.0)
    assert batch is not None
    pipeline.complete(batch, finished(batch), 0.0)
    assert pipeline.next_commit(0.0, 0) is not None
    pipeline.settle(CommitOutcome((SOURCE,), ()))
    assert pipeline.room(10) == 3


def test_room_shrinks_with_the_size_of_the_records(make_pipeline: MakePipeline, decoded: Decode) -> None:
    """A poll is kept so small that it cannot exceed the byte limit by much."""
    pipeline = make_pipeline(size_bytes=100_000)
    big = Message(SOURCE, 0, 1, None, bytes(20_000), (), 0)
    pipeline.accept([decoded(big, "bad")], 0.0)
    assert 1 <= pipeline.room(256) <= 4


def test_a_dropped_unit_ends_its_epoch(pipeline: Pipeline, decoded: Decode) -> None:
    """After a drop, later messages of that epoch are ignored, and the next epoch starts afresh."""
    pipeline.accept([decoded(message(0), "bad")], 0.0)
    assert pipeline.next_commit(0.0, 0, asked=True) is not None
    pipeline.settle(CommitOutcome((), (SOURCE,)))
    pipeline.accept([decoded(message(1), "bad")], 0.0)
    assert pipeline.next_commit(0.0, 0, asked=True) is None
    assert pipeline.empty()
    pipeline.accept([decoded(message(0, epoch=2), "bad")], 0.0)
    commit = pipeline.next_commit(0.0, 0, asked=True)
    assert commit is not None
    assert commit.units[0].epoch == 2


def test_an_offset_that_goes_back_is_fatal(pipeline: Pipeline, decoded: Decode) -> None:
    """A transport that repeats an offset within an epoch would double records."""
    pipeline.accept([decoded(message(5), "bad")], 0.0)
    with pytest.raises(OffsetWentBack, match="above 5, received 5"):
        pipeline.accept([decoded(message(5), "bad")], 0.0)


def test_results_that_do_not_fit_their_batch_are_a_defect(
    pipeline: Pipeline, decoded: Decode, finished: Finish
) -> None:
    """A batch is completed once, with one result per item."""
    pipeline.accept([decoded(message(0), "good")], 0.0)
    batch = pipeline.next_batch(0.0, asked=True)
    assert batch is not None
    with pytest.raises(PipelineError):
        pipeline.complete(batch, [], 0.0)
    results = finished(batch)
    pipeline.complete(batch, results, 0.0)
    with pytest.raises(PipelineError):
        pipeline.complete(batch, results, 0.0)


def test_an_outcome_must_speak_of_every_unit(pipeline: Pipeline, decoded: Decode) -> None:
    """A transport that forgets a unit is a defect, not a commit."""
    pipeline.accept([decoded(message(0), "bad")], 0.0)
    pipeline.next_commit(0.0, 0, asked=True)
    with pytest.raises(PipelineError):
        pipeline.settle(CommitOutcome((), ()))


def test_lanes_take_turns_by_the_age_of_their_oldest(pipeline: Pipeline, decoded: Decode) -> None:
    """A busy lane does not starve the other."""
    pipeline.accept([decoded(message(0), "image")], 0.0)
    pipeline.accept([decoded(message(offset), "good") for offset in range(1, 9)], 0.5)
    order: list[str] = []
    for now in (0.6, 1.0, 1.0):
        batch = pipeline.next_batch(now)
        assert batch is not None
        order.append(batch.lane)
    assert order == ["spectrum", "image", "spectrum"]
