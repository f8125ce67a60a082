"""What the service waits for, in bounded memory and without loss: a broker, a partition, a commit, a registry."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from schemas.codec import Codec
from schemas.errors import RegistryUnavailable
from schemas.wire import confluent_header
from stream.errors import Retryable
from stream.transports.contract import TopicPartition

L1 = "specstream.l1.spectrum"


def test_a_broker_that_is_away_is_waited_for(
    run: Any, memory_transport: Any, spectrum_value: Any, telemetry: Any, assert_each_once: Any
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
    assert_each_once(transport)
    assert (False, "input: broker away") in telemetry.readiness
    assert (False, "commit: broker away") in telemetry.readiness


def test_a_partition_that_moves_and_returns_is_neither_lost_nor_doubled(
    run: Any, memory_transport: Any, spectrum_value: Any, assert_each_once: Any, settings: Any
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
    assert_each_once(transport)


def test_memory_stays_bounded_behind_a_stalled_commit(
    run: Any, memory_transport: Any, spectrum_value: Any, telemetry: Any, monkeypatch: pytest.MonkeyPatch, settings: Any
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
    run: Any, memory_transport: Any, telemetry: Any, codec: Codec, spectrum_value: Any, spectrum_record: Any
) -> None:
    """With --until-idle too: it says what it waits for, fetches nothing more, and classifies once it is back."""
    transport = memory_transport()
    transport.append(L1, 0, [spectrum_value(0), *(confluent(codec, spectrum_record, n) for n in range(1, 9))])
    source = AwayRegistry({77: codec.catalogue.text("l1_spectrum")})
    asking = Codec(codec.catalogue.with_registry(source))
    thread, done = in_background(lambda: run(transport, codec=asking, until_idle_s=0.01))
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
    run: Any, settings: Any, memory_transport: Any, codec: Codec, spectrum_value: Any, spectrum_record: Any
) -> None:
    """What was decoded is committed; what was not comes again."""
    transport = memory_transport()
    transport.append(L1, 0, [spectrum_value(0), confluent(codec, spectrum_record, 1), spectrum_value(2)])
    source = AwayRegistry({77: codec.catalogue.text("l1_spectrum")})
    asking = Codec(codec.catalogue.with_registry(source))
    stop = threading.Event()
    thread, done = in_background(
        lambda: run(transport, config=settings(drain_timeout_s=600), codec=asking, stop=stop, until_idle_s=None)
    )
    assert source.asked_often.wait(30)
    stop.set()
    thread.join(30)
    assert (done[0].records_in, done[0].records_out, done[0].drained) == (1, 1, True)
    assert transport.committed == {TopicPartition(L1, 0): 1}
