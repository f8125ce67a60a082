"""What goes in comes out: once, in order, with its identity, and to the byte the same on replay."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from schemas.codec import Codec
from stream.transports.contract import TopicPartition

L1 = "specstream.l1.spectrum"
L2 = "specstream.l2.classification"
DEAD = "specstream.dead_letter"
LEDGER = "specstream.ledger"


def test_every_input_becomes_one_l2_record_or_one_dead_letter(
    run: Any, memory_transport: Any, spectrum_value: Any, codec: Codec, telemetry: Any, assert_each_once: Any
) -> None:
    """Good spectra are classified, foreign bytes are dead-lettered, and the ledger says the same."""
    transport = memory_transport()
    good = [spectrum_value(i) for i in range(100)]
    transport.append(L1, 0, good[:60], gap=2)
    transport.append(L1, 1, [*good[60:], b"", None, b"foreign bytes", good[0][:50]])
    report = run(transport)
    assert (report.records_in, report.records_out, report.records_dead, report.drained) == (104, 100, 4, True)
    assert_each_once(transport)
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
    assert set(headers) == {"l2_id", "lane", "l1_append_ms", "classified_ms", "published_ms", "group"}
    assert headers["group"] == b"specstream"


def test_replay_gives_the_same_bytes_whatever_the_batches(
    run: Any, memory_transport: Any, spectrum_value: Any, settings: Any, l2_values: Any
) -> None:
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
