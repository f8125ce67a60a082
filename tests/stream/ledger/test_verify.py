"""The ledger's proof on topics in memory: it holds for what the service does, and finds each kind of damage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schemas.codec import Codec
from stream.ledger.verify import ReaderStalled, Verification, verify_ledger
from stream.service import serve
from stream.settings import Settings
from stream.transports.contract import Message, Output, TopicPartition

L1 = "specstream.l1.spectrum"


class ListReader:
    """Reads messages of a list."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages
        self.position = 0

    def read(self, max_records: int, timeout_s: float) -> list[Message]:  # noqa: ARG002 - the protocol's
        batch = self.messages[self.position : self.position + min(max_records, 7)]
        self.position += len(batch)
        return batch

    def at_end(self) -> bool:
        return self.position >= len(self.messages)

    def close(self) -> None:
        self.messages = []


Verify = Callable[[list[Output]], Verification]


@pytest.fixture
def night(memory_transport: Any, null_engines: Any, telemetry: Any, codec: Codec, spectrum_value: Any) -> Any:
    """Run the service over two partitions with gaps and dead letters."""
    transport = memory_transport()
    transport.append(L1, 0, [b"bad" if i % 10 == 0 else spectrum_value(i) for i in range(60)], gap=3)
    transport.append(L1, 1, [spectrum_value(i) for i in range(40)])
    settings = Settings(batching={"max_records": 16, "commit_max_records": 20, "max_age_ms": 1, "commit_max_age_ms": 1})
    serve(settings, transport, {"spectrum": null_engines()}, telemetry, codec=codec, until_idle_s=0.05)
    return transport


@pytest.fixture
def verify(night: Any, codec: Codec) -> Verify:
    def verify(outputs: list[Output]) -> Verification:
        def open_reader(topic: str) -> ListReader:
            if topic == L1:
                logs = [message for log in night.partitions.values() for message in log]
                return ListReader(logs)
            return ListReader(
                [
                    Message(TopicPartition(topic, 0), offset, 0, o.key, o.value, o.headers, 0)
                    for offset, o in enumerate(o for o in outputs if o.topic == topic)
                ]
            )

        return verify_ledger(Settings().topics, "specstream", open_reader, codec)

    return verify


def test_the_services_topics_agree(night: Any, verify: Verify) -> None:
    """What the service wrote is proved, with the numbers of each partition."""
    result = verify(night.outputs)
    assert result.holds, str(result.difference)
    first, second = result.partitions
    assert (first.records_in, first.records_out, first.records_dead, first.beyond) == (60, 54, 6, 0)
    assert (second.records_in, second.records_out, second.records_dead) == (40, 40, 0)
    assert first.last_accounted == 177


def test_inputs_beyond_the_ledger_are_counted_not_missed(night: Any, verify: Verify, spectrum_value: Any) -> None:
    """What arrived after the last commit is not a difference."""
    night.append(L1, 1, [spectrum_value(1)] * 5)
    result = verify(night.outputs)
    assert result.holds
    assert result.partitions[1].beyond == 5


def test_inputs_that_retention_removed_are_not_missed(night: Any, verify: Verify) -> None:
    """Outputs of messages that the input topic no longer has are counted apart."""
    source = TopicPartition(L1, 0)
    night.partitions[source] = night.partitions[source][30:]
    result = verify(night.outputs)
    assert result.holds, str(result.difference)
    assert (result.partitions[0].records_in, result.partitions[0].forgotten) == (30, 30)


@pytest.mark.parametrize("topic", ["specstream.l2.classification", "specstream.dead_letter"])
def test_a_lost_output_is_found(night: Any, verify: Verify, codec: Codec, topic: str) -> None:
    """The difference names the input whose output is missing."""
    lost = [o for o in night.outputs if o.topic == topic][3]
    source = codec.decode(lost.value).record["source"]
    result = verify([o for o in night.outputs if o is not lost])
    assert result.difference is not None
    assert (result.difference.source.partition, result.difference.offset) == (source["partition"], source["offset"])
    assert result.difference.received == "none"


