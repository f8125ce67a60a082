"""Files that enter the stream: which ones there are, whether they are complete, and by what they are known again.

A file is known by the SHA-256 of its content, because names and times change when files are moved or copied; the stat
that goes with a digest spares reading an unchanged file again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from stream.errors import ConfigurationError

FITS_SUFFIXES = tuple(f".{name}{packed}" for name in ("fits", "fit", "fts") for packed in ("", ".gz", ".fz"))
FITS_BLOCK_BYTES = 2880
LOOKS_UNTIL_BROKEN = 30
UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".filepart", ".crdownload", "~")


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What a file looked like: its resolved path, size [byte] and modification time [ns since 1970]."""

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> FileStamp:
        """Return the stamp of a file.

        Raises:
            OSError: it is not there.
        """
        status = path.stat()
        return cls(str(path.resolve()), status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class FileProgress:
    """How much of a file, or of files that are read as one, is in the stream.

    Attributes:
        files: the stamp and SHA-256 (hex) of each file.
        records: how many of their records are in, counted from the first.
        done: True when all are.
    """

    files: tuple[tuple[FileStamp, str], ...]
    records: int
    done: bool

    def to_text(self) -> str:
        """Return the value of a progress key."""
        files = [{**asdict(stamp), "sha256": digest} for stamp, digest in self.files]
        return json.dumps({"files": files, "records": self.records, "done": self.done}, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> FileProgress:
        """Return what a progress key says."""
        found = json.loads(text)
        files = ((FileStamp(f["path"], f["size"], f["mtime_ns"]), f["sha256"]) for f in found["files"])
        return cls(tuple(files), found["records"], found["done"])


class KnownFiles:
    """The files that earlier runs published from, found by content.

    Args:
        progress: a publisher's progress: key to ``FileProgress`` text.
        qualifier: what else the keys say of the work, for example the row selection.
    """

    def __init__(self, progress: Mapping[str, str], qualifier: str = "") -> None:
        self._qualifier = qualifier
        self._progress = {key: FileProgress.from_text(value) for key, value in progress.items()}
        self._digests = {stamp: digest for known in self._progress.values() for stamp, digest in known.files}

    def digest(self, stamp: FileStamp) -> str:
        """Return the SHA-256 (hex) of a file, reading it only where its stamp is new.

        Raises:
            OSError: it cannot be read.
        """
        known = self._digests.get(stamp)
        if known is None:
            with Path(stamp.path).open("rb") as file:
                known = self._digests[stamp] = hashlib.file_digest(file, "sha256").hexdigest()
        return known

    def key(self, digests: Iterable[str]) -> str:
        """Return the progress key of files that are read as one."""
        return f"sha256:{'+'.join(digests)}{self._qualifier}"

    def progress(self, key: str) -> FileProgress | None:
        """Return how much is in the stream; None for what is new."""
        return self._progress.get(key)

    def note(self, key: str, progress: FileProgress) -> None:
        """Remember what is published."""
        self._progress[key] = progress


def check_paths(paths: Iterable[Path]) -> None:
    """Raise ConfigurationError, naming the first, unless every path is there and no device, which may never end."""
    for path in paths:
        if not path.exists():
            raise ConfigurationError(f"{path}: no such file or folder")
        if path.is_char_device() or path.is_block_device():
            raise ConfigurationError(f"{path}: expected a file or folder, received a device")


def expand(paths: Iterable[Path], suffixes: Collection[str] | None) -> Iterator[Path]:
    """Yield the files that paths stand for: a file is itself, a folder all finished files below it, sorted by path.

    A folder that cannot be listed is itself, so that reading it says why; names that begin with a dot are left out, and
    links to folders are not followed.

    Args:
        paths: files and folders.
        suffixes: endings of the names wanted from folders; None: all.
    """
    wanted = None if suffixes is None else tuple(suffixes)
    for path in paths:
        if path.is_dir():
            yield from _below(path, wanted)
        else:
            yield path


def _below(folder: Path, suffixes: tuple[str, ...] | None) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        yield folder
        return
    for entry in found:
        name = entry.name.lower()
        if name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(folder / entry.name, suffixes)
            continue
        wanted = not name.endswith(UNFINISHED_SUFFIXES) and (suffixes is None or name.endswith(suffixes))
        if wanted and entry.is_file():
            yield folder / entry.name


class Completeness:
    """Tells files that are complete from those still being written, by looking twice.

    A file is complete once it looks the same at two successive looks, is not empty, and, being an uncompressed FITS
    file, consists of whole blocks of 2880 bytes (FITS Standard 4.0, section 3.1). One that has not grown to whole
    blocks for ``LOOKS_UNTIL_BROKEN`` looks will not: it counts as complete, so that its reader says what it lacks.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[FileStamp, int]] = {}

    def complete(self, path: Path) -> FileStamp | None:
        """Look at a file; return its stamp if it is complete."""
        try:
            stamp = FileStamp.of(path)
        except OSError:
            self._seen.pop(path, None)
            return None
        before, looks = self._seen.get(path, (None, 0))
        looks = looks + 1 if before == stamp else 1
        self._seen[path] = stamp, looks
        whole = stamp.size > 0 and (path.name.lower().endswith(".gz") or stamp.size % FITS_BLOCK_BYTES == 0)
        return stamp if looks >= (2 if whole else LOOKS_UNTIL_BROKEN) else None
