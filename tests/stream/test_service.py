"""The whole service on an in-memory transport that keeps the contract, with deterministic engines."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from classifiers.classifier import EngineUse, Verdicts
from schemas.codec import Codec
from schemas.errors import RegistryUnavailable
from schemas.wire import confluent_header
from stream.errors import ConfigurationError, Fatal, Retryable
from stream.service import ServiceReport, serve
from stream.settings import Settings
from stream.transports.contract import TopicPartition

L1 = "specstream.l1.spectrum"
L2 = "specstream.l2.classification"
DEAD = "specstream.dead_letter"
LEDGER = "specstream.ledger"


def settings(**batching: Any) -> Settings:
    return Settings(batching={"max_age_ms": 5, "commit_max_age_ms": 10, **batching}, topics={"image_alert": ["alerts"]})


def l2_values(transport: Any) -> dict[str, bytes]:
    """Return the value of each L2 record by l2_id, each of which must be there once."""
    pairs = [(dict(o.headers)["l2_id"].decode(), o.value) for o in transport.outputs if o.topic == L2]
    assert len({l2_id for l2_id, _ in pairs}) == len(pairs)
    return dict(pairs)


def source_offsets(transport: Any, codec: Codec) -> Counter[tuple[str, int, int]]:
    """Count L2 records and dead letters by the input that they stand for."""
    counts: Counter[tuple[str, int, int]] = Counter()
    for output in transport.outputs:
        if output.topic in (L2, DEAD):
            source = codec.decode(output.value).record["source"]
            counts[source["topic"], source["partition"], source["offset"]] += 1
    return counts


def inputs(transport: Any) -> Counter[tuple[str, int, int]]:
    return Counter(
        (source.topic, source.partition, message.offset)
        for source, messages in transport.partitions.items()
        for message in messages
    )


@pytest.fixture
def run(codec: Codec, null_engines: Any, telemetry: Any) -> Callable[..., ServiceReport]:
    def run(transport: Any, *, engines: Any = None, config: Settings | None = None, **options: Any) -> ServiceReport:
        options.setdefault("until_idle_s", 0.05)
        return serve(
            config or settings(), transport, {"spectrum": engines or null_engines()}, telemetry, codec=codec, **options
        )

    return run


def test_every_input_becomes_one_l2_record_or_one_dead_letter(
    run: Any, memory_transport: Any, spectrum_value: Any, codec: Codec, telemetry: Any
) -> None:
    """Good spectra are classified, foreign bytes are dead-lettered, and the ledger says the same."""
    transport = memory_transport()
    good = [spectrum_value(i) for i in range(100)]
    transport.append(L1, 0, good[:60], gap=2)
    transport.append(L1, 1, [*good[60:], b"", None, b"foreign bytes", good[0][:50]])
    report = run(transport)
    assert (report.records_in, report.records_out, report.records_dead, report.drained) == (104, 100, 4, True)
    assert source_offsets(transport, codec) == inputs(transport)
    entries = [codec.decode(o.value).record for o in transport.outputs if o.topic == LEDGER]
    assert sum(e["records_in"] for e in entries) == 104
    assert sum(e["records_out"] for e in entries) == 100
    assert Counter({"EMPTY_MESSAGE": 2}) <= sum((Counter(e["rejected"]) for e in entries), Counter())
    assert transport.committed == {TopicPartition(L1, 0): 119, TopicPartition(L1, 1): 44}
    assert telemetry.counts["in", "SDSS", "spectrum"] == telemetry.counts["out", "SDSS", "spectrum"] == 100
    assert sum(n for key, n in telemetry.counts.items() if key[0] == "dead") == 4
    assert set(telemetry.imbalances) == {0}
    assert (True, "assigned, engines loaded, commits flow") in telemetry.readiness
    assert telemetry.readiness[-1] == (False, "stopped")
    assert len(telemetry.latencies) == 104
    assert telemetry.engines["null", "none", "fp32"] > 0


def test_engines_computed_in_one_call_are_timed_as_one(
    run: Any, memory_transport: Any, spectrum_value: Any, null_engines: Any, telemetry: Any
) -> None:
    """No share of a joint call is invented for one of its engines."""

    class Joined(null_engines):  # type: ignore[misc]
        def engines(self) -> tuple[EngineUse, ...]:
            (null,) = super().engines()
            return null, replace(null, name="other")

        def classify(self, items: Any) -> Verdicts:
            return replace(super().classify(items), stage_seconds={"preprocess": 0.001, "null+other": 0.002})

    transport = memory_transport()
    transport.append(L1, 0, [spectrum_value(0)])
    run(transport, engines=Joined())
    assert set(telemetry.engines) == {("null+other", "none", "fp32")}
    assert {"preprocess", "records"} <= set(telemetry.stages)


def test_l2_records_carry_what_was_decoded_and_classified(
    run: Any, memory_transport: Any, spectrum_value: Any, codec: Codec
) -> None:
    """Identity, coordinates, verdict and headers arrive; the value holds no clock."""
    transport = memory_transport()
    transport.append(L1, 3, [spectrum_value(5)])
    run(transport)
    (output,) = [o for o in transport.outputs if o.topic == L2]
    record = codec.decode(output.value).record
    assert output.key == b"object-5"
    assert (record["source"]["topic"], record["source"]["partition"], record["source"]["offset"]) == (L1, 3, 0)
    assert record["l1_id"] == "spec-5"
    assert list(record["class_probabilities"]) == ["GALAXY", "QSO", "STAR"]
    assert sum(record["class_probabilities"].values()) == pytest.approx(1)
    assert record["redshift_alternatives"] == [{"class_name": "QSO", "redshift": 0.0, "probability": 0.25}]
    headers = dict(output.headers)
    assert headers["l2_id"].decode() == record["l2_id"]
    assert set(headers) == {"l2_id", "lane", "l1_append_ms", "classified_ms", "published_ms"}


def test_replay_gives_the_same_bytes_whatever_the_batches(run: Any, memory_transport: Any, spectrum_value: Any) -> None:
    """Batch size and age change nothing in any L2 value."""
    values = [spectrum_value(i) for i in range(60)]
    results = []
    for max_records in (1, 7, 64):
        transport = memory_transport()
        transport.append(L1, 0, values)
        run(transport, config=settings(max_records=max_records, commit_max_records=max_records * 2))
        results.append(l2_values(transport))
    assert len(results[0]) == 60
    assert results[0] == results[1] == results[2]


def test_outputs_of_a_partition_leave_in_offset_order(
    run: Any, memory_transport: Any, spectrum_value: Any, codec: Codec
) -> None:
    """Dead letters and L2 records of one partition stand in the order of their inputs."""
    transport = memory_transport()
    transport.append(L1, 0, [b"bad" if i % 3 == 0 else spectrum_value(i) for i in range(50)])
    run(transport)
    offsets = [codec.decode(o.value).record["source"]["offset"] for o in transport.outputs if o.topic in (L2, DEAD)]
    assert offsets == list(range(50))


def test_a_broker_that_is_away_is_waited_for(
    run: Any, memory_transport: Any, spectrum_value: Any, codec: Codec, telemetry: Any
) -> None:
    """Failing polls and commits make the service not ready, and lose and double nothing."""
    failures = {"poll": 2, "commit": 2}

    def fail(kind: str) -> Callable[[Any], None]:
        def hook(transport: Any) -> None:
            if failures[kind]:
                failures[kind] -= 1
                raise Retryable("broker away")

        return hook

    transport = memory_transport(before_poll=fail("poll"), before_commit=fail("commit"))
    transport.append(L1, 0, [spectrum_value(i) for i in range(20)])
    assert run(transport).records_out == 20
    assert source_offsets(transport, codec) == inputs(transport)
    assert (False, "input: broker away") in telemetry.readiness
    assert (False, "commit: broker away") in telemetry.readiness


def test_a_partition_that_moves_and_returns_is_neither_lost_nor_doubled(
    run: Any, memory_transport: Any, spectrum_value: Any, codec: Codec
) -> None:
    """Work of an old epoch is dropped, and what comes again under the new one is committed once."""
    source = TopicPartition(L1, 0)
    moves = iter([True, False, True, True, False])

    def move(transport: Any) -> None:
        if next(moves, False):
            transport.revoke(source)
            transport.assign(source)

    transport = memory_transport(before_commit=move)
    transport.append(L1, 0, [spectrum_value(i) for i in range(200)])
    transport.append(L1, 1, [spectrum_value(i) for i in range(100)])
    run(transport, config=settings(max_records=16, commit_max_records=32), until_idle_s=0.2)
    assert source_offsets(transport, codec) == inputs(transport)


def test_stop_drains_commits_and_returns(run: Any, memory_transport: Any, spectrum_value: Any, codec: Codec) -> None:
    """After stop, what was read is committed, and nothing more is read."""
    stop = threading.Event()
    transport = memory_transport(before_poll=lambda transport: stop.set() if transport.polls == 3 else None)
    transport.append(L1, 0, [spectrum_value(i) for i in range(2000)])
    report = run(transport, stop=stop, until_idle_s=None)
    assert report.drained
    assert 0 < report.records_out < 2000
    assert transport.committed[TopicPartition(L1, 0)] == report.records_out


def test_a_drain_that_cannot_finish_is_given_up_in_time(run: Any, memory_transport: Any, spectrum_value: Any) -> None:
    """With the broker gone, stop returns within the drain's bound and says that not all is committed."""

    def away(transport: Any) -> None:
        stop.set()
        raise Retryable("broker away")

    stop = threading.Event()
    transport = memory_transport(before_commit=away)
    transport.append(L1, 0, [spectrum_value(0)])
    started = time.monotonic()
    report = run(transport, stop=stop, until_idle_s=None, config=settings(drain_timeout_s=0.3))
    assert not report.drained
    assert time.monotonic() - started < 5
    assert transport.outputs == []


