"""(f): end-to-end latency at half load, beside the bare transaction that every commit needs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

from confluent_kafka import Producer

from classifiers.classifier import Classifier
from ops.bench.load import Bench, bench_settings
from ops.bench.measurement import Measurement, percentile
from ops.bench.running import BenchFailed, running
from stream.decoded import Lane
from stream.transports.broker.topics import TopicSpec, create_topics

SECONDS, TRANSACTIONS = 20.0, 50
BARE_TOPIC = "bench.bare"


def latency(bench: Bench, classifiers: Mapping[Lane, Classifier], full_rate: float) -> Iterator[Measurement]:
    """Yield p50 and p99 of append to commit while spectra arrive at half of the measured full rate."""
    settings = bench_settings(bench, "latency")
    topic, rate = settings.topics.l1_spectrum, full_rate / 2
    bare = _bare_transaction_s(bench)
    with running(settings, {"spectrum": classifiers["spectrum"]}, bench.codec) as (recorder, wait):
        wait(lambda: recorder.is_ready, 60.0)
        command = [sys.executable, "-m", "ops.bench.feeder", bench.bootstrap, topic, str(rate), str(SECONDS)]
        fed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if fed.returncode:
            raise BenchFailed(f"the feeder ended with {fed.returncode}: {fed.stderr.strip()[-200:]}")
        expected = int(fed.stdout)
        wait(lambda: recorder.committed >= expected, 60.0)
        times = list(recorder.latencies_s)
    for share in (0.5, 0.99):
        yield Measurement(
            "f", f"p{share * 100:.0f} of append to commit, {rate:.0f} spectra/s for {SECONDS:.0f} s",
            percentile(times, share), "s", "p50 of a bare transaction of one record", bare, "", None,
        )  # fmt: skip


def _bare_transaction_s(bench: Bench) -> float:
    create_topics(bench.bootstrap, [TopicSpec(BARE_TOPIC)])
    producer = Producer({"bootstrap.servers": bench.bootstrap, "transactional.id": "bench-bare", "linger.ms": 0})
    producer.init_transactions(30)
    times = []
    for _ in range(TRANSACTIONS):
        began = time.perf_counter()
        producer.begin_transaction()
        producer.produce(BARE_TOPIC, b"x")
        producer.commit_transaction(30)
        times.append(time.perf_counter() - began)
    return percentile(times, 0.5)
