"""Batching: nothing lost, doubled or reordered; due by number, bytes, age or on request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.batching import BatchPolicy, Flush, LaneBuffer


def buffer(max_records: int = 3, max_bytes: int = 100, max_age_s: float = 1.0) -> LaneBuffer[int]:
    return LaneBuffer(BatchPolicy(max_records, max_bytes, max_age_s))


def test_full_batch_flushes_at_once() -> None:
    """The last item that fits makes the batch due."""
    lane = buffer()
    lane.add(0, 1, 0.0)
    lane.add(1, 1, 0.0)
    assert lane.due(0.0) is None
    lane.add(2, 1, 0.0)
    assert lane.due(0.0) is Flush.RECORDS


def test_bytes_make_a_batch_due() -> None:
    """Large items do not wait for their number."""
    lane = buffer()
    lane.add(0, 100, 0.0)
    assert lane.due(0.0) is Flush.BYTES


def test_age_makes_a_batch_due_at_its_deadline() -> None:
    """The oldest item decides."""
    lane = buffer()
    lane.add(0, 1, 5.0)
    lane.add(1, 1, 5.9)
    assert lane.deadline() == 6.0
    assert lane.due(5.99) is None
    assert lane.due(6.0) is Flush.AGE


def test_asking_flushes_only_what_waits() -> None:
    """Nothing waits: nothing is due, asked or not."""
    lane = buffer()
    assert lane.due(0.0, asked=True) is None
    lane.add(0, 1, 0.0)
    assert lane.due(0.0, asked=True) is Flush.ASKED


def test_an_item_larger_than_a_batch_goes_alone() -> None:
    """The byte limit never blocks an item."""
    lane = buffer()
    lane.add(0, 60, 0.0)
    lane.add(1, 500, 0.0)
    assert lane.take() == [0]
    assert lane.take() == [1]
    assert lane.size_bytes == 0


def test_discarded_items_free_their_bytes() -> None:
    """The others keep order and age."""
    lane = buffer()
    for item in range(4):
        lane.add(item, 10, float(item))
    assert lane.discard(lambda item: item % 2 == 0) == 2
    assert lane.size_bytes == 20
    assert lane.oldest() == 1.0
    assert lane.take() == [1, 3]


@pytest.mark.parametrize("policy", [(0, 1, 1.0), (1, 0, 1.0), (1, 1, -1.0)])
def test_an_impossible_policy_is_refused(policy: tuple[int, int, float]) -> None:
    """A policy checks itself when it is built."""
    with pytest.raises(ValueError, match="expected max_records >= 1"):
        BatchPolicy(*policy)


@given(
    sizes=st.lists(st.integers(0, 60), max_size=50),
    max_records=st.integers(1, 8),
    max_bytes=st.integers(1, 120),
    cuts=st.lists(st.booleans(), max_size=60),
)
def test_every_item_leaves_once_in_order(sizes: list[int], max_records: int, max_bytes: int, cuts: list[bool]) -> None:
    """For any sizes and any moments of taking, batches joined are the items, within the limits."""
    lane: LaneBuffer[int] = LaneBuffer(BatchPolicy(max_records, max_bytes, 1.0))
    out: list[int] = []
    moments = iter(cuts)
    for item, size in enumerate(sizes):
        lane.add(item, size, 0.0)
        if next(moments, False):
            batch = lane.take()
            assert len(batch) <= max_records
            assert len(batch) == 1 or sum(sizes[i] for i in batch) <= max_bytes
            out += batch
    while len(lane):
        out += lane.take()
    assert out == list(range(len(sizes)))
    assert lane.size_bytes == 0