def test_fatal_errors_end_the_service_without_a_commit(run: Any, memory_transport: Any, spectrum_value: Any) -> None:
    """A fenced commit is raised to the caller."""

    def fenced(transport: Any) -> None:
        raise Fatal("fenced by another process")

    transport = memory_transport(before_commit=fenced)
    transport.append(L1, 0, [spectrum_value(0)])
    with pytest.raises(Fatal, match="fenced"):
        run(transport)
    assert transport.outputs == []


def test_a_missing_topic_is_a_configuration_error(run: Any, memory_transport: Any) -> None:
    """What poll says of the configuration reaches the caller as it is."""

    def missing(transport: Any) -> None:
        raise ConfigurationError("topics.l1_spectrum: topic does not exist")

    with pytest.raises(ConfigurationError, match="does not exist"):
        run(memory_transport(before_poll=missing))


def test_an_unforeseen_error_of_the_engines_is_fatal(
    run: Any, memory_transport: Any, spectrum_value: Any, null_engines: Any
) -> None:
    """An error that is no data error stops the service and names thread and cause."""
    transport = memory_transport()
    transport.append(L1, 0, [spectrum_value(0)])
    with pytest.raises(Fatal, match=r"compute thread.*KeyError") as raised:
        run(transport, engines=null_engines(lambda _: KeyError("missing output")))
    assert isinstance(raised.value.__cause__, KeyError)
    assert transport.outputs == []


