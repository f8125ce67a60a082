"""(e): image alerts per second, decoded and classified, beside fastavro decoding the same bytes."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import fastavro
import numpy as np

from classifiers.classifier import Classifier
from classifiers.items import Stamps
from classifiers.training.stamps.alerts import simulate_alerts
from ops.bench.load import Bench
from ops.bench.measurement import Measurement
from stream.decode.message import MessageDecoder
from stream.decoded import Accepted, Lane
from stream.transports.contract import Message, TopicPartition

ROUNDS, BATCH = 30, 256


def alerts(bench: Bench, classifiers: Mapping[Lane, Classifier], data: Path | None) -> Iterator[Measurement]:
    """Yield decode, and decode plus engine, on real ZTF alerts (simulated ones without ``data``)."""
    files = sorted((data / "alerts" / "ztf_ocf").glob("*.avro")) if data is not None else []
    what = f"{len(files)} real ZTF alerts" if files else "256 simulated alerts"
    values = [file.read_bytes() for file in files] or [
        bench.codec.encode("l1_image_alert", record) for record in simulate_alerts(256, np.random.default_rng(1))
    ]
    plain = _plain(bench, values, containers=bool(files))
    began = time.perf_counter()
    items = [item for _ in range(ROUNDS) for item in _decoded(bench, values)]
    decode = len(items) / (time.perf_counter() - began)
    yield Measurement(
        "e", f"{what}: decode with stamps, one thread", decode, "/s", "fastavro alone, stamps left compressed", plain,
        "", None,
    )  # fmt: skip
    classifier = classifiers["image"]
    classifier.classify(items[:BATCH])
    began = time.perf_counter()
    count = 0
    for _ in range(ROUNDS):
        fresh = _decoded(bench, values)
        for start in range(0, len(fresh), BATCH):
            classifier.classify(fresh[start : start + BATCH])
        count += len(fresh)
    both = count / (time.perf_counter() - began)
    yield Measurement(
        "e", f"{what}: decode and image engine", both, "/s", "decode alone", decode, "", None,
    )  # fmt: skip


def _plain(bench: Bench, values: list[bytes], *, containers: bool) -> float:
    began = time.perf_counter()
    for _ in range(ROUNDS):
        for value in values:
            if containers:
                next(iter(fastavro.reader(io.BytesIO(value))))
            else:
                bench.codec.decode(value)
    return ROUNDS * len(values) / (time.perf_counter() - began)


def _decoded(bench: Bench, values: list[bytes]) -> list[Stamps]:
    decoder = MessageDecoder(bench.codec)
    source = TopicPartition("memory", 0)
    decoded = [decoder.decode(Message(source, i, 0, None, value, (), 0)) for i, value in enumerate(values)]
    return [one.item for one in decoded if isinstance(one, Accepted) and isinstance(one.item, Stamps)]
