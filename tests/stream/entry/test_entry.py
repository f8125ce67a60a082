"""What every way into the stream does alike: it counts and reports, and ends when asked to, even while it waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from stream.entry import Entry, EntryLimits, EntrySummary
from stream.errors import Retryable
from stream.ingest import ingest
from stream.produce import produce
from stream.redrive import redrive
from stream.transports.contract import Message, Output


class Kept:
    """A publisher that keeps each transaction."""

    def __init__(self) -> None:
        self.transactions: list[tuple[list[Output], dict[str, str]]] = []

    def progress(self) -> Mapping[str, str]:
        return {}

    def publish(self, outputs: Sequence[Output], progress: Mapping[str, str]) -> None:
        self.transactions.append((list(outputs), dict(progress)))

    def close(self) -> None:
        """Nothing to release."""


class BrokerAway(Kept):
    """A publisher whose broker does not answer."""

    def progress(self) -> Mapping[str, str]:
        raise Retryable("no broker answers")


@dataclass(frozen=True)
class Number:
    """A progress."""

    value: int

    def to_text(self) -> str:
        return str(self.value)


class Empty:
    """A reader of a topic without messages."""

    def read(self, max_records: int, timeout_s: float) -> list[Message]:
        del max_records, timeout_s
        return []

    def at_end(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing to release."""


def way(name: str, folder: Path) -> Callable[..., EntrySummary]:
    """Return a way into the stream, to be called with publisher, report and stop."""
    codec = Codec(Catalogue.embedded())
    ways: dict[str, Callable[..., EntrySummary]] = {
        "ingest": lambda publisher, **rest: ingest([folder], "t", publisher, codec, **rest),
        "produce": lambda publisher, **rest: produce([folder], "t", publisher, **rest),
        "redrive": lambda publisher, **rest: redrive(Empty(), publisher, codec, **rest),
    }
    return ways[name]


@pytest.mark.parametrize("name", ["ingest", "produce", "redrive"])
def test_a_call_that_is_stopped_while_its_broker_is_away_ends_with_nothing_done(
    name: str, tmp_path: Path, heard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked to stop before the earlier progress could be read, it returns, and says what it had waited for."""
    stop = threading.Event()
    waiting = heard.waiting

    def waits(why: str) -> None:
        waiting(why)
        stop.set()

    monkeypatch.setattr(heard, "waiting", waits)
    assert way(name, tmp_path)(BrokerAway(), report=heard, stop=stop) == EntrySummary()
    assert heard.of("waiting") == [["no broker answers"]]


def test_records_go_out_with_their_progress_in_transactions_of_bounded_size(heard: Any) -> None:
    """A transaction closes at its limit of records or of bytes; the rest goes with the last flush; nothing is empty."""
    kept = Kept()
    entry = Entry(kept, EntryLimits(max_bytes=10, max_records=2), heard, None)
    for number, value in enumerate((b"a", b"b", b"c", b"0123456789", b"d")):
        entry.add(Output("t", None, value))
        entry.note("key", Number(number))
        entry.flush_if_full()
    entry.flush()
    entry.flush()
    assert [([output.value for output in outputs], progress) for outputs, progress in kept.transactions] == [
        ([b"a", b"b"], {"key": "1"}),
        ([b"c", b"0123456789"], {"key": "3"}),
        ([b"d"], {"key": "4"}),
    ]
    assert heard.of("published") == [[2, 2], [2, 11], [1, 1]]
    assert entry.summary == EntrySummary(records=5, size_bytes=14)


def test_the_outcome_of_each_source_is_counted_and_told(heard: Any) -> None:
    """Finished, skipped and refused sources are in the summary and in the report."""
    entry = Entry(Kept(), None, heard, None)
    entry.started("one", 3)
    entry.finished("one", 7)
    entry.skipped("two", "it is in the topic")
    entry.refused("three", "no spectrum")
    entry.refused("three", "no flux")
    assert entry.summary == EntrySummary(finished=1, skipped=1, refused=2)
    assert [name for name, *_ in heard.events] == ["started", "finished", "skipped", "refused", "refused"]
    assert heard.of("finished") == [["one", 7]]
