"""Pipelines with small limits, and records at each stage: decoded, finished, accounted for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from classifiers.items import GridAxis, Spectrum
from stream.batching import BatchPolicy
from stream.decoded import Accepted, Decoded, EncodedIdentity, Rejected
from stream.errors import Reason
from stream.ledger.account import Account
from stream.pipeline import Pipeline
from stream.records.finished import Finished
from stream.transports.contract import Message, Output
from stream.work import Batch, Limits

IDENTITY = EncodedIdentity("TEST", b"x", placed=True, fields=b"")
SPECTRUM = Spectrum(
    GridAxis("LINEAR", 4000.0, 1.0, 4), "VACUUM", np.zeros(4, np.float32), np.ones(4, np.float32), "IVAR", "Jy", None,
    0.0, None, "DISPERSED", sky_fibre=False,
)  # fmt: skip


def decode(message: Message, kind: str) -> Decoded:
    if kind == "bad":
        return Rejected(message, "spectrum", Reason.UNDECODABLE, "bad")
    lane: Any = "image" if kind == "image" else "spectrum"
    return Accepted(message, lane, IDENTITY, SPECTRUM, "s", 32)


def finish(message: Message, topic: str, lane: Any) -> Finished:
    name = f"{message.source.topic}/{message.source.partition}/{message.offset}".encode()
    reason = Reason.UNDECODABLE if topic == "dead" else None
    return Finished(topic, name, name, (), lane, "TEST", message.timestamp_ms, reason)


def finish_all(batch: Batch, refused: int = -1) -> list[Finished]:
    return [
        finish(item.message, "dead" if index == refused else "l2", item.lane)
        for index, item in enumerate(batch.accepted)
    ]


def ledger_output(account: Account) -> Output:
    text = f"{account.first_offset}..{account.last_offset}={account.records_in}"
    return Output("ledger", b"", text.encode())


@pytest.fixture(scope="session")
def decoded() -> Callable[[Message, str], Decoded]:
    """Return a function that decodes a message: ``good``, ``image``, or ``bad``."""
    return decode


@pytest.fixture(scope="session")
def finished() -> Callable[..., list[Finished]]:
    """Return a function from a batch to its results, of which the one numbered ``refused`` is a dead letter."""
    return finish_all


@pytest.fixture(scope="session")
def make_pipeline() -> Callable[..., Pipeline]:
    """Return a maker of pipelines; keyword arguments change limits."""

    def make(*, batch: int = 4, commit: int = 6, records: int = 20, size_bytes: int = 1_000_000) -> Pipeline:
        limits = Limits(
            batch=BatchPolicy(batch, 10_000, 1.0),
            commit=BatchPolicy(commit, 10_000, 2.0),
            max_records=records,
            max_bytes=size_bytes,
        )
        return Pipeline(
            limits,
            group="specstream",
            dead_letter=lambda item: finish(item.message, "dead", item.lane),
            ledger_output=ledger_output,
        )

    return make


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """Return an empty pipeline."""
    return make_pipeline()