def test_an_item_on_which_the_engines_fail_becomes_a_dead_letter(
    run: Any, memory_transport: Any, spectrum_value: Any, null_engines: Any, codec: Codec
) -> None:
    """One poison item costs itself alone; its batch mates are classified to the same bytes as without it."""
    values = [spectrum_value(i) for i in range(40)]
    values[17] = spectrum_value(17, resolving_power=1234.0)
    poison = null_engines(lambda item: ValueError("cannot rebin") if item.resolving_power == 1234.0 else None)
    transport = memory_transport()
    transport.append(L1, 0, values)
    report = run(transport, engines=poison, config=settings(max_records=40, max_age_ms=1000))
    assert (report.records_out, report.records_dead) == (39, 1)
    (dead,) = [codec.decode(o.value).record for o in transport.outputs if o.topic == DEAD]
    assert (dead["source"]["offset"], dead["reason"]) == (17, "INVALID_VALUE")
    assert "cannot rebin" in dead["message"]
    assert dead["original_value"] == values[17]


def test_engines_that_fail_on_everything_stop_the_service(
    run: Any, memory_transport: Any, spectrum_value: Any, null_engines: Any
) -> None:
    """Broken engines do not turn a night into dead letters."""
    transport = memory_transport()
    transport.append(L1, 0, [spectrum_value(i) for i in range(100)])
    with pytest.raises(Fatal, match="in a row"):
        run(transport, engines=null_engines(lambda _: ValueError("no")), config=settings(max_records=100))


def test_records_of_a_lane_without_engines_are_dead_letters(
    run: Any, memory_transport: Any, codec: Codec, data_dir: Any
) -> None:
    """An image alert that nobody can classify is kept, with the reason."""
    alert = next((data_dir / "alerts" / "ztf_ocf").glob("*.avro")).read_bytes()
    transport = memory_transport()
    transport.append("alerts", 0, [alert])
    assert run(transport).records_dead == 1
    (dead,) = [codec.decode(o.value).record for o in transport.outputs if o.topic == DEAD]
    assert dead["reason"] == "UNSUPPORTED"
    assert dead["original_value"] == alert


