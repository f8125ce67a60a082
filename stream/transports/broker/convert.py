"""Between librdkafka's terms and ours. ``take`` is on the hot path: one loop and no call that can be spared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import OFFSET_INVALID, KafkaError
from confluent_kafka import TopicPartition as Position

from stream.transports.broker.ownership import OwnedPartition
from stream.transports.contract import Message, TopicPartition

PARTITION_EOF = KafkaError._PARTITION_EOF


def position_of(source: TopicPartition, offset: int = OFFSET_INVALID) -> Position:
    """Return a partition, and an offset in it, as librdkafka takes them."""
    return Position(source.topic, source.partition, offset)


def take(
    batch: Sequence[Any], partitions: Mapping[tuple[str, int], OwnedPartition], messages: list[Message]
) -> tuple[int, list[KafkaError]]:
    """Append the messages of owned partitions, update what was polled, and collect errors.

    A message of a partition that is not owned was fetched before a revocation: it is left to the next owner.

    Args:
        batch: What ``consume`` returned: messages, partition ends and errors.
        partitions: Owned partitions by topic and partition; updated.
        messages: Appended to.

    Returns:
        The bytes of the values taken, and the errors other than partition ends.
    """
    size, errors = 0, []
    append = messages.append
    for raw in batch:
        error = raw.error()
        partition = partitions.get((raw.topic(), raw.partition()))
        if error is not None:
            if error.code() != PARTITION_EOF:
                errors.append(error)
            elif partition is not None:
                partition.seen_end = raw.offset()
            continue
        if partition is None:
            continue
        offset, value, headers = raw.offset(), raw.value(), raw.headers()
        partition.last_offset = offset
        if partition.committed < 0:
            partition.committed = offset
        partition.seen_end = -1
        if value is not None:
            size += len(value)
        append(
            Message(
                partition.source,
                offset,
                partition.epoch,
                raw.key(),
                value,
                tuple(headers) if headers else (),
                raw.timestamp()[1],
            )
        )
    return size, errors
