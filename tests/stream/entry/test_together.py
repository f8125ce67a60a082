"""Ingest, a classifying consumer, redrive and tail at work on one folder at once, each of them killed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from schemas.codec import Codec
from stream.transports.contract import Message
from stream.transports.folder import FolderReader, create_topics

SPECTRA = 80
DEADLINE_S = 400.0

COMMON = """
import os, signal, sys
from pathlib import Path
from schemas.catalogue import Catalogue
from schemas.codec import Codec
from stream.entry import EntryLimits
from stream.transports.contract import CommitUnit, Output
from stream.transports.folder import FolderPublisher, FolderReader, FolderTransport

folder, stop, left = Path({folder!r}), Path({stop!r}), {steps}
codec = Codec(Catalogue.embedded())

def die(step):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
"""

INGEST = """
from stream.ingest import ingest
publisher = FolderPublisher(folder, "ingest:l1", "state", before_step=die)
ingest([Path({path!r})], "l1", publisher, codec, limits=EntryLimits(max_records=6))
"""

REDRIVE = """
from stream.redrive import redrive
publisher = FolderPublisher(folder, "redrive:dead", "state", before_step=die)
redrive(FolderReader(folder, ["dead"]), publisher, codec, limits=EntryLimits(max_records=3))
"""

CONSUME = """
transport = FolderTransport(folder, ["l1"], "group", before_step=die)

def output(message):
    name = codec.decode(message.value).record["l1_id"]
    if not ({broken} and int(name[-2:]) % 4 == 0):
        return Output("l2", b"%d %d" % (message.source.partition, message.offset), name.encode())
    return Output("dead", b"%d %d" % (message.source.partition, message.offset), codec.encode("dead_letter", dict(
        source=dict(topic="l1", partition=message.source.partition, offset=message.offset), reason="UNDECODABLE",
        message="broken on purpose", program_version="1", original_key=message.key, original_value=message.value,
        original_headers=[])))

while True:
    ending = stop.exists()
    by_source = dict()
    for message in transport.poll(9, 0.1):
        by_source.setdefault(message.source, []).append(message)
    if by_source:
        transport.commit([CommitUnit(source, some[-1].epoch, some[-1].offset + 1, tuple(map(output, some)))
                          for source, some in by_source.items()])
    elif ending and transport.at_end():
        break
"""

TAIL = """
import json
reader = FolderReader(folder, ["l1", "l2", "dead"])
while True:
    for m in reader.read(50, 0.1):
        print(json.dumps([m.source.topic, m.source.partition, m.offset, (m.value or b"").hex()]), flush=True)
"""


def read_all(folder: Path, topic: str) -> list[Message]:
    out: list[Message] = []
    with closing(FolderReader(folder, [topic])) as reader:
        while not reader.at_end():
            out += reader.read(1000, 1.0)
    return out


class Supervisor:
    """Starts programs, and starts each again when it was killed; the first starts of each are doomed."""

    def __init__(self, start: Callable[[str], subprocess.Popen[str]], folder: Path, stop: Path, seed: int) -> None:
        self.start, self.folder, self.stop = start, folder, stop
        self.seeded = random.Random(seed)
        self.kills: Counter[str] = Counter()

    def launch(self, name: str, program: str, doomed: int) -> subprocess.Popen[str]:
        steps = self.seeded.randint(8, 40) if self.kills[name] < doomed else 1_000_000_000
        return self.start(COMMON.format(folder=str(self.folder), stop=str(self.stop), steps=steps) + program)

    def run(self, programs: dict[str, str], last: str, doomed: int = 2) -> None:
        """Run programs together until all have ended by themselves; ``last`` is told to stop when the others have."""
        self.stop.unlink(missing_ok=True)
        running = {name: self.launch(name, program, doomed) for name, program in programs.items()}
        end = time.monotonic() + DEADLINE_S
        while running:
            assert time.monotonic() < end, f"still running: {list(running)}"
            for name in list(running):
                try:
                    status = running[name].wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
                assert status in (0, -signal.SIGKILL)
                del running[name]
                if status:
                    self.kills[name] += 1
                    running[name] = self.launch(name, programs[name], doomed)
            if set(running) == {last}:
                self.stop.touch()


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_when_all_work_on_one_folder_and_are_killed(
    tmp_path: Path, codec: Codec, make_exposure: Callable[..., Path], start: Callable[[str], subprocess.Popen[str]]
) -> None:
    folder, stop = tmp_path / "folder", tmp_path / "stop"
    create_topics(folder, {"l1": 3, "l2": 2, "dead": 2})
    path = make_exposure(tmp_path / "exposure.fits", SPECTRA)
    supervisor = Supervisor(start, folder, stop, seed=11)
    tail = supervisor.launch("tail", TAIL, doomed=0)
    supervisor.run({"ingest": INGEST.format(path=str(path)), "broken": CONSUME.format(broken=True)}, last="broken")
    tail.kill()
    seen = [json.loads(line) for line in tail.communicate()[0].splitlines() if line.endswith("]")]
    names = [f"4MOST-{number:05d}" for number in range(SPECTRA)]
    assert Counter(codec.decode(m.value or b"").record["l1_id"] for m in read_all(folder, "l1")) == Counter(names)
    dead = [name for name in names if int(name[-2:]) % 4 == 0]
    assert len(read_all(folder, "dead")) == len(dead)

    supervisor.run({"redrive": REDRIVE, "mended": CONSUME.format(broken=False)}, last="mended")
    l1, l2 = read_all(folder, "l1"), read_all(folder, "l2")
    assert Counter(m.value for m in l2) == Counter(name.encode() for name in names), "one L2 record for each spectrum"
    assert len(l1) == SPECTRA + len(dead)
    accounted = Counter(m.key for m in [*l2, *read_all(folder, "dead")])
    assert accounted == Counter(b"%d %d" % (m.source.partition, m.offset) for m in l1), "in = out + dead, each once"
    assert min(supervisor.kills[name] for name in ("ingest", "broken", "redrive", "mended")) >= 1

    final = {(m.source.topic, m.source.partition, m.offset): (m.value or b"").hex() for m in [*l1, *l2]}
    final |= {("dead", m.source.partition, m.offset): (m.value or b"").hex() for m in read_all(folder, "dead")}
    assert seen, "tail saw something"
    assert all(final[topic, partition, offset] == value for topic, partition, offset, value in seen)
    assert max(Counter((topic, partition, offset) for topic, partition, offset, _ in seen).values()) == 1
