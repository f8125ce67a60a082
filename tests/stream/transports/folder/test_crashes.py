"""A process that ends at any step of a commit leaves all of it or nothing, and hinders nobody."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from stream.errors import Fatal, Retryable
from stream.transports.contract import Message, Output, TopicPartition
from stream.transports.folder import FolderReader, FolderTransport, FolderWriter
from stream.transports.folder.commit_log import CommitLog

STEPS = (
    "make the directory",
    "write a segment",
    "wait for the writer lock",
    "write commit.json",
    "fsync commit.json",
    "fsync the directory",
    "rename",
    "fsync the commits",
    "go on",
)
PUBLISHED_BEFORE = ("fsync the commits", "go on")


def read_all(folder: Path, topic: str) -> list[Message]:
    out: list[Message] = []
    with closing(FolderReader(folder, [topic])) as reader:
        while not reader.at_end():
            out += reader.read(1000, 1.0)
    return out


def append(folder: Path, topic: str, values: list[bytes]) -> None:
    with closing(FolderWriter(folder)) as writer:
        writer.commit([Output(topic, None, value) for value in values])


def test_steps_named_here_are_those_of_a_commit(tmp_path: Path) -> None:
    steps: list[str] = []
    with closing(FolderWriter(tmp_path, before_step=steps.append)) as writer:
        writer.commit([Output("t", None, b"v")])
    assert tuple(steps) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_process_killed_at_a_step_leaves_all_or_nothing(
    tmp_path: Path, step: str, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    append(tmp_path, "l1", [b"0", b"1", b"2"])
    process = start(f"""
        import os, signal
        from pathlib import Path
        from stream.transports.contract import CommitUnit, Output
        from stream.transports.folder import FolderTransport

        def die(step):
            if step == {step!r}:
                os.kill(os.getpid(), signal.SIGKILL)

        transport = FolderTransport(Path({str(tmp_path)!r}), ["l1"], "group", before_step=die)
        messages = transport.poll(2, 10.0)
        outputs = tuple(Output(topic, None, m.value) for m in messages for topic in ("l2", "ledger"))
        transport.commit([CommitUnit(messages[0].source, messages[0].epoch, messages[-1].offset + 1, outputs)])
    """)
    assert process.wait(60) == -signal.SIGKILL
    published = step in PUBLISHED_BEFORE
    assert [m.value for m in read_all(tmp_path, "l2")] == ([b"0", b"1"] if published else [])
    assert [m.value for m in read_all(tmp_path, "ledger")] == ([b"0", b"1"] if published else [])
    with closing(FolderTransport(tmp_path, ["l1"], "group")) as again:
        assert [m.value for m in again.poll(10, 1.0)] == ([b"2"] if published else [b"0", b"1", b"2"])
        workspaces = list((tmp_path / "writing").iterdir())
        assert len(workspaces) == 1, "the dead writer's directory is cleaned up, the live one's is not"
    append(tmp_path, "l2", [b"after"])
    assert [m.offset for m in read_all(tmp_path, "l2")] == list(range(3 if published else 1))


def test_live_writers_keep_their_directories_when_others_open(
    tmp_path: Path, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = start(f"""
        from pathlib import Path
        from stream.transports.contract import Output
        from stream.transports.folder import FolderWriter

        def pause(step):
            if step == "wait for the writer lock":
                print("staged", flush=True)
                input()

        FolderWriter(Path({str(tmp_path)!r}), before_step=pause).commit([Output("t", None, b"theirs")])
    """)
    assert process.stdout is not None
    assert process.stdout.readline() == "staged\n"
    with closing(FolderWriter(tmp_path)) as mine:
        append(tmp_path, "t", [b"ours"])  # opens, cleans up and closes a third writer
        mine.commit([Output("t", None, b"ours again")])
    process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert [m.value for m in read_all(tmp_path, "t")] == [b"ours", b"ours again", b"theirs"]


@pytest.mark.parametrize("step", ["write a segment", "write commit.json", "fsync commit.json", "rename"])
def test_full_disk_publishes_nothing_and_may_be_tried_again(tmp_path: Path, step: str) -> None:
    full = True

    def refuse(now: str) -> None:
        if full and now == step:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with closing(FolderWriter(tmp_path, before_step=refuse)) as writer:
        with pytest.raises(Retryable, match="No space left on device; nothing was published"):
            writer.commit([Output("t", None, b"v")])
        assert CommitLog(tmp_path).latest().sequence == 0
        full = False
        writer.commit([Output("t", None, b"v")])
    assert [m.value for m in read_all(tmp_path, "t")] == [b"v"]


def test_broken_disk_is_fatal(tmp_path: Path) -> None:
    def refuse(step: str) -> None:
        if step == "write commit.json":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with (
        closing(FolderWriter(tmp_path, before_step=refuse)) as writer,
        pytest.raises(Fatal, match="Input/output error"),
    ):
        writer.commit([Output("t", None, b"v")])


def test_commit_files_are_checked(tmp_path: Path) -> None:
    append(tmp_path, "t", [b"a"])
    append(tmp_path, "t", [b"b"])
    path = tmp_path / "commits" / f"{2:012d}" / "commit.json"
    good = path.read_text()
    damages = [
        *("", "{", good[:100]),
        good.replace('"sequence": 2', '"sequence": 3'),
        good.replace('"format": 1', '"format": 9'),
        good.replace("t-0.avro", "../../t-0.avro"),
        good.replace('"next_offset": 2', '"next_offset": -2'),
    ]
    for bad in damages:
        assert bad != good
        path.write_text(bad)
        with pytest.raises(Fatal) as caught:
            FolderReader(tmp_path, ["t"])
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    path.write_text(good)
    (tmp_path / "commits" / f"{1:012d}").rename(tmp_path / "moved away")
    with pytest.raises(Fatal, match="missing"):
        FolderReader(tmp_path, ["t"])


def test_offsets_of_a_group_never_go_back(tmp_path: Path) -> None:
    append(tmp_path, "l1", [b"0", b"1"])
    source = TopicPartition("l1", 0)
    with closing(FolderWriter(tmp_path)) as writer:
        writer.commit(group="group", offsets={source: 2})
        with pytest.raises(Fatal, match="offset 1 would go back behind 2"):
            writer.commit([Output("l2", None, b"never")], group="group", offsets={source: 1})
    assert read_all(tmp_path, "l2") == []
