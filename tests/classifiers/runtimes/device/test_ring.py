"""The ring of slots, against a device of the test's own that finishes in any order and fails where it is told to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.runtimes.device.contract import BUCKETS, DeviceLost, OutOfMemory
from classifiers.runtimes.device.ring import PIECE_COST_ROWS, Ring, Taken, plan, reachable

LADDERS = st.lists(st.integers(1, 64), min_size=1, max_size=4, unique=True).map(sorted)


class Outcome:
    """What a drawn course of events did: rows computed by batch, errors, news of smaller buckets."""

    def __init__(self) -> None:
        self.computed: dict[int, list[int]] = {}
        self.failed: dict[int, OutOfMemory] = {}
        self.news: list[tuple[int, int]] = []


def _close(ring: Ring, batch: int, outcome: Outcome) -> None:
    try:
        ring.close(batch)
    except OutOfMemory as error:
        outcome.failed[batch] = error


def course(data: st.DataObject, slots: int, buckets: list[int], sizes: list[int], too_large: set[int]) -> Outcome:
    """Drive batches of the sizes to their ends: they come, are begun, and end in an order that is drawn."""
    ring, outcome = Ring(slots, buckets), Outcome()
    running: dict[int, Taken] = {}
    waiting_sizes, open_batches = list(sizes), set[int]()
    while waiting_sizes or open_batches:
        if waiting_sizes and (not open_batches or data.draw(st.booleans(), label="another comes")):
            batch = ring.add(waiting_sizes.pop())
            open_batches.add(batch)
            outcome.computed[batch] = []
        while (taken := ring.take()) is not None:
            assert taken.slot not in running
            assert taken.piece.rows <= taken.piece.bucket
            assert taken.piece.bucket in ring.allowed
            running[taken.slot] = taken
            ring.begun(taken.slot)
        assert len(running) <= slots
        assert not ring.ready
        if running:
            taken = running.pop(data.draw(st.sampled_from(sorted(running)), label="ends"))
            if taken.piece.bucket in too_large:
                error = OutOfMemory(taken.piece.bucket, "too large")
                smaller = ring.out_of_memory(taken.slot, error)
                if smaller is not None:
                    outcome.news.append((taken.piece.bucket, smaller))
            else:
                outcome.computed[taken.piece.batch] += range(taken.piece.start, taken.piece.start + taken.piece.rows)
                ring.done(taken.slot)
        for batch in [each for each in open_batches if ring.settled(each)]:
            open_batches.remove(batch)
            _close(ring, batch, outcome)
    assert ring.take() is None
    return outcome


@given(st.data(), st.integers(1, 4), LADDERS, st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_each_row_is_computed_once_whatever_ends_first(
    data: st.DataObject, slots: int, buckets: list[int], sizes: list[int]
) -> None:
    outcome = course(data, slots, buckets, sizes, set())
    found = sorted(len(rows) for rows in outcome.computed.values())
    assert found == sorted(sizes)
    for rows in outcome.computed.values():
        assert sorted(rows) == list(range(len(rows)))
    assert outcome.news == []


@given(st.data(), st.integers(1, 4), LADDERS, st.lists(st.integers(1, 300), min_size=1, max_size=4))
def test_what_does_not_fit_is_computed_in_smaller_buckets_and_said_once(
    data: st.DataObject, slots: int, buckets: list[int], sizes: list[int]
) -> None:
    limit = data.draw(st.integers(0, len(buckets) - 1))
    too_large = set(buckets[limit + 1 :])
    outcome = course(data, slots, buckets, sizes, too_large)
    assert sorted(len(rows) for rows in outcome.computed.values()) == sorted(sizes)
    for rows in outcome.computed.values():
        assert sorted(rows) == list(range(len(rows)))
    assert len({bucket for bucket, _ in outcome.news}) == len(outcome.news) <= len(too_large)
    assert all(smaller == buckets[buckets.index(bucket) - 1] for bucket, smaller in outcome.news)


@given(st.data(), st.integers(1, 3), LADDERS, st.lists(st.integers(1, 100), min_size=1, max_size=3))
def test_a_batch_fails_where_even_the_smallest_bucket_does_not_fit(
    data: st.DataObject, slots: int, buckets: list[int], sizes: list[int]
) -> None:
    outcome = course(data, slots, buckets, sizes, set(buckets))
    assert set(outcome.failed) == set(outcome.computed)
    assert all(error.bucket == buckets[0] for error in outcome.failed.values())
    assert all(rows == [] for rows in outcome.computed.values())


@given(st.integers(2, 4), st.integers(2, 8))
def test_two_pieces_that_wait_are_both_in_flight(slots: int, pieces: int) -> None:
    ring = Ring(slots, [16])
    ring.add(16 * pieces)
    flight = []
    while (taken := ring.take()) is not None:
        flight.append(taken)
    assert len(flight) == min(slots, pieces) >= 2


def test_batches_take_turns_piece_by_piece() -> None:
    ring = Ring(1, [4])
    first, second = ring.add(12), ring.add(8)
    order = []
    while (taken := ring.take()) is not None:
        order.append(taken.piece.batch)
        ring.done(taken.slot)
    assert order == [first, second, first, second, first]


def test_the_piece_to_wait_for_is_the_one_that_was_begun_first() -> None:
    ring = Ring(2, [4])
    batch = ring.add(12)
    one, two = ring.take(), ring.take()
    assert one is not None
    assert two is not None
    assert ring.running(batch) is None
    ring.begun(two.slot)
    assert ring.running(batch) == two
    ring.begun(one.slot)
    assert ring.running(batch) == one
    ring.done(one.slot)
    three = ring.take()
    assert three is not None
    ring.begun(three.slot)
    assert ring.running(batch) == two


def test_a_bucket_too_large_for_one_batch_is_planned_for_no_other() -> None:
    ring = Ring(2, [4, 16])
    ring.add(16)
    waiting = ring.add(32)
    taken = ring.take()
    assert taken is not None
    assert ring.out_of_memory(taken.slot, OutOfMemory(16, "full")) == 4
    sizes = []
    while (taken := ring.take()) is not None:
        sizes.append(taken.piece.bucket)
        ring.done(taken.slot)
    assert sizes == [4] * 12
    assert ring.settled(waiting)
    assert ring.allowed == (4,)


@given(st.data(), st.integers(1, 4), st.lists(st.integers(1, 200), min_size=1, max_size=4))
def test_a_lost_device_fails_every_batch_now_and_later(data: st.DataObject, slots: int, sizes: list[int]) -> None:
    ring = Ring(slots, [8, 32])
    batches = [ring.add(n) for n in sizes]
    taken = [each for _ in range(data.draw(st.integers(0, slots))) if (each := ring.take()) is not None]
    ring.lost(DeviceLost("unplugged"))
    for each in taken:  # what the slots say after that means nothing
        data.draw(st.sampled_from([ring.begun, ring.done]))(each.slot)
    assert ring.take() is None
    for batch in batches:
        assert ring.settled(batch)
        with pytest.raises(DeviceLost, match="unplugged"):
            ring.close(batch)
    with pytest.raises(DeviceLost, match="unplugged"):
        ring.add(1)


def test_events_of_a_free_slot_are_refused() -> None:
    ring = Ring(2, [4])
    with pytest.raises(ValueError, match="slot 1 is free"):
        ring.done(1)


@pytest.mark.parametrize(("slots", "buckets"), [(0, [4]), (1, []), (1, [8, 4]), (1, [4, 4]), (1, [0, 4])])
def test_a_ring_without_slots_or_ascending_buckets_is_refused(slots: int, buckets: list[int]) -> None:
    with pytest.raises(ValueError, match="a ring needs"):
        Ring(slots, buckets)


def test_a_batch_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 row"):
        Ring(1, [4]).add(0)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(1, [16]), (16, [16]), (17, [64]), (64, [64]), (300, [256, 64]), (1000, [1024]), (5000, [4096, 1024])],
)
def test_rows_are_planned_in_the_buckets_that_cost_least(rows: int, expected: list[int]) -> None:
    assert plan(rows, BUCKETS) == expected


@given(st.integers(1, 20_000), LADDERS)
def test_a_plan_holds_all_rows_and_costs_no_more_than_one_bucket(rows: int, buckets: list[int]) -> None:
    parts = plan(rows, buckets)
    assert sum(parts[:-1]) < rows <= sum(parts)
    left = rows % buckets[-1]
    if left:
        whole = next(bucket for bucket in buckets if bucket >= left)
        tail = parts[rows // buckets[-1] :]
        assert sum(tail) + PIECE_COST_ROWS * len(tail) <= whole + PIECE_COST_ROWS


@given(st.integers(1, 300), LADDERS)
def test_every_bucket_that_batches_are_planned_in_is_reachable(largest: int, buckets: list[int]) -> None:
    planned = {bucket for rows in range(1, largest + 1) for bucket in plan(rows, buckets)}
    found = reachable(largest, buckets)
    assert planned <= set(found)
    assert set(found) - planned <= {max(found)}  # the one above the largest batch may cost more than smaller ones
    assert reachable(None, buckets) == tuple(buckets)


@given(st.integers(1, 300), st.integers(1, 3), st.data(), LADDERS)
def test_a_batch_for_one_bucket_is_planned_in_it_alone_slot_after_slot(
    rows: int, slots: int, data: st.DataObject, buckets: list[int]
) -> None:
    ring, bucket = Ring(slots, buckets), data.draw(st.sampled_from(buckets))
    batch, begun = ring.add(rows, bucket), 0
    while not ring.settled(batch):
        taken = ring.take()
        if taken is None:
            first = ring.running(batch)
            assert first is not None
            ring.done(first.slot)
            continue
        assert (taken.slot, taken.piece.bucket, taken.piece.start) == (begun % slots, bucket, begun * bucket)
        ring.begun(taken.slot)
        begun += 1
    assert begun == -(-rows // bucket)


def test_a_batch_for_a_bucket_that_is_not_in_use_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a bucket of \[4, 16\], not 8"):
        Ring(2, (4, 16)).add(8, 8)


def test_a_bucket_that_was_asked_for_and_has_no_room_is_computed_in_smaller_ones() -> None:
    ring = Ring(1, (4, 16))
    batch = ring.add(32, 16)
    first = ring.take()
    assert first is not None
    assert ring.out_of_memory(first.slot, OutOfMemory(16, "full")) == 4
    pieces = []
    while (taken := ring.take()) is not None:
        pieces.append(taken.piece)
        ring.done(taken.slot)
    assert ring.settled(batch)
    assert [piece.bucket for piece in pieces] == [4] * 8
    assert [piece.start for piece in pieces] == list(range(0, 32, 4))
