"""What tests on a real broker share: names of their own, messages, and waiting."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing

import pytest

from stream.errors import Retryable
from stream.transports.broker import BrokerPublisher, BrokerReader, BrokerTransport, TopicSpec, create_topics
from stream.transports.contract import CommitUnit, Message, Output

DEADLINE_S = 60.0


class Kafka:
    """A broker with topics of one test; ``settings`` go to every client."""

    def __init__(self, bootstrap: str, stack: ExitStack, settings: dict[str, str] | None = None) -> None:
        self.bootstrap = bootstrap
        self.settings = settings or {}
        self._stack = stack
        self._suffix = uuid.uuid4().hex[:12]
        self._publisher: BrokerPublisher | None = None

    def name(self, base: str) -> str:
        return f"{base}-{self._suffix}"

    def topic(self, base: str, partitions: int = 1, **settings: int) -> str:
        spec = TopicSpec(self.name(base), partitions=partitions, **settings)  # type: ignore[arg-type]
        create_topics(self.bootstrap, [spec], self.settings)
        return spec.name

    def send(self, topic: str, values: Sequence[bytes]) -> None:
        if self._publisher is None:
            self._publisher = self.publisher(self.name("sender"))
        self._publisher.publish([Output(topic, value[:100], value) for value in values], {})

    def publisher(self, identity: str) -> BrokerPublisher:
        made = BrokerPublisher(self.bootstrap, identity, self.name("state"), self.settings)
        self._stack.callback(made.close)
        return made

    def open(self, topic: str, group: str = "group", **settings: object) -> BrokerTransport:
        made = BrokerTransport(
            self.bootstrap,
            [topic],
            self.name(group),
            librdkafka=self.settings,
            **settings,  # type: ignore[arg-type]
        )
        self._stack.callback(made.close)
        return made

    def read_all(self, topic: str) -> list[bytes | None]:
        found: list[bytes | None] = []
        with closing(BrokerReader(self.bootstrap, [topic], self.settings)) as reader:
            while not reader.at_end():
                found += [message.value for message in reader.read(1000, 0.5)]
        return found


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def kafka(broker_url: str, stack: ExitStack) -> Kafka:
    """Return the session's broker with topics of this test's own."""
    return Kafka(broker_url, stack)


@pytest.fixture
def kafka_at(stack: ExitStack) -> Callable[..., Kafka]:
    """Return a maker of views on other brokers."""
    return lambda bootstrap, settings=None: Kafka(bootstrap, stack, settings)


@pytest.fixture
def poll_until() -> Callable[..., list[Message]]:
    """Return a function that polls, waiting out an absent broker, until a condition on what came holds."""

    def poll(transport: BrokerTransport, condition: Callable[[list[Message]], bool]) -> list[Message]:
        came: list[Message] = []
        end = time.monotonic() + DEADLINE_S
        while not condition(came):
            assert time.monotonic() < end, f"the condition did not come true in time; {len(came)} messages came"
            try:
                came += transport.poll(500, 0.1)
            except Retryable:
                continue
        return came

    return poll


@pytest.fixture
def as_units() -> Callable[..., list[CommitUnit]]:
    """Return a function that makes commit units that copy messages of one partition to a topic."""

    def make(messages: Sequence[Message], topic: str) -> list[CommitUnit]:
        sources = {(message.source, message.epoch): message.offset + 1 for message in messages}
        return [
            CommitUnit(
                source,
                epoch,
                after,
                tuple(Output(topic, None, m.value) for m in messages if (m.source, m.epoch) == (source, epoch)),
            )
            for (source, epoch), after in sources.items()
        ]

    return make
