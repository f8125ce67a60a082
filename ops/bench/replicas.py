"""(c) once more, with a replica of ``specstream run`` for each core: processes share no interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing

from ops.bench.load import Bench, bench_settings, fill, spectra_messages, with_input
from ops.bench.measurement import Measurement
from ops.bench.process import service_process
from ops.bench.running import BenchFailed
from stream.settings import Settings
from stream.transports.broker import BrokerReader

BOUND_S = 20.0
BOUND_RECORDS = 40_000


def replicas(bench: Bench) -> Iterator[Measurement]:
    """Yield how long as many replicas as there are cores need for a topic, beside one replica."""
    count = len(os.sched_getaffinity(0))
    one = bench_settings(bench, "one-replica")
    topic = one.topics.l1_spectrum
    n = fill(bench.bootstrap, topic, spectra_messages(bench.codec, "BOSS", bench.records))
    alone_s = _seconds(bench, one, 1, n)
    all_s = _seconds(bench, with_input(bench_settings(bench, "replicas"), topic, "replicas"), count, n)
    yield Measurement(
        "c", f"{n} spectra of 4,600 px, Kafka to Kafka, {count} replicas", all_s, "s", "one replica", alone_s,
        f"<= {BOUND_S:.0f} s for {BOUND_RECORDS:,}", all_s * BOUND_RECORDS / n <= BOUND_S,
    )  # fmt: skip


def _seconds(bench: Bench, settings: Settings, count: int, n: int) -> float:
    """Return seconds for n records, from the first commit to the last: starting and joining the group are left out."""
    with ExitStack() as stack:
        services = [stack.enter_context(service_process(settings)) for _ in range(count)]
        for service in services:
            service.wait()
    published: list[int] = []
    with closing(BrokerReader(bench.bootstrap, [settings.topics.l2])) as reader:
        while not reader.at_end():
            headers = (dict(message.headers) for message in reader.read(1000, 1.0))
            published += [int(each["published_ms"] or b"0") for each in headers]
    if len(published) != n:
        raise BenchFailed(f"bench {settings.group}: expected {n} L2 records, received {len(published)}")
    first, last = min(published), max(published)
    after = sum(each > first for each in published)
    return (last - first) / 1e3 * n / after