def test_memory_stays_bounded_behind_a_stalled_commit(
    run: Any, memory_transport: Any, spectrum_value: Any, telemetry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a commit hangs, reading stops at the limit; a pausable transport is paused, and resumed afterwards."""
    monkeypatch.setattr("stream.serving.intake.STALL_S", 0.05)
    paused = threading.Event()
    polled: list[int] = []

    def hang(transport: Any) -> None:
        if not paused.is_set():
            deadline = time.monotonic() + 10
            while not transport.pauses and time.monotonic() < deadline:
                paused.wait(0.01)
            polled.append(sum(transport.position.values()))
            paused.set()

    transport = memory_transport(before_commit=hang)
    transport.append(L1, 0, [spectrum_value(i) for i in range(600)])
    report = run(transport, config=settings(in_flight_max_records=64, max_records=16))
    assert report.records_out == 600
    assert polled[0] <= 64
    assert transport.pauses >= 1
    assert not transport.paused
    assert telemetry.counts["backpressure", "stall"] >= 1
    assert telemetry.counts["backpressure", "pause"] >= 1


def test_idle_waits_for_an_assignment(run: Any, memory_transport: Any, spectrum_value: Any) -> None:
    """`until_idle_s` does not count time before the assignment."""

    def assign_late(transport: Any) -> None:
        transport.is_assigned = transport.polls > 40

    transport = memory_transport(before_poll=assign_late)
    transport.is_assigned = False
    run(transport, until_idle_s=0.01)
    assert transport.polls > 40


class AwayRegistry:
    """Schemas by id that cannot be asked for until ``back`` is set."""

    def __init__(self, texts: dict[int, str]) -> None:
        self.texts = texts
        self.asked = 0
        self.asked_often = threading.Event()
        self.back = threading.Event()

    def schema_by_id(self, schema_id: int) -> str | None:
        self.asked += 1
        if self.asked >= 3:
            self.asked_often.set()
        if not self.back.is_set():
            raise RegistryUnavailable("nobody answers", url="http://registry")
        return self.texts.get(schema_id)

    def schema_by_fingerprint(self, fingerprint: int) -> str | None:
        del fingerprint
        return None


def confluent(codec: Codec, spectrum_record: Any, number: int) -> bytes:
    return confluent_header(77) + codec.encode_datum("l1_spectrum", spectrum_record(number))


def in_background(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(call()))
    thread.start()
    return thread, done


def test_a_registry_that_is_away_is_not_idleness_and_the_records_wait(
    memory_transport: Any, null_engines: Any, telemetry: Any, codec: Codec, spectrum_value: Any, spectrum_record: Any
) -> None:
    """With --until-idle too: it says what it waits for, fetches nothing more, and classifies once it is back."""
    transport = memory_transport()
    transport.append(L1, 0, [spectrum_value(0), *(confluent(codec, spectrum_record, n) for n in range(1, 9))])
    source = AwayRegistry({77: codec.catalogue.text("l1_spectrum")})
    asking = Codec(codec.catalogue.with_registry(source))
    thread, done = in_background(
        lambda: serve(settings(), transport, {"spectrum": null_engines()}, telemetry, codec=asking, until_idle_s=0.01)
    )
    assert source.asked_often.wait(30)
    assert not done
    assert transport.paused
    assert telemetry.readiness[-1] == (False, "schema registry: nobody answers")
    source.back.set()
    thread.join(30)
    assert (done[0].records_in, done[0].records_out, done[0].records_dead) == (9, 9, 0)
    assert not transport.paused
    assert any(ready for ready, _ in telemetry.readiness)


def test_a_service_that_waits_for_the_registry_is_stopped_at_once(
    memory_transport: Any, null_engines: Any, telemetry: Any, codec: Codec, spectrum_value: Any, spectrum_record: Any
) -> None:
    """What was decoded is committed; what was not comes again."""
    transport = memory_transport()
    transport.append(L1, 0, [spectrum_value(0), confluent(codec, spectrum_record, 1), spectrum_value(2)])
    source = AwayRegistry({77: codec.catalogue.text("l1_spectrum")})
    stop = threading.Event()
    thread, done = in_background(
        lambda: serve(
            settings(drain_timeout_s=600), transport, {"spectrum": null_engines()}, telemetry,
            codec=Codec(codec.catalogue.with_registry(source)), stop=stop,
        )
    )  # fmt: skip
    assert source.asked_often.wait(30)
    stop.set()
    thread.join(30)
    assert (done[0].records_in, done[0].records_out, done[0].drained) == (1, 1, True)
    assert transport.committed == {TopicPartition(L1, 0): 1}
