"""Ownership epochs: who may commit, and how commits and rebalances wait for each other."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from stream.transports.broker.ownership import Ownership
from stream.transports.contract import CommitUnit, TopicPartition

P0, P1 = TopicPartition("t", 0), TopicPartition("t", 1)


def unit(ownership: Ownership, source: TopicPartition) -> CommitUnit:
    return CommitUnit(source, ownership.table()[source.topic, source.partition].epoch, 1, ())


def test_unit_of_a_partition_that_went_and_came_back_is_not_current() -> None:
    ownership = Ownership()
    ownership.assign([P0, P1])
    units = [unit(ownership, P0), unit(ownership, P1)]
    ownership.revoke([P0], pending=False, wait_s=0.0)
    ownership.assign([P0])
    assert ownership.current(units) == units[1:]


def test_revocation_waits_for_the_commit_in_flight() -> None:
    ownership = Ownership()
    ownership.assign([P0])
    held = unit(ownership, P0)
    revoked = threading.Event()

    def revoke() -> None:
        assert ownership.revoke([P0], pending=True, wait_s=30.0)
        revoked.set()

    thread = threading.Thread(target=revoke)
    with ownership.commit_in_flight():
        thread.start()
        assert not revoked.wait(0.1)
        assert ownership.current([held]) == [held]
    assert revoked.wait(30.0)
    thread.join()
    assert ownership.current([held]) == []
    assert not ownership.assigned()


def test_revocation_does_not_wait_for_ever() -> None:
    ownership = Ownership()
    ownership.assign([P0])
    held = unit(ownership, P0)
    with ownership.commit_in_flight():
        assert not ownership.revoke([P0], pending=False, wait_s=0.01)
        assert ownership.current([held]) == []


def test_loss_makes_the_commit_in_flight_stale_at_once() -> None:
    ownership = Ownership()
    ownership.assign([P0])
    held = unit(ownership, P0)
    with ownership.commit_in_flight():
        ownership.lose([P0], pending=True)
        assert ownership.current([held]) == []


def test_giving_up_spares_a_partition_that_was_assigned_anew() -> None:
    ownership = Ownership()
    ownership.assign([P0])
    old = unit(ownership, P0)
    ownership.lose([P0], pending=True)
    ownership.assign([P0])
    ownership.give_up([old])
    assert [p.source for p in ownership.table().values()] == [P0]
    assert ownership.assigned()
    ownership.give_up([unit(ownership, P0)])
    assert ownership.table() == {}


def test_commit_of_a_partition_lost_meanwhile_changes_nothing() -> None:
    ownership = Ownership()
    ownership.assign([P0])
    old = unit(ownership, P0)
    ownership.lose([P0], pending=True)
    ownership.assign([P0])
    ownership.committed([old])
    assert ownership.table()["t", 0].committed == -1


@given(st.lists(st.tuples(st.sampled_from(["assign", "revoke", "lose"]), st.integers(0, 2)), max_size=40))
def test_epochs_never_repeat_and_only_the_last_is_current(moves: list[tuple[str, int]]) -> None:
    ownership = Ownership()
    seen: list[CommitUnit] = []
    for move, number in moves:
        source = TopicPartition("t", number)
        before = ownership.version()
        if move == "assign":
            ownership.assign([source])
            seen.append(unit(ownership, source))
        elif move == "revoke":
            ownership.revoke([source], pending=False, wait_s=0.0)
        else:
            ownership.lose([source], pending=False)
        assert ownership.version() > before
    assert len({each.epoch for each in seen}) == len(seen)
    current = {each.source: each.epoch for each in ownership.current(seen)}
    assert current == {partition.source: partition.epoch for partition in ownership.table().values()}
