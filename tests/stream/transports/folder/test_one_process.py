"""One process per group or identity on a folder, by a lock that ends with the process and that no child has."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from stream.errors import Fatal
from stream.transports.folder import FolderArchive, FolderPublisher, FolderTransport
from stream.transports.folder.locks import ProcessLock, holder, publishing_lock

Start = Callable[[str], "subprocess.Popen[str]"]

HOLD = """
    import os, subprocess, sys, time
    from pathlib import Path
    from stream.transports.folder import FolderTransport
    transport = FolderTransport(Path({folder!r}), ["l1"], "group")
    {child}
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""
FORKED_CHILD = """
    pid = os.fork()
    if pid == 0:
        sys.stdin.read()
        os._exit(0)
    print(pid, flush=True)
"""


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_second_live_process_of_a_group_is_fatal_and_named(tmp_path: Path, start: Start) -> None:
    process = start(HOLD.format(folder=str(tmp_path), child=""))
    pid = line(process)
    with pytest.raises(Fatal) as caught:
        FolderTransport(tmp_path, ["l1"], "group")
    for part in ("'group'", str(tmp_path), f"process {pid}"):
        assert part in str(caught.value)
    FolderTransport(tmp_path, ["l1"], "another group").close()
    process.kill()
    process.wait()
    FolderTransport(tmp_path, ["l1"], "group").close()


def test_second_transport_of_a_group_in_one_process_is_fatal(tmp_path: Path) -> None:
    with closing(FolderTransport(tmp_path, ["l1"], "group")):
        with pytest.raises(Fatal, match="in use by this process"):
            FolderTransport(tmp_path, ["l1"], "group")
        # The refused one has not taken the lock of the first away.
        with pytest.raises(Fatal):
            FolderTransport(tmp_path, ["l1"], "group")
    FolderTransport(tmp_path, ["l1"], "group").close()


def test_refusal_elsewhere_leaves_the_lock_with_its_holder(tmp_path: Path, start: Start) -> None:
    process = start(HOLD.format(folder=str(tmp_path), child=""))
    line(process)
    for _ in range(2):
        with pytest.raises(Fatal):
            FolderTransport(tmp_path, ["l1"], "group")


def test_child_that_outlives_its_parent_does_not_hold_the_group(tmp_path: Path, start: Start) -> None:
    process = start(HOLD.format(folder=str(tmp_path), child=FORKED_CHILD.strip()))
    child = int(line(process))
    line(process)
    process.kill()
    process.wait()
    os.kill(child, 0)  # the child lives
    with closing(FolderTransport(tmp_path, ["l1"], "group")) as transport:
        assert transport.assigned()
    os.kill(child, signal.SIGKILL)


def test_child_that_closes_its_copy_leaves_the_parent_its_lock_and_directory(tmp_path: Path) -> None:
    with closing(FolderTransport(tmp_path, ["l1"], "group")) as transport:
        before = sorted((tmp_path / "writing").rglob("*"))
        context = multiprocessing.get_context("fork")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads is what is tested here
            child = context.Process(target=_fork_and_close, args=(tmp_path, transport))
            child.start()
        child.join(60)
        assert child.exitcode == 0
        assert sorted((tmp_path / "writing").rglob("*")) == before
        with pytest.raises(Fatal, match="in use by this process"):
            FolderTransport(tmp_path, ["l1"], "group")


def _fork_and_close(folder: Path, copy: FolderTransport) -> None:
    copy.close()
    with pytest.raises(Fatal, match="in use by process"):
        FolderTransport(folder, ["l1"], "group")


def test_identity_and_archive_are_exclusive_too(tmp_path: Path) -> None:
    with closing(FolderPublisher(tmp_path, "ingest", "state")), pytest.raises(Fatal, match="'ingest'"):
        FolderPublisher(tmp_path, "ingest", "state")
    with closing(FolderArchive(tmp_path, {"l1": "kafka://h:1"})), pytest.raises(Fatal, match="'l1'"):
        FolderArchive(tmp_path, {"l1": "kafka://h:1"})


def test_lock_is_had_once_and_again_after_release(tmp_path: Path) -> None:
    lock = ProcessLock.try_acquire(tmp_path / "lock")
    assert lock is not None
    assert ProcessLock.try_acquire(tmp_path / "lock") is None
    lock.release()
    lock.release()
    again = ProcessLock.try_acquire(tmp_path / "lock")
    assert again is not None
    again.release()


def test_lock_is_had_on_a_full_disk_without_the_process_id(tmp_path: Path) -> None:
    """Only a message lacks the id: a publisher opens, and what it publishes is what waits for room."""
    (tmp_path / "lock").symlink_to("/dev/full")
    lock = ProcessLock.try_acquire(tmp_path / "lock")
    assert lock is not None
    assert ProcessLock.try_acquire(tmp_path / "lock") is None
    assert holder(tmp_path / "lock") == "this process"
    lock.release()


def test_lock_file_that_cannot_be_written_is_named_and_not_held(tmp_path: Path) -> None:
    """A file that no process id fits in: the error says which, and a second try says the same."""
    (tmp_path / "lock").symlink_to("/dev/null")
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(2):
        with pytest.raises(OSError, match="Invalid argument") as caught:
            ProcessLock.try_acquire(tmp_path / "lock")
        assert caught.value.filename == str(tmp_path / "lock")
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_writer_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), publishing_lock(tmp_path / "writer.lock"):
        raise KeyError
    with publishing_lock(tmp_path / "writer.lock"):
        pass
