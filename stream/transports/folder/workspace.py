"""Where a writer prepares its commits: a directory of its own, which nobody cleans up while it lives."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from stream.errors import Fatal
from stream.transports.folder.layout import WRITING
from stream.transports.folder.locks import ProcessLock

LOCK_NAME = "lock"


class Workspace:
    """The directory of one live writer; made and cleaned up only while the folder's writer lock is held."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / WRITING / uuid.uuid4().hex
        self.path.mkdir()
        lock = ProcessLock.try_acquire(self.path / LOCK_NAME)
        if lock is None:
            raise Fatal(f"{self.path}: a new directory is locked by somebody else")
        self._lock = lock
        self._owner = os.getpid()
        self._count = 0

    def next_directory(self) -> Path:
        """Create and return an empty directory for the next commit."""
        self._count += 1
        path = self.path / str(self._count)
        path.mkdir()
        return path

    def close(self) -> None:
        """Remove the directory and what is left in it; in a child process, which only has a copy, forget it."""
        if os.getpid() == self._owner:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()


def remove_abandoned(folder: Path) -> int:
    """Remove the directories of writers that live no more; return how many there were."""
    removed = 0
    for path in sorted((folder / WRITING).iterdir()):
        if not (path / LOCK_NAME).exists():
            shutil.rmtree(path, ignore_errors=True)  # its writer ended between making and locking it
            removed += 1
            continue
        lock = ProcessLock.try_acquire(path / LOCK_NAME)
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            lock.release()
            removed += 1
    return removed
