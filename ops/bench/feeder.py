"""Appends spectra at a steady rate: ``python -m ops.bench.feeder BOOTSTRAP TOPIC RATE SECONDS``."""

from __future__ import annotations

import sys
import time

from confluent_kafka import Producer

from ops.bench.load import spectra_messages
from schemas.catalogue import Catalogue
from schemas.codec import Codec

TICK_S = 0.02


def main() -> None:
    """Feed; print how many messages were appended."""
    bootstrap, topic, rate, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
    total = int(rate * seconds)
    messages = list(spectra_messages(Codec(Catalogue.embedded()), "BOSS", min(total, 2000)))
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "message.max.bytes": 33_554_432})
    began = time.monotonic()
    sent = 0
    while sent < total:
        due = min(total, int((time.monotonic() - began) * rate))
        while sent < due:
            key, value = messages[sent % len(messages)]
            producer.produce(topic, value, key)
            sent += 1
        producer.poll(0)
        time.sleep(TICK_S)
    producer.flush()
    sys.stdout.write(f"{sent}\n")


if __name__ == "__main__":
    main()
