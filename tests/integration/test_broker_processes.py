"""Replicas as processes of their own on a real broker: stopped, continued, killed, doubled; nothing doubled or lost."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stream.transports.broker import BrokerPublisher, BrokerReader, TopicSpec, create_topics
from stream.transports.contract import Output

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

DRIVER = Path(__file__).with_name("broker_replica.py")
DEADLINE_S = 60.0
RECOVERY_S = 10.0


class Replica:
    """A running replica: what it says, and signals to it."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(DRIVER), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(json.loads(line))
        self._said.put(None)

    def hear(self, event: str, which: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Wait until it says this; fail if it ends before."""
        deadline = time.monotonic() + DEADLINE_S
        heard = []
        while True:
            said = self._said.get(timeout=max(deadline - time.monotonic(), 0.01))
            assert said is not None, f"the replica ended without saying {event!r}; it said {heard[-5:]}"
            heard.append(said)
            if said["event"] == event and which(said):
                return said

    def order(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def send(self, how: signal.Signals) -> None:
        os.kill(self.process.pid, how)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._listener.join(5.0)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Scene:
    """Topics of one test, and the replicas that it starts."""

    def __init__(self, bootstrap: str, partitions: int = 2) -> None:
        self.bootstrap = bootstrap
        self.suffix = uuid.uuid4().hex[:10]
        self.input = f"in-{self.suffix}"
        self.partitions = partitions
        self.replicas: list[Replica] = []
        self.sent = 0
        create_topics(bootstrap, [TopicSpec(self.input, partitions=partitions)])
        self.publisher = BrokerPublisher(bootstrap, f"scene-{self.suffix}", f"state-{self.suffix}")

    def send(self, count: int) -> None:
        numbers = range(self.sent, self.sent + count)
        self.publisher.publish(
            [Output(self.input, None, b"%d" % n, partition=n % self.partitions) for n in numbers], {}
        )
        self.sent += count

    def output(self, group: str) -> str:
        return f"out-{group}-{self.suffix}"

    def start(self, group: str, *more: str) -> Replica:
        create_topics(self.bootstrap, [TopicSpec(self.output(group))])
        common = ["--bootstrap", self.bootstrap, "--input", self.input, "--output", self.output(group)]
        replica = Replica(*common, "--group", f"{group}-{self.suffix}", *more)
        self.replicas.append(replica)
        return replica

    def published(self, group: str) -> Counter[int]:
        with closing(BrokerReader(self.bootstrap, [self.output(group)])) as reader:
            found: Counter[int] = Counter()
            while not reader.at_end():
                found.update(int(message.value or b"-1") for message in reader.read(1000, 0.5))
        return found

    def assert_once(self, group: str) -> None:
        published = self.published(group)
        assert {number: count for number, count in published.items() if count > 1} == {}
        assert sorted(published) == list(range(self.sent))

    def close(self) -> None:
        for replica in self.replicas:
            replica.end()
        self.publisher.close()


@pytest.fixture
def scene(broker_url: str) -> Iterator[Scene]:
    made = Scene(broker_url)
    yield made
    made.close()


PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])


@PROTOCOLS
def test_replica_stopped_past_its_session_doubles_nothing_when_it_continues(scene: Scene, protocol: str) -> None:
    scene.send(1500)
    # Two groups side by side: one polls before it commits what it held, the other commits at once.
    stopped = {order: scene.start(order, "--protocol", protocol, "--hold", "1000") for order in ("poll", "commit")}
    for replica in stopped.values():
        replica.hear("holding")
        replica.send(signal.SIGSTOP)
    others = {order: scene.start(order, "--protocol", protocol, "--until-idle", "2") for order in stopped}
    for other in others.values():
        other.hear("owns", lambda said: said["partitions"] == scene.partitions)
        other.hear("committed")
    for order, replica in stopped.items():
        replica.send(signal.SIGCONT)
        replica.order(order)
        assert replica.hear("committed")["partitions"] == 0
    for order in stopped:
        others[order].hear("idle")
        scene.assert_once(order)


@PROTOCOLS
def test_partitions_of_a_killed_replica_are_taken_over_within_ten_seconds(scene: Scene, protocol: str) -> None:
    scene.send(100)
    killed = scene.start("g", "--protocol", protocol)
    killed.hear("committed")
    successor = scene.start("g", "--protocol", protocol)
    successor.hear("owns", lambda said: said["partitions"] == 1)
    killed.end()
    at = time.time()
    scene.send(100)
    successor.hear("owns", lambda said: said["partitions"] == scene.partitions)
    assert successor.hear("committed")["at"] - at < RECOVERY_S


@pytest.mark.parametrize(("protocol", "instance"), [("classic", None), ("classic", "0"), ("consumer", None)])
def test_replica_killed_within_a_transaction_is_replaced_within_ten_seconds(
    scene: Scene, protocol: str, instance: str | None
) -> None:
    scene.send(300)
    identity = [] if instance is None else ["--instance", instance]
    dying = scene.start("g", "--protocol", protocol, *identity, "--hold", "300")
    dying.hear("holding")
    dying.order("begin")
    dying.hear("in transaction")
    dying.end()
    at = time.time()
    again = scene.start("g", "--protocol", protocol, *identity, "--until-idle", "1")
    assert again.hear("committed")["at"] - at < RECOVERY_S
    again.hear("idle")
    scene.assert_once("g")


@PROTOCOLS
def test_second_process_with_a_live_instance_ends_one_of_them_naming_it(scene: Scene, protocol: str) -> None:
    scene.send(10)
    one = scene.start("g", "--protocol", protocol, "--instance", "seven")
    one.hear("committed")
    two = scene.start("g", "--protocol", protocol, "--instance", "seven")
    if protocol == "consumer":
        two.hear("owns")
        # Under KIP-848 nothing fences an idle member; the first commit after the second's start does.
        scene.send(200)
    assert "'seven'" in one.hear("Fatal")["why"]
    assert one.process.wait(DEADLINE_S) == 3
    scene.send(20)
    two.hear("committed")


@PROTOCOLS
def test_until_idle_waits_for_partitions_that_a_dead_replica_still_holds(scene: Scene, protocol: str) -> None:
    scene.send(200)
    dead = scene.start("g", "--protocol", protocol, "--hold", "200")
    dead.hear("holding")
    dead.end()
    successor = scene.start("g", "--protocol", protocol, "--until-idle", "1")
    assert successor.hear("idle")["owned"] == scene.partitions
    scene.assert_once("g")


@PROTOCOLS
def test_until_idle_of_a_spare_replica_ends_though_another_holds_everything(broker_url: str, protocol: str) -> None:
    with closing(Scene(broker_url, partitions=1)) as scene:
        scene.send(50)
        holder = scene.start("g", "--protocol", protocol)
        holder.hear("committed")
        spare = scene.start("g", "--protocol", protocol, "--until-idle", "1")
        spare.hear("idle")
        assert spare.process.wait(DEADLINE_S) == 0
        scene.send(50)
        holder.hear("committed")
        assert len(scene.published("g")) > 50


@PROTOCOLS
def test_replicas_that_come_and_go_during_commits_publish_each_message_once(scene: Scene, protocol: str) -> None:
    first = scene.start("g", "--protocol", protocol)
    for round_ in range(6):
        scene.send(400)
        if round_ == 1:
            second = scene.start("g", "--protocol", protocol)
            second.hear("owns", lambda said: said["partitions"] == 1)
        if round_ == 3:
            first.end()
    last = scene.start("g", "--protocol", protocol, "--until-idle", "1.5")
    last.hear("idle")
    second.end()
    scene.start("g", "--protocol", protocol, "--until-idle", "1").hear("idle")
    scene.assert_once("g")
