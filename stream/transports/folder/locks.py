"""Locks on files of a folder: who may be a group, an identity or a writer, and whose turn it is to publish.

``ProcessLock`` is a POSIX record lock: the kernel frees it when the process ends, however it ends, and a child process
never has it, neither after fork nor after exec. Such a lock belongs to a process, not to a file descriptor, so this
module also keeps the set of files that this process holds, and never opens one of those again.
``publishing_lock`` is a flock on a descriptor of its own: it also keeps threads of one process apart.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.transports.folder.layout import DISK_FULL

_held: set[tuple[int, int, int]] = set()
_held_guard = threading.Lock()


class ProcessLock:
    """A lock that one live process holds, until ``release`` or its end."""

    def __init__(self, descriptor: int, identity: tuple[int, int, int]) -> None:
        self._descriptor: int | None = descriptor
        self._identity = identity

    @classmethod
    def try_acquire(cls, path: Path) -> ProcessLock | None:
        """Return the lock on ``path``, which is created if need be, or None where somebody holds it.

        A full disk does not hinder it: the process id in the file is only for a message, and what is published later
        waits for room by itself.

        Raises:
            OSError: the file cannot be opened or written; it names the file, and nothing is held.
        """
        with _held_guard:
            if path.exists() and _identity(path.stat()) in _held:
                return None
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                os.close(descriptor)
                return None
            identity = _identity(os.fstat(descriptor))
            _held.add(identity)
        lock = cls(descriptor, identity)
        try:
            _write_pid(descriptor)
        except OSError as error:
            if error.errno not in DISK_FULL:
                lock.release()
                raise OSError(error.errno, error.strerror, str(path)) from error
        return lock

    def release(self) -> None:
        """Let others have the lock; in a child process, which never had it, only forget it."""
        with _held_guard:
            if self._descriptor is None:
                return
            os.close(self._descriptor)
            self._descriptor = None
            _held.discard(self._identity)


def holder(path: Path) -> str:
    """Return who holds a lock that could not be had, for a message: this process, or the process id in the file."""
    with _held_guard:
        if _identity(path.stat()) in _held:
            return "this process"
    pid = path.read_text().strip()
    return f"process {pid}" if pid else "another process"


@contextmanager
def publishing_lock(path: Path) -> Iterator[None]:
    """Wait for the folder's writer lock and hold it: milliseconds, while one commit is published."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _write_pid(descriptor: int) -> None:
    text = b"%d\n" % os.getpid()
    os.pwrite(descriptor, text, 0)  # before it is cut: what is there already has its block on a disk that is full
    os.ftruncate(descriptor, len(text))


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return os.getpid(), status.st_dev, status.st_ino
