"""The service: wires transport, decoder, pipeline, classifiers and telemetry; runs until stopped, idle or failed.

Threads share the pipeline: intake (poll and decode), compute (preparation, engines and records; as many as keep the
engines busy) and commit. So polling never waits for an engine, an engine waits neither for preparation nor for records,
and engines work on the next batches while the commit before them is on its way. The caller's
thread watches: it starts a drain when ``stop`` is set, ends an idle service, and raises what ended a failed one.
"""

from __future__ import annotations

import gc
import importlib.metadata
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from classifiers.classifier import Classifier
from schemas.codec import Codec
from stream.batching import BatchPolicy
from stream.decode.message import MessageDecoder
from stream.decoded import Lane
from stream.errors import ConfigurationError, Fatal, StreamError
from stream.ledger.entry import LedgerWriter
from stream.pipeline import Pipeline
from stream.records.dead import DeadLetterWriter
from stream.records.l2 import L2Writer
from stream.sections import BatchingSettings
from stream.serving.clock import Clock
from stream.serving.committer import Committer
from stream.serving.compute import Compute
from stream.serving.intake import Intake
from stream.serving.shared import Shared
from stream.settings import Settings
from stream.telemetry import Telemetry
from stream.transports.contract import Transport
from stream.work import Limits

WATCH_PERIOD_S = 0.05
JOIN_TIMEOUT_S = 10.0
GPU_RUNTIMES = frozenset({"tensorrt", "tensorrt_rtx", "torch", "onnxruntime_cuda"})
YOUNG_OBJECTS = 50_000
"""Objects made before the collector of cycles looks at them. A record in flight is ten, none of them in a cycle; by the
default they are looked at every 70 records, at 5 us a record."""


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """What a service did: committed records, whether everything that it read was committed, and for how long it ran."""

    records_in: int
    records_out: int
    records_dead: int
    drained: bool
    seconds: float


def serve(
    settings: Settings,
    transport: Transport,
    classifiers: Mapping[Lane, Classifier],
    telemetry: Telemetry,
    *,
    codec: Codec,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    until_idle_s: float | None = None,
) -> ServiceReport:
    """Classify until stopped or idle; the transport is not closed.

    Args:
        settings: the configuration; topics, group and batching are used.
        transport: input subscription with atomic output.
        classifiers: the engines by lane; records of a lane without any become dead letters (UNSUPPORTED).
        telemetry: receives events.
        codec: decodes inputs, encodes outputs.
        clock: time; None for the system's.
        stop: set by a signal handler to drain, commit and return.
        until_idle_s: return once input was at its end with nothing uncommitted for that long; None to run on.

    Raises:
        Fatal: nothing after the last commit was committed.
        ConfigurationError: a topic is missing or not authorised.
    """
    if not classifiers:
        raise ConfigurationError("engines.bundles: expected engines for at least one lane, received none")
    clock = clock or Clock()
    stop = stop or threading.Event()
    version = importlib.metadata.version("specstream")
    topics = settings.topics
    dead_letters = DeadLetterWriter(topic=topics.dead_letter, program_version=version, encode=codec.encode)
    ledger = LedgerWriter(topic=topics.ledger, group=settings.group, program_version=version, encode=codec.encode)
    limits = limits_of(settings.batching, on_gpu=computes_on_gpu(settings, classifiers))
    pipeline = Pipeline(limits, group=settings.group, dead_letter=dead_letters.finish, ledger_output=ledger.output)
    shared = Shared(pipeline, telemetry, clock)
    writers = {
        lane: L2Writer(classifier.engines(), topic=topics.l2, codec=codec) for lane, classifier in classifiers.items()
    }
    decoder = MessageDecoder(codec, image_topics=topics.image_alert)
    compute = Compute(shared, classifiers, writers, dead_letters)
    computing = max(classifier.workers() for classifier in classifiers.values())
    workers = [
        ("intake", Intake(shared, transport, decoder, classifiers.keys()).run),
        *[("compute", compute.run)] * computing,
        ("commit", Committer(shared, transport).run),
    ]
    started = clock.monotonic()
    thresholds = gc.get_threshold()
    gc.freeze()  # what is loaded by now stays: no collection during the night need walk over it again
    gc.set_threshold(YOUNG_OBJECTS, *thresholds[1:])
    threads = [_start(shared, name, run) for name, run in workers]
    try:
        drained = _watch(shared, stop, until_idle_s, settings.batching.drain_timeout_s)
    finally:
        shared.end()
        for thread in threads:
            thread.join(JOIN_TIMEOUT_S)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        telemetry.ready(False, "stopped")  # noqa: FBT003 - the protocol's order
    if shared.failure is not None:
        raise shared.failure
    balance = pipeline.balance
    return ServiceReport(
        balance.records_in, balance.records_out, balance.records_dead, drained, clock.monotonic() - started
    )


def limits_of(batching: BatchingSettings, *, on_gpu: bool = False) -> Limits:
    """Return the pipeline's limits of the settings, for engines on a GPU or on the processor."""
    return Limits(
        batch=BatchPolicy(batching.engine_batch(on_gpu=on_gpu), batching.max_bytes, batching.max_age_ms / 1000.0),
        commit=BatchPolicy(batching.commit_max_records, batching.commit_max_bytes, batching.commit_max_age_ms / 1000.0),
        max_records=batching.in_flight_max_records,
        max_bytes=batching.in_flight_max_bytes,
    )


def computes_on_gpu(settings: Settings, classifiers: Mapping[Lane, Classifier]) -> bool:
    """Return whether engines compute on a GPU: torch alone can be asked for on the processor."""
    runtimes = {engine.runtime for classifier in classifiers.values() for engine in classifier.engines()}
    return settings.engines.device != "cpu" and bool(runtimes & GPU_RUNTIMES)


def _watch(shared: Shared, stop: threading.Event, until_idle_s: float | None, drain_timeout_s: float) -> bool:
    """Return when the service is to end: True when everything that was read is committed."""
    drain_until: float | None = None
    while not shared.ended:
        now = shared.clock.monotonic()
        if drain_until is None and stop.is_set():
            drain_until = now + drain_timeout_s
            shared.drain()
            shared.report_ready()
        if shared.drained():
            return True
        if drain_until is not None and now >= drain_until:
            return False
        idle_since = shared.idle_since
        idle_s = 0.0 if idle_since is None else now - idle_since
        if drain_until is None and until_idle_s is not None and idle_since is not None and idle_s >= until_idle_s:
            return True
        if drain_until is None:
            stop.wait(WATCH_PERIOD_S)
        else:
            with shared.condition:
                shared.wait(drain_until)
    return False


def _start(shared: Shared, name: str, run: Callable[[], None]) -> threading.Thread:
    def guarded() -> None:
        try:
            run()
        except StreamError as error:
            shared.fail(error)
        except Exception as error:  # noqa: BLE001 - the service's boundary: whatever it is, stop before anything is lost
            failure = Fatal(f"{name} thread: expected to run on, received {type(error).__name__}: {error}")
            failure.__cause__ = error
            shared.fail(failure)

    thread = threading.Thread(target=guarded, name=f"specstream-{name}", daemon=True)
    thread.start()
    return thread
