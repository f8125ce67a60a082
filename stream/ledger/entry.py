"""From an account to the ledger message that is published in the same commit; pure."""

from __future__ import annotations

from typing import Any

from stream.encoding import Encode
from stream.ledger.account import Account, night_of
from stream.transports.contract import Output


class LedgerWriter:
    """Builds ledger messages of one consumer group."""

    def __init__(self, *, topic: str, group: str, program_version: str, encode: Encode) -> None:
        self._topic = topic
        self._group = group
        self._program_version = program_version
        self._encode = encode

    def record(self, account: Account) -> dict[str, Any]:
        """Return the ledger record (schema ``ledger``) of an account."""
        return {
            "group": self._group,
            "topic": account.source.topic,
            "partition": account.source.partition,
            "first_offset": account.first_offset,
            "last_offset": account.last_offset,
            "next_offset": account.next_offset,
            "records_in": account.records_in,
            "records_out": account.records_out,
            "records_dead": account.records_dead,
            "rejected": dict(sorted(account.rejected.items())),
            "offsets_digest": account.offsets_digest,
            "night": night_of(account.newest_ms),
            "program_version": self._program_version,
        }

    def output(self, account: Account) -> Output:
        """Return the message; its key keeps the entries of one partition in order."""
        key = f"{self._group}/{account.source.topic}/{account.source.partition}".encode()
        return Output(self._topic, key, self._encode("ledger", self.record(account)))
