"""One replica on a real broker, as a process that tests can stop, continue and kill.

Copies each message's value to the output topic. Says what it does as JSON lines on stdout; ``--hold N`` makes it wait,
with N messages polled and not committed, for a line on stdin: ``poll`` (poll once, then commit what it held),
``commit`` (commit at once), ``begin`` (begin the transaction, produce, and wait for ever in it).
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import defaultdict
from contextlib import closing

from confluent_kafka import TopicPartition as Position

from stream.errors import Retryable, StreamError
from stream.transports.broker import BrokerTransport
from stream.transports.contract import CommitUnit, Message, Output, TopicPartition


def say(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, "at": time.time(), **fields}), flush=True)


def as_units(messages: list[Message], topic: str) -> list[CommitUnit]:
    grouped: dict[tuple[TopicPartition, int], list[Message]] = defaultdict(list)
    for message in messages:
        grouped[message.source, message.epoch].append(message)
    return [
        CommitUnit(source, epoch, some[-1].offset + 1, tuple(Output(topic, None, each.value) for each in some))
        for (source, epoch), some in grouped.items()
    ]


def commit(transport: BrokerTransport, messages: list[Message], topic: str) -> None:
    units = as_units(messages, topic)
    while True:
        try:
            outcome = transport.commit(units)
        except Retryable as error:
            say("retry", why=str(error))
            continue
        say("committed", partitions=len(outcome.committed), dropped=len(outcome.dropped), messages=len(messages))
        return


def stand_in_transaction(transport: BrokerTransport, messages: list[Message], topic: str) -> None:
    """Produce and send offsets, and never end the transaction."""

    def forever() -> None:
        say("in transaction")
        threading.Event().wait()

    units = as_units(messages, topic)
    positions = [Position(unit.source.topic, unit.source.partition, unit.next_offset) for unit in units]
    transport._transactions.run(  # the only way to die in the middle of a commit for sure
        [output for unit in units for output in unit.outputs],
        lambda: (positions, transport._membership.proof()),
        forever,
    )


def run(options: argparse.Namespace) -> None:
    transport = BrokerTransport(
        options.bootstrap,
        [options.input],
        options.group,
        instance=options.instance,
        group_protocol=options.protocol,
    )
    idle_since, version, owned = time.monotonic(), -1, -1
    with closing(transport):
        while True:
            try:
                messages = transport.poll(500, 0.1)
            except Retryable as error:
                say("retry", why=str(error))
                continue
            while options.hold and 0 < len(messages) < options.hold:
                messages += transport.poll(options.hold - len(messages), 0.1)
            if len(transport.owned()) != owned:
                owned = len(transport.owned())
                say("owns", partitions=owned)
            if messages and options.hold:
                say("holding", messages=len(messages))
                order = sys.stdin.readline().strip()
                options.hold = 0
                if order == "begin":
                    stand_in_transaction(transport, messages, options.output)
                if order == "poll":
                    say("polled", messages=len(transport.poll(500, 0.5)))
            if messages:
                commit(transport, messages, options.output)
            if messages or version != transport.assignment_version() or not transport.at_end():
                idle_since, version = time.monotonic(), transport.assignment_version()
            if options.until_idle is not None and time.monotonic() - idle_since >= options.until_idle:
                say("idle", owned=len(transport.owned()))
                return


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("bootstrap", "input", "output", "group"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--protocol", default="classic")
    parser.add_argument("--instance")
    parser.add_argument("--hold", type=int, default=0)
    parser.add_argument("--until-idle", type=float)
    try:
        run(parser.parse_args())
    except StreamError as error:
        say(type(error).__name__, why=str(error))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