@pytest.mark.parametrize("topic", ["specstream.l2.classification", "specstream.dead_letter"])
def test_a_doubled_output_is_found(night: Any, verify: Verify, topic: str) -> None:
    """Two outputs for one input are a difference."""
    doubled = [o for o in night.outputs if o.topic == topic][2]
    result = verify([*night.outputs, doubled])
    assert result.difference is not None
    assert "two" in result.difference.received


def test_an_output_of_both_kinds_is_found(night: Any, verify: Verify, codec: Codec) -> None:
    """An input may not be classified and dead-lettered."""
    dead = next(o for o in night.outputs if o.topic == "specstream.dead_letter")
    l2 = next(o for o in night.outputs if o.topic == "specstream.l2.classification")
    record = codec.decode(l2.value).record
    record["source"] = {k: codec.decode(dead.value).record["source"][k] for k in ("topic", "partition", "offset")}
    result = verify([*night.outputs, l2._replace(value=codec.encode("l2_classification", record))])
    assert result.difference is not None
    assert result.difference.received == "both"


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("records_out", lambda value: value + 1),
        ("records_in", lambda value: value - 1),
        ("offsets_digest", lambda _: "0" * 64),
        ("first_offset", lambda value: value + 3),
        ("rejected", lambda _: {"UNDECODABLE": 99}),
    ],
)
def test_a_changed_ledger_entry_is_found(
    night: Any, verify: Verify, codec: Codec, field: str, change: Callable[[Any], Any]
) -> None:
    """Counts, ranges and digests of the ledger are compared with the topics."""
    entry = [o for o in night.outputs if o.topic == "specstream.ledger"][1]
    record = codec.decode(entry.value).record
    changed = entry._replace(value=codec.encode("ledger", {**record, field: change(record[field])}))
    result = verify([changed if o is entry else o for o in night.outputs])
    assert not result.holds


def test_a_missing_ledger_entry_is_found(night: Any, verify: Verify) -> None:
    """Outputs that no entry accounts for are a difference, wherever the entry was."""
    entries = [o for o in night.outputs if o.topic == "specstream.ledger"]
    for entry in (entries[0], entries[-1]):
        result = verify([o for o in night.outputs if o is not entry])
        assert not result.holds


def test_outputs_that_do_not_say_their_group_count(night: Any, verify: Verify) -> None:
    """Topics written before the group stood in a header are proved; one such output may be missed or doubled."""
    older = [o._replace(headers=tuple(h for h in o.headers if h[0] != "group")) for o in night.outputs]
    assert older != night.outputs
    result = verify(older)
    assert result.holds, str(result.difference)
    assert result.partitions[0].records_out == 54
    lost = next(o for o in older if o.topic == "specstream.l2.classification")
    assert not verify([o for o in older if o is not lost]).holds
    assert not verify([*night.outputs, lost]).holds


def test_outputs_of_another_group_are_left_out(night: Any, verify: Verify) -> None:
    """What another group wrote to the topics, of whatever inputs, is not a difference."""
    others = [o._replace(headers=(("group", b"other"),)) for o in night.outputs if o.topic != "specstream.ledger"]
    foreign = Output("specstream.l2.classification", None, b"foreign", (("group", b"other"),))
    result = verify([*night.outputs, *others, foreign])
    assert result.holds, str(result.difference)


def test_foreign_bytes_in_an_output_topic_are_found(night: Any, verify: Verify) -> None:
    """An output topic that holds something else is a difference."""
    result = verify([*night.outputs, Output("specstream.l2.classification", None, b"foreign")])
    assert result.difference is not None
    assert result.difference.what == "output message"


def test_a_reader_that_never_ends_is_given_up(codec: Codec) -> None:
    """A broker that does not answer is an error, not a proof."""

    class Silent(ListReader):
        def at_end(self) -> bool:
            return False

    with pytest.raises(ReaderStalled):
        verify_ledger(Settings().topics, "specstream", lambda _: Silent([]), codec)
