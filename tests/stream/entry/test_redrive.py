from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import Codec
from stream.entry import EntryLimits
from stream.expression import compile_expression
from stream.redrive import OFFSETS_PER_KEY, RedrivenOffsets, redrive
from stream.transports.contract import Message, Output
from stream.transports.folder import FolderPublisher, FolderReader, FolderWriter, create_topics

REASONS = ("UNDECODABLE", "UNKNOWN_SCHEMA")


def dead_letter(codec: Codec, number: int) -> Output:
    record = {
        "source": {"topic": "l1", "partition": number % 2, "offset": number, "timestamp_ms": 5},
        "reason": REASONS[number % 2],
        "message": "bad",
        "survey": "SDSS" if number % 3 else None,
        "program_version": "1",
        "original_key": None if number % 4 == 0 else b"k%d" % number,
        "original_value": None if number == 3 else b"\x00\xff%d" % number,
        "original_headers": [{"name": "h", "value": b"%d" % number}, {"name": "h", "value": None}],
    }
    return Output("dead", None, codec.encode("dead_letter", record), timestamp_ms=7)


def original(number: int) -> tuple[Any, ...]:
    key = None if number % 4 == 0 else b"k%d" % number
    value = None if number == 3 else b"\x00\xff%d" % number
    return key, value, (("h", b"%d" % number), ("h", None)), number % 2


def fill(folder: Path, codec: Codec, numbers: Sequence[int]) -> None:
    create_topics(folder, {"l1": 2})
    with closing(FolderWriter(folder)) as writer:
        writer.commit([dead_letter(codec, number) for number in numbers])


def read_all(folder: Path, topic: str = "l1") -> list[Message]:
    out: list[Message] = []
    with closing(FolderReader(folder, [topic])) as reader:
        while not reader.at_end():
            out += reader.read(1000, 1.0)
    return out


def content(messages: Sequence[Message]) -> list[tuple[Any, ...]]:
    return sorted(((m.key, m.value, m.headers, m.source.partition) for m in messages), key=repr)


def run(folder: Path, codec: Codec, **options: Any) -> Any:
    with (
        closing(FolderPublisher(folder, "redrive:dead", "state")) as publisher,
        closing(FolderReader(folder, ["dead"])) as reader,
    ):
        return redrive(reader, publisher, codec, **options)


def test_original_messages_go_back_where_they_came_from(tmp_path: Path, codec: Codec) -> None:
    fill(tmp_path, codec, range(9))
    assert run(tmp_path, codec).records == 9
    came = read_all(tmp_path)
    assert content(came) == sorted((original(number) for number in range(9)), key=repr)
    assert all(message.timestamp_ms > 1_000_000 for message in came)


def test_each_is_redriven_once_whatever_the_selections(tmp_path: Path, codec: Codec) -> None:
    fill(tmp_path, codec, range(12))
    assert run(tmp_path, codec, reasons=["UNKNOWN_SCHEMA"]).records == 6
    again = run(tmp_path, codec, where=compile_expression('survey == "SDSS"'))
    assert (again.records, again.skipped) == (4, 4)
    last = run(tmp_path, codec)
    assert (last.records, last.skipped) == (2, 10)
    assert content(read_all(tmp_path)) == sorted((original(number) for number in range(12)), key=repr)
    fill(tmp_path, codec, [20])
    assert run(tmp_path, codec).records == 1


def test_partition_may_be_left_to_the_key(tmp_path: Path, codec: Codec) -> None:
    create_topics(tmp_path, {"l1": 1})
    with closing(FolderWriter(tmp_path)) as writer:
        writer.commit([dead_letter(codec, number) for number in range(4)])
    assert run(tmp_path, codec, keep_partition=False).records == 4
    assert {message.source.partition for message in read_all(tmp_path)} == {0}


def test_what_is_no_dead_letter_is_reported(tmp_path: Path, codec: Codec, heard: Any, spectrum_value: Any) -> None:
    fill(tmp_path, codec, [0])
    with closing(FolderWriter(tmp_path)) as writer:
        writer.commit([Output("dead", None, b"foreign"), Output("dead", None, spectrum_value())])
    summary = run(tmp_path, codec, report=heard)
    assert (summary.records, summary.refused) == (1, 2)
    assert [source for source, _ in heard.of("refused")] == ["dead[0] offset 1", "dead[0] offset 2"]


def test_offsets_are_marked_once() -> None:
    offsets = RedrivenOffsets()
    numbers = [OFFSETS_PER_KEY, OFFSETS_PER_KEY + 5, 2 * OFFSETS_PER_KEY - 1]
    assert [offsets.add(number) for number in numbers] == [True] * 3
    assert [RedrivenOffsets(int(offsets.to_text(), 16)).add(number) for number in numbers] == [False] * 3


KILLED = """
    import os, signal
    from contextlib import closing
    from pathlib import Path
    from schemas.catalogue import Catalogue
    from schemas.codec import Codec
    from stream.entry import EntryLimits
    from stream.redrive import redrive
    from stream.transports.folder import FolderPublisher, FolderReader

    left = {steps}

    def die(step):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    folder = Path({folder!r})
    publisher = FolderPublisher(folder, "redrive:dead", "state", before_step=die)
    redrive(FolderReader(folder, ["dead"]), publisher, Codec(Catalogue.embedded()), limits=EntryLimits(max_records=5))
"""


@pytest.mark.slow
def test_redrive_killed_again_and_again_redrives_each_once(
    tmp_path: Path, codec: Codec, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    fill(tmp_path, codec, range(60))
    seeded = random.Random(8)
    for steps in [*(seeded.randint(5, 25) for _ in range(5)), 1_000_000]:
        program = KILLED.format(steps=steps, folder=str(tmp_path))
        assert start(program).wait(120) == (0 if steps == 1_000_000 else -signal.SIGKILL)
    assert content(read_all(tmp_path)) == sorted((original(number) for number in range(60)), key=repr)
    assert run(tmp_path, codec, limits=EntryLimits()).records == 0
