"""Locks on engines: a file beside each (``flock``), held by one process at a time and let go of when that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def lock_file(engine: Path) -> Path:
    """Return the lock of an engine."""
    return engine.with_suffix(".lock")


@contextmanager
def held(path: Path, busy: Callable[[], None] | None) -> Iterator[bool]:
    """Hold a lock, and say whether it is held.

    Whoever holds a lock may delete its file: who waited for it then waits for the file that took its place.

    Args:
        path: the lock's file, made where there is none.
        busy: told once that another process holds it, which is then waited for; None: it is not waited for.

    Raises:
        OSError: the folder cannot be written.
    """
    told = False
    while True:
        with path.open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if busy is None:
                    yield False
                    return
                if not told:
                    busy()
                told = True
                fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_there(path, lock.fileno()):
                yield True
                return


def _is_there(path: Path, descriptor: int) -> bool:
    """Return whether an open file still has its name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
