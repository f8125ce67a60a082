"""What ``commit.json`` says: the segments of one commit, and where every partition and group stands after it.

The state is cumulative, so that opening a folder reads its last commit only, however many there are. Each segment names
the commit before it that touched its partition, so that one topic can be walked backwards without the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stream.errors import Fatal
from stream.transports.contract import TopicPartition

_FROZEN = ConfigDict(frozen=True, extra="forbid", strict=True)


class SegmentEntry(BaseModel):
    """One segment: the messages that a commit appended to one partition."""

    model_config = _FROZEN

    file: str = Field(pattern=r"^[A-Za-z0-9._-]+\.avro$", description="File name within the commit's directory.")
    topic: str
    partition: int = Field(ge=0)
    base_offset: int = Field(ge=0, description="Added to the offsets stored in the segment.")
    next_offset: int = Field(ge=0, description="One more than the last message's offset.")
    records: int = Field(ge=1)
    size_bytes: int = Field(ge=1)
    previous: int = Field(ge=0, description="Sequence of the commit that touched this partition before; 0: none.")
    block_crc32: list[int] = Field(min_length=1, description="CRC-32 of what each block holds, in order.")

    @property
    def source(self) -> TopicPartition:
        """Return the partition that the segment belongs to."""
        return TopicPartition(self.topic, self.partition)


class PartitionState(BaseModel):
    """Where one partition stands."""

    model_config = _FROZEN

    next_offset: int = Field(default=0, ge=0, description="Offset that the next message gets.")
    last_sequence: int = Field(default=0, ge=0, description="Last commit that touched it; 0: none.")


class FolderState(BaseModel):
    """Where a folder stands after a commit."""

    model_config = _FROZEN

    topics: dict[str, list[PartitionState]] = Field(default_factory=dict, description="Topic to its partitions.")
    groups: dict[str, dict[str, dict[int, int]]] = Field(
        default_factory=dict, description="Group to topic to partition to the next offset that the group reads."
    )

    def partitions(self, topics: frozenset[str]) -> dict[TopicPartition, PartitionState]:
        """Return the partitions that exist of these topics."""
        return {
            TopicPartition(topic, number): state
            for topic in sorted(topics)
            for number, state in enumerate(self.topics.get(topic, ()))
        }

    def next_offset(self, source: TopicPartition) -> int:
        """Return the end of a partition; 0 where it does not exist yet."""
        states = self.topics.get(source.topic, ())
        return states[source.partition].next_offset if source.partition < len(states) else 0

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the next offsets that a group has committed."""
        return {
            TopicPartition(topic, partition): offset
            for topic, offsets in self.groups.get(group, {}).items()
            for partition, offset in offsets.items()
        }


class CommitRecord(BaseModel):
    """One commit."""

    model_config = _FROZEN

    format: Literal[1] = 1
    sequence: int = Field(ge=0)
    committed_ms: int
    segments: list[SegmentEntry] = []
    state: FolderState = FolderState()

    def to_json(self) -> bytes:
        """Return the text of ``commit.json``."""
        return self.model_dump_json(indent=1).encode() + b"\n"

    @staticmethod
    def from_json(text: bytes, path: Path) -> CommitRecord:
        """Return what ``commit.json`` says.

        Raises:
            Fatal: it was damaged, or written by a version with another format.
        """
        try:
            return CommitRecord.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise Fatal(f"{path}: damaged, or of another version: {where}: {first['msg']}") from error


EMPTY = CommitRecord(sequence=0, committed_ms=0)


def advance(
    before: FolderState,
    sequence: int,
    segments: list[SegmentEntry],
    partitions: Mapping[str, int],
    group: str | None,
    offsets: Mapping[TopicPartition, int],
) -> FolderState:
    """Return the state after a commit.

    Args:
        before: state after the commit before.
        sequence: number of this commit.
        segments: its segments, based on ``before``.
        partitions: topics with the number of partitions they have at least.
        group: whose ``offsets`` are committed.
        offsets: next offsets of the group.

    Raises:
        Fatal: an offset of the group goes back, so another process is, or was, the same group.
    """
    topics = {topic: list(states) for topic, states in before.topics.items()}
    for topic, count in partitions.items():
        states = topics.setdefault(topic, [])
        states.extend(PartitionState() for _ in range(count - len(states)))
    for segment in segments:
        topics[segment.topic][segment.partition] = PartitionState(
            next_offset=segment.next_offset, last_sequence=sequence
        )
    groups = {name: {topic: dict(known) for topic, known in theirs.items()} for name, theirs in before.groups.items()}
    if group is not None:
        theirs = groups.setdefault(group, {})
        for source, offset in offsets.items():
            known = theirs.setdefault(source.topic, {})
            if offset < known.get(source.partition, 0):
                raise Fatal(
                    f"group {group!r} on {source.topic}[{source.partition}]: offset {offset} would go back behind "
                    f"{known[source.partition]}, which is committed"
                )
            known[source.partition] = offset
    return FolderState(topics=topics, groups=groups)
