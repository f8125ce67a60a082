"""(a) to (d): how fast spectra go from Kafka to Kafka, beside plain consuming and beside the engines alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from classifiers.classifier import Classifier
from classifiers.items import Spectrum
from classifiers.suite import NullClassifier
from classifiers.training.simulation.l1_records import EXPOSURE
from ops.bench.load import Bench, bench_settings, fill, plain_consume, spectra_messages, with_input
from ops.bench.measurement import Measurement
from ops.bench.running import run_to_end, running
from stream.decode.message import MessageDecoder
from stream.decoded import Accepted, Lane
from stream.settings import Settings
from stream.transports.contract import Message, TopicPartition

LANE: Lane = "spectrum"
ROUNDS = 5


def throughput(bench: Bench, classifiers: Mapping[Lane, Classifier]) -> Iterator[Measurement]:
    """Yield (a), (b) and (c) on one topic of BOSS-like spectra of 4,600 pixels."""
    settings = bench_settings(bench, "spectra")
    topic = settings.topics.l1_spectrum
    n = fill(bench.bootstrap, topic, spectra_messages(bench.codec, "BOSS", bench.records))
    plain, null, size = _without_engines(bench, settings, n)
    yield Measurement(
        "a", f"pipeline without engines, {n} spectra of 4,600 px ({size / 1e3:.0f} kB)", null, "/s",
        "plain librdkafka consume of the topic", plain, ">= 0.5", null / plain >= 0.5,
        f"the middle one of {ROUNDS} rounds, each of both",
    )  # fmt: skip
    before = _engines_alone(bench, classifiers[LANE], "BOSS", settings.batching.engine_batch(on_gpu=False))
    settings = with_input(settings, topic, "full")
    recorder = run_to_end(settings, {LANE: classifiers[LANE]}, bench.codec, n)
    full = n / recorder.elapsed_s
    after = _engines_alone(bench, classifiers[LANE], "BOSS", settings.batching.engine_batch(on_gpu=False))
    alone = 2.0 / (1.0 / before + 1.0 / after)
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in sorted(recorder.stages_s.items()))
    yield Measurement(
        "b", "full pipeline, Kafka to Kafka", full, "/s", "preprocessing, engines and verdict alone, from memory",
        alone, ">= 0.9", full / alone >= 0.9,
        f"on shared cores plain consuming beside the engines leaves {1.0 / (1.0 + alone / plain):.2f}, the pipeline "
        f"without engines beside them {1.0 / (1.0 + alone / null):.2f}; wall seconds by stage, overlapping: {stages}",
    )  # fmt: skip
    yield Measurement(
        "c", f"{n} spectra of 4,600 px, Kafka to Kafka", recorder.elapsed_s, "s", "engines alone", n / alone,
        "<= 20 s for 40,000", recorder.elapsed_s * 40_000 / n <= 20.0,
    )  # fmt: skip


def exposure(bench: Bench, classifiers: Mapping[Lane, Classifier]) -> Iterator[Measurement]:
    """Yield (d): one 4MOST exposure from its last append to its last commit, the service waiting for it."""
    settings = bench_settings(bench, "exposure")
    messages = [pair for form, n in EXPOSURE.items() for pair in spectra_messages(bench.codec, form, n)]
    alone_s = sum(
        n / _engines_alone(bench, classifiers[LANE], form, settings.batching.engine_batch(on_gpu=False))
        for form, n in EXPOSURE.items()
    )
    with running(settings, {LANE: classifiers[LANE]}, bench.codec) as (recorder, wait):
        wait(lambda: recorder.is_ready, 60.0)
        began = time.monotonic()
        fill(bench.bootstrap, settings.topics.l1_spectrum, messages)
        appended = time.monotonic()
        wait(lambda: recorder.committed >= len(messages), 300.0)
        last = recorder.last_out_s
    yield Measurement(
        "d", f"one 4MOST exposure ({len(messages)} spectra), last append to last commit", last - appended, "s",
        "engines alone", alone_s, "<= 5 s", last - appended <= 5.0,
        f"{sum(len(value) for _, value in messages) / 1e6:.0f} MB, appended in {appended - began:.1f} s",
    )  # fmt: skip


def _without_engines(bench: Bench, settings: Settings, n: int) -> tuple[float, float, float]:
    """Return records per second of plain consuming and of the pipeline without engines, and bytes per record.

    Both take turns, because machines change their speed and a broker's first transactions compile its code; the round
    with the middle ratio counts.
    """
    topic = settings.topics.l1_spectrum
    rounds = []
    for number in range(ROUNDS):
        count, size, seconds = plain_consume(bench.bootstrap, topic, n)
        ours = with_input(settings, topic, f"null-{number}")
        rounds.append((count / seconds, n / run_to_end(ours, {LANE: NullClassifier()}, bench.codec, n).elapsed_s))
    plain, null = sorted(rounds, key=lambda rates: rates[1] / rates[0])[ROUNDS // 2]
    return plain, null, size / n


def _engines_alone(bench: Bench, classifier: Classifier, form: str, batch: int) -> float:
    """Return spectra per second of the classifier fed from memory, in batches of the service's size, as it does."""
    items = _items(bench, form, 4 * batch)
    batches = [items[start : start + batch] for start in range(0, len(items), batch)]
    rounds = 3
    with ThreadPoolExecutor(classifier.workers()) as pool:
        list(pool.map(classifier.classify, batches))
        began = time.perf_counter()
        list(pool.map(classifier.classify, batches * rounds))
        return rounds * len(items) / (time.perf_counter() - began)


def _items(bench: Bench, form: str, n: int) -> Sequence[Spectrum]:
    decoder = MessageDecoder(bench.codec)
    source = TopicPartition("memory", 0)
    items = []
    for offset, (key, value) in enumerate(spectra_messages(bench.codec, form, n)):
        decoded = decoder.decode(Message(source, offset, 0, key, value, (), 0))
        if isinstance(decoded, Accepted) and isinstance(decoded.item, Spectrum):
            items.append(decoded.item)
    return items
