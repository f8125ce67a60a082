"""Accounts, nights and sets of offsets."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.ledger.account import Account, LedgerImbalance, night_of, offsets_digest
from stream.ledger.offset_set import OffsetSet
from stream.transports.contract import TopicPartition


@pytest.mark.parametrize(
    ("unix_ms", "night"),
    [
        (1_790_000_000_000, "2026-09-21"),
        (1_789_992_000_000 - 1, "2026-09-20"),
        (1_789_992_000_000, "2026-09-21"),
        (-1, "1970-01-01"),
        (10**18, "1970-01-01"),
    ],
)
def test_a_night_lasts_from_noon_to_noon(unix_ms: int, night: str) -> None:
    """The UTC date of the noon before; times that are none belong to the epoch."""
    assert night_of(unix_ms) == night


def test_the_digest_is_over_little_endian_int64() -> None:
    """As the ledger's schema says."""
    expected = hashlib.sha256((5).to_bytes(8, "little") + (2**40).to_bytes(8, "little")).hexdigest()
    assert offsets_digest([5, 2**40]) == expected


def test_an_account_that_does_not_balance_stops_everything() -> None:
    """In differs from out + dead: Fatal, before the commit."""
    account = Account(TopicPartition("l1", 0), 0, 9, 10, 8, 1, {}, "", 0)
    with pytest.raises(LedgerImbalance, match="expected 10 records out or dead, received 8 out and 1 dead"):
        account.check()


offsets = st.sets(st.integers(0, 300_000), max_size=40)


@given(left=offsets, right=offsets, first=st.integers(0, 300_000), length=st.integers(0, 200_000))
def test_an_offset_set_is_a_set(left: set[int], right: set[int], first: int, length: int) -> None:
    """The bitmap agrees with Python's set in everything that the proof asks."""
    a, b = OffsetSet(), OffsetSet()
    for offset in left:
        assert a.add(offset)
        assert not a.add(offset)
    for offset in right:
        b.add(offset)
    last = first + length
    assert a.count == len(left)
    assert (a.first(), a.last()) == (min(left, default=None), max(left, default=None))
    assert a.between(first, last).tolist() == sorted(o for o in left if first <= o <= last)
    assert a.first_missing_from(b, first, last) == min((o for o in left - right if first <= o <= last), default=None)
    joined = OffsetSet.union(a, b)
    assert joined.between(0, 400_000).tolist() == sorted(left | right)
    assert joined.count == len(left | right)
    assert all(offset in joined for offset in left)
    assert (first in a) == (first in left)
