"""Where things lie in a folder, and whether its disk can hold them."""

from __future__ import annotations

import errno
import hashlib
import re
from pathlib import Path
from urllib.parse import quote

from stream.errors import ConfigurationError

COMMITS = "commits"
WRITING = "writing"
LOCKS = "locks"
COMMIT_FILE = "commit.json"
MAX_TOPIC_LENGTH = 230  # a segment's file name, topic and partition, has at most 255 characters

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Error numbers of a disk without room: whatever publishes waits until there is some."""

# Renames are not atomic for other machines, and locks are not seen by them, on these file systems.
_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs", "ncpfs", "coda"}
)


def commit_folder(folder: Path, sequence: int) -> Path:
    """Return the directory of a published commit."""
    return folder / COMMITS / f"{sequence:012d}"


def segment_name(topic: str, partition: int) -> str:
    """Return the file name of the segment of one topic and partition within a commit."""
    return f"{topic}-{partition}.avro"


def lock_file(folder: Path, kind: str, name: str) -> Path:
    """Return the lock file of a group or identity, whose name may hold any character."""
    quoted = quote(name, safe="")
    if len(quoted) > 200:
        quoted = hashlib.sha256(name.encode()).hexdigest()
    return folder / LOCKS / f"{kind}-{quoted}.lock"


def prepare(folder: Path) -> None:
    """Create the folder for writing.

    Raises:
        ConfigurationError: it cannot be created, or lies on a network file system.
    """
    try:
        for name in (COMMITS, WRITING, LOCKS):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"folder {folder} cannot be written: {error.strerror}") from error
    kind = file_system(folder.resolve(), Path("/proc/self/mountinfo").read_text())
    if is_network_file_system(kind):
        raise ConfigurationError(
            f"folder {folder} lies on a network file system ({kind}): expected a local disk; "
            "use kafka:// between machines"
        )


def is_network_file_system(kind: str) -> bool:
    """Return True for file systems whose locks and renames other machines may not see in time; FUSE counts as one."""
    return kind in _NETWORK_FILE_SYSTEMS or kind == "fuse" or kind.startswith("fuse.")


def file_system(path: Path, mountinfo: str) -> str:
    """Return the type of the file system that holds ``path``, from the text of ``/proc/self/mountinfo`` (proc(5)).

    Args:
        path: an absolute path with symbolic links resolved.
        mountinfo: the table; of two mounts on one place the later hides the earlier.
    """
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        place = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), fields[4]))
        if path.is_relative_to(place) and len(place.parts) >= best:
            best, kind = len(place.parts), after.split(" ")[0]
    return kind
