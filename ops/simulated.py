"""Simulated spectra and alerts on their way into a topic: the load generator behind ``simulate``, demo and benches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from classifiers.training.narrowband.l1_records import FORM as JPAS_FORM
from classifiers.training.narrowband.l1_records import simulated_narrowband_records
from classifiers.training.narrowband.simulator import NarrowbandSimulator
from classifiers.training.simulation.l1_records import (
    EXPOSURE,
    SimulatedRecord,
    Truth,
    simulated_exposure,
    simulated_records,
)
from classifiers.training.simulation.simulator import Simulator
from classifiers.training.stamps.alerts import simulate_alerts
from ops.patience import patiently
from schemas.codec import Codec
from stream.transports.contract import Output, Publisher

EXPOSURE_FORM, ALERTS_FORM = "EXPOSURE", "ALERTS"
FORMS: Final[Mapping[str, str]] = {
    "sdss": "SDSS",
    "boss": "BOSS",
    "lamost": "LAMOST",
    "desi": "DESI",
    "4most-lrs": "4MOST_LRS",
    "4most-hrs": "4MOST_HRS",
    "weave": "WEAVE",
    "4most-exposure": EXPOSURE_FORM,
    "jpas": JPAS_FORM,
    "alerts": ALERTS_FORM,
}
TRANSACTION_BYTES = 32 * 1024 * 1024
MOST_THREADS: Final = 4
"""More are no faster: what a thread does beside arithmetic holds the interpreter's lock."""


def exposure_size() -> int:
    """Return how many spectra one simulated 4MOST exposure has."""
    return sum(EXPOSURE.values())


def _records(form: str, n: int, seed: int) -> Iterator[tuple[str, Mapping[str, Any], Truth | None]]:
    """Yield schema name, record and truth (alerts have none)."""
    if form == ALERTS_FORM:
        for record in simulate_alerts(n, np.random.default_rng(seed)):
            yield "l1_image_alert", record, None
        return
    for simulated in simulated_spectra(form, n, seed):
        yield "l1_spectrum", simulated.record, simulated.truth


def simulated_spectra(form: str, n: int, seed: int) -> Iterator[SimulatedRecord]:
    """Yield simulated spectra with their truth; an exposure has its own number."""
    if form == JPAS_FORM:
        return simulated_narrowband_records(NarrowbandSimulator.load(), n, seed)
    simulator, threads = Simulator.load(), min(MOST_THREADS, os.cpu_count() or 1)
    if form == EXPOSURE_FORM:
        return simulated_exposure(simulator, seed, threads=threads)
    return simulated_records(simulator, n, seed, form, threads=threads)


def simulated_messages(codec: Codec, form: str, n: int, seed: int) -> Iterator[tuple[bytes, bytes, Truth | None]]:
    """Yield key, encoded value and truth of each simulated record."""
    for schema, record, truth in _records(form, n, seed):
        yield str(record["l1_id"]).encode(), codec.encode(schema, record), truth


def publish_simulation(
    publisher: Publisher,
    topic: str,
    codec: Codec,
    form: str,
    n: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> list[Truth]:
    """Publish simulated records in transactions of bounded size; a killed run goes on where it was.

    Args:
        publisher: where they go; its progress knows how many are there.
        topic: target topic.
        codec: encodes them.
        form: value of ``FORMS``.
        n: how many (an exposure has its own number).
        seed: of the simulation.
        progress: told (done, total) after each transaction.

    Returns:
        The truth of all of them, in order; empty for alerts.
    """
    total = exposure_size() if form == EXPOSURE_FORM else n
    there = int(publisher.progress().get("published", "0"))
    truths: list[Truth] = []
    batch: list[Output] = []
    size = done = 0

    def flush() -> None:
        nonlocal batch, size
        outputs, batch, size = batch, [], 0
        patiently(lambda: publisher.publish(outputs, {"published": str(done)}))
        progress(done, total)

    for key, value, truth in simulated_messages(codec, form, n, seed):
        done += 1
        if truth is not None:
            truths.append(truth)
        if done <= there:
            continue
        batch.append(Output(topic, key, value))
        size += len(value)
        if size >= TRANSACTION_BYTES:
            flush()
    if batch:
        flush()
    return truths
