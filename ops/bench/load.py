"""Topics full of simulated messages for the benches, on a real broker."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, Producer

from classifiers.training.simulation.l1_records import simulated_records
from classifiers.training.simulation.simulator import Simulator
from ops.commands.topics import topic_specs
from schemas.codec import Codec
from stream.settings import Settings, load_settings
from stream.transports.broker.topics import create_topics

UNIQUE = 2_000
SEED = 11


@dataclass(frozen=True, slots=True)
class Bench:
    """What every bench is given: the broker, the codec, and how many records the large ones use."""

    bootstrap: str
    codec: Codec
    records: int
    backlog: int


def bench_settings(bench: Bench, name: str, *, images: bool = False) -> Settings:
    """Return the shipped configuration with topics of its own, which are created."""
    base = load_settings(None)
    topics = base.topics.model_copy(
        update={
            "l1_spectrum": f"bench.{name}.l1",
            "image_alert": (f"bench.{name}.alert",) if images else (),
            "l2": f"bench.{name}.l2",
            "dead_letter": f"bench.{name}.dead",
            "ledger": f"bench.{name}.ledger",
        }
    )
    settings = base.model_copy(update={"broker": f"kafka://{bench.bootstrap}", "group": name, "topics": topics})
    create_topics(bench.bootstrap, topic_specs(settings))
    return settings


def with_input(settings: Settings, topic: str, group: str) -> Settings:
    """Return settings that read another bench's input topic with a group of their own."""
    topics = settings.topics.model_copy(update={"l1_spectrum": topic})
    return settings.model_copy(update={"topics": topics, "group": group})


def spectra_messages(codec: Codec, form: str, n: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of n spectra: up to ``UNIQUE`` simulated ones, repeated under new identifiers."""
    simulated = simulated_records(Simulator.load(), min(n, UNIQUE), SEED, form)
    records = [item.record for item in simulated]
    for number, record in zip(range(n), itertools.cycle(records), strict=False):
        identifier = f"{record['l1_id']}-{number:07d}"
        yield identifier.encode(), codec.encode("l1_spectrum", {**record, "l1_id": identifier})


def fill(bootstrap: str, topic: str, messages: Iterable[tuple[bytes | None, bytes]]) -> int:
    """Produce messages to a topic, all acknowledged; return how many."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 20, "message.max.bytes": 33_554_432,
         "queue.buffering.max.kbytes": 262_144}
    )  # fmt: skip
    count = 0
    for key, value in messages:
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        count += 1
    producer.flush()
    return count


def plain_consume(bootstrap: str, topic: str, expected: int) -> tuple[int, int, float]:
    """Consume a whole topic with librdkafka alone: the reference; return messages, bytes and seconds."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"plain.{topic}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.message.max.bytes": 33_554_432,
            "fetch.queue.backoff.ms": 20,
            "queued.max.messages.kbytes": 131_072,
        }
    )
    consumer.subscribe([topic])
    count = size = 0
    began = last = 0.0
    try:
        while count < expected:
            messages = consumer.consume(1000, 5.0 if count else 15.0)
            if not messages:
                break
            last = time.perf_counter()
            began = last if count == 0 else began
            count += len(messages)
            size += sum(len(message.value() or b"") for message in messages)
    finally:
        consumer.close()
    return count, size, last - began
