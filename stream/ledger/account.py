"""The account of one commit and partition, and the balance over all commits of this process; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from stream.errors import Fatal
from stream.transports.contract import TopicPartition


class LedgerImbalance(Fatal):
    """Records in differ from records out plus dead: something was lost or doubled in memory, nothing is committed."""

    def __init__(self, account: Account) -> None:
        super().__init__(
            f"ledger of {account.source.topic}[{account.source.partition}] offsets {account.first_offset}.."
            f"{account.last_offset}: expected {account.records_in} records out or dead, "
            f"received {account.records_out} out and {account.records_dead} dead"
        )
        self.account = account


@dataclass(frozen=True, slots=True)
class Account:
    """What one commit does to one input partition.

    ``records_in`` is counted on arrival, ``records_out`` and ``records_dead`` on the finished records, so that their
    agreement is a check. ``newest_ms`` is the latest append time among the records, UTC [ms since 1970].
    """

    source: TopicPartition
    first_offset: int
    last_offset: int
    records_in: int
    records_out: int
    records_dead: int
    rejected: Mapping[str, int]
    offsets_digest: str
    newest_ms: int

    @property
    def next_offset(self) -> int:
        """Return the offset to commit."""
        return self.last_offset + 1

    def check(self) -> None:
        """Raise LedgerImbalance unless records in = out + dead."""
        if self.records_in != self.records_out + self.records_dead:
            raise LedgerImbalance(self)


class Balance:
    """Running totals of committed work; ``imbalance`` other than 0 is an alarm."""

    __slots__ = ("records_dead", "records_in", "records_out")

    def __init__(self) -> None:
        self.records_in = 0
        self.records_out = 0
        self.records_dead = 0

    def add(self, account: Account) -> None:
        """Add a committed account."""
        self.records_in += account.records_in
        self.records_out += account.records_out
        self.records_dead += account.records_dead

    @property
    def imbalance(self) -> int:
        """Return records in minus out minus dead."""
        return self.records_in - self.records_out - self.records_dead


def offsets_digest(offsets: Sequence[int]) -> str:
    """Return SHA-256 over the offsets as little-endian int64, in order [hex]."""
    return hashlib.sha256(np.asarray(offsets, dtype="<i8").tobytes()).hexdigest()


def night_of(unix_ms: int) -> str:
    """Return the observing night of a time: the UTC date of the noon before it [YYYY-MM-DD].

    A message without an append time (-1) or one beyond the calendar belongs to the night 1970-01-01.
    """
    try:
        moment = datetime.fromtimestamp(max(unix_ms, 0) / 1000.0, tz=UTC) - timedelta(hours=12)
    except (OverflowError, ValueError, OSError):
        return "1970-01-01"
    return max(moment.date().isoformat(), "1970-01-01")
