"""One process per group, identity or archive on a folder."""

from __future__ import annotations

from pathlib import Path

from stream.errors import Fatal
from stream.transports.folder.layout import lock_file, prepare
from stream.transports.folder.locks import ProcessLock, holder


def claim(folder: Path, kind: str, name: str) -> ProcessLock:
    """Return the lock of the one process that may be this ``kind`` of this ``name``; the folder is created if need be.

    Raises:
        Fatal: another live process has it.
        ConfigurationError: the folder cannot be written or lies on a network file system.
    """
    prepare(folder)
    path = lock_file(folder, kind, name)
    lock = ProcessLock.try_acquire(path)
    if lock is None:
        raise Fatal(f"{kind} {name!r} on folder {folder} is in use by {holder(path)}: expected one process for it")
    return lock
