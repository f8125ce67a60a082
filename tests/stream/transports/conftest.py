"""The transports that the contract suites (test_*_contract.py) run against, each as a harness.

A transport is added by a fixture ``<name>_harness`` here and its name in ``TRANSPORTS``; ``Harness`` says what the
fixture returns: a thing that makes a transport's topics and opens its ends.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import pytest

from stream.transports.broker import BrokerPublisher, BrokerReader, BrokerTransport, TopicSpec
from stream.transports.broker import create_topics as create_broker_topics
from stream.transports.contract import Message, Output, Publisher, Reader, Transport
from stream.transports.folder import FolderPublisher, FolderReader, FolderTransport, FolderWriter, create_topics

TRANSPORTS: list[object] = ["folder", pytest.param("broker", marks=pytest.mark.kafka)]


class Harness(Protocol):
    """What a transport's tests supply."""

    def name(self, base: str) -> str:
        """Return a topic, group or identity name that no other test uses."""
        ...

    def create(self, topic: str, partitions: int) -> None:
        """Create a topic."""
        ...

    def append(self, topic: str, partition: int, messages: Sequence[Output]) -> None:
        """Append messages, committed, in order; their own ``topic`` and ``partition`` are not looked at."""
        ...

    def open(self, topics: Sequence[str], group: str, instance: str | None = None) -> Transport:
        """Open the input of a group."""
        ...

    def open_reader(self, topics: Sequence[str]) -> Reader:
        """Open a reader from the first offset."""
        ...

    def open_publisher(self, identity: str) -> Publisher:
        """Open a publisher on a state topic that the harness has created."""
        ...

    def read_all(self, topic: str) -> list[Message]:
        """Return everything committed in a topic, in offset order per partition."""
        ...


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture(params=TRANSPORTS)
def harness(request: pytest.FixtureRequest) -> Harness:
    """Return the harness of each transport in turn."""
    found: Harness = request.getfixturevalue(f"{request.param}_harness")
    return found


class FolderHarness:
    """The file transport in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = FolderWriter(folder)

    def name(self, base: str) -> str:
        return base

    def create(self, topic: str, partitions: int) -> None:
        create_topics(self.folder, {topic: partitions})

    def append(self, topic: str, partition: int, messages: Sequence[Output]) -> None:
        self.writer.commit([each._replace(topic=topic, partition=partition) for each in messages])

    def open(self, topics: Sequence[str], group: str, instance: str | None = None) -> FolderTransport:
        del instance  # one process is the group on a folder, whatever it is called
        return FolderTransport(self.folder, topics, group)

    def open_reader(self, topics: Sequence[str]) -> FolderReader:
        return FolderReader(self.folder, topics)

    def open_publisher(self, identity: str) -> FolderPublisher:
        return FolderPublisher(self.folder, identity, "ingest_state")

    def read_all(self, topic: str) -> list[Message]:
        out: list[Message] = []
        with closing(self.open_reader([topic])) as reader:
            while not reader.at_end():
                out += reader.read(1000, 1.0)
        return out


@pytest.fixture
def folder_harness(tmp_path: Path) -> Iterator[FolderHarness]:
    """Return a harness on an empty folder."""
    made = FolderHarness(tmp_path / "folder")
    yield made
    made.writer.close()


class BrokerHarness:
    """Kafka: names are made unique, since all tests share one broker."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._suffix = uuid.uuid4().hex[:12]
        self._writer: BrokerPublisher | None = None

    def name(self, base: str) -> str:
        return f"{base}-{self._suffix}"

    def create(self, topic: str, partitions: int) -> None:
        # kept for ever: a broker deletes messages of 1970, as some tests write, whenever it looks
        create_broker_topics(self.bootstrap, [TopicSpec(topic, partitions=partitions, retention_ms=-1)])

    def append(self, topic: str, partition: int, messages: Sequence[Output]) -> None:
        if self._writer is None:
            self._writer = BrokerPublisher(self.bootstrap, self.name("harness"), self.name("harness-state"))
        self._writer.publish([each._replace(topic=topic, partition=partition) for each in messages], {})

    def open(self, topics: Sequence[str], group: str, instance: str | None = None) -> BrokerTransport:
        return BrokerTransport(self.bootstrap, topics, group, instance=instance)

    def open_reader(self, topics: Sequence[str]) -> BrokerReader:
        return BrokerReader(self.bootstrap, topics)

    def open_publisher(self, identity: str) -> BrokerPublisher:
        return BrokerPublisher(self.bootstrap, identity, self.name("ingest_state"))

    def read_all(self, topic: str) -> list[Message]:
        by_partition: dict[int, list[Message]] = defaultdict(list)
        with closing(self.open_reader([topic])) as reader:
            while not reader.at_end():
                for message in reader.read(1000, 1.0):
                    by_partition[message.source.partition].append(message)
        return [message for partition in sorted(by_partition) for message in by_partition[partition]]

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


@pytest.fixture
def broker_harness(broker_url: str) -> Iterator[BrokerHarness]:
    """Return a harness on the session's Kafka."""
    made = BrokerHarness(broker_url)
    yield made
    made.close()
