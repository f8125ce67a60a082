"""The messages that a file holds: itself, the members of a tar archive, or the records of an Avro container."""

from __future__ import annotations

import io
import mmap
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from schemas.container import Buffer
from schemas.errors import Undecodable
from schemas.splitting import is_container, split_container

TAR_SUFFIXES: Final = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
UNREADABLE: Final = (OSError, tarfile.TarError, EOFError, zlib.error)

_TAR_MAGIC_AT, _TAR_MAGIC = 257, b"ustar"


@dataclass(frozen=True, slots=True)
class FileMessage:
    """One message of a file.

    Attributes:
        place: where it was found, for people.
        value: its bytes; None for what cannot be a message.
        refusal: why there are no bytes, or why there are no more.
        file_number: of an archive, which of its files it came from, counted from 0.
        is_part: whether it is one of several records of that file.
    """

    place: str
    value: bytes | None
    refusal: str | None = None
    file_number: int = 0
    is_part: bool = False


def messages_of(path: Path, max_message_bytes: int, *, split: bool = False) -> Iterator[FileMessage]:
    """Yield the messages of a file, in order and the same ones each time.

    Args:
        path: a file, or a tar archive (told by its name or its first bytes).
        max_message_bytes: what is larger is refused.
        split: an Avro container of several records becomes one message per record. A container of one record, and one
            that cannot be read, stay as they are: nothing is lost, the classifier says what is wrong with it.

    Raises:
        OSError: the file cannot be read; see ``UNREADABLE`` for what else an archive may raise.
    """
    if not _is_tar(path):
        with path.open("rb") as file:
            yield from _messages(file, str(path), path.stat().st_size, 0, max_message_bytes, split)
        return
    with tarfile.open(path, "r|*") as archive:
        members = (member for member in archive if member.isfile())
        for number, member in enumerate(members):
            content = archive.extractfile(member)
            if content is not None:
                yield from _messages(content, f"{path}:{member.name}", member.size, number, max_message_bytes, split)


def _messages(
    file: IO[bytes], place: str, size_bytes: int, number: int, max_message_bytes: int, split: bool
) -> Iterator[FileMessage]:
    if split and size_bytes:
        with _buffer(file, size_bytes, max_message_bytes) as value:
            if is_container(value):
                yield from _parts(value, place, number, max_message_bytes)
            else:
                yield _whole(value, place, number, max_message_bytes)
    elif size_bytes <= max_message_bytes:
        yield FileMessage(place, file.read(), file_number=number)
    else:
        yield FileMessage(place, None, _too_large(max_message_bytes), number)


@contextmanager
def _buffer(file: IO[bytes], size_bytes: int, max_message_bytes: int) -> Iterator[Buffer]:
    """Yield the content of a file: in memory where it could be a message, else mapped from the disk."""
    if size_bytes <= max_message_bytes:
        yield file.read()
        return
    if isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO):
        with closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as value:
            yield value
        return
    with tempfile.TemporaryFile(prefix="specstream-") as copy:  # a member of an archive has no descriptor of its own
        shutil.copyfileobj(file, copy)
        copy.flush()
        with closing(mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ)) as value:
            yield value


def _parts(value: Buffer, place: str, number: int, max_message_bytes: int) -> Iterator[FileMessage]:
    """Yield the records of a container; the container itself where it holds one, none, or cannot be read at all."""
    parts = split_container(value)
    count = 0
    held: bytes | None = None
    try:
        for part in parts:
            count += 1
            if count == 1:
                held = part
                continue
            if held is not None:
                yield _part(held, place, number, 1, max_message_bytes)
                held = None
            yield _part(part, place, number, count, max_message_bytes)
    except Undecodable as error:
        if count > 1:
            why = f"record {count + 1}: {error.message}; the {count} records before it are taken"
            yield FileMessage(place, None, why, number, is_part=True)
            return
    if count <= 1:
        yield _whole(value, place, number, max_message_bytes)


def _part(part: bytes, place: str, number: int, count: int, max_message_bytes: int) -> FileMessage:
    if len(part) > max_message_bytes:
        return FileMessage(f"{place}: record {count}", None, _too_large(max_message_bytes), number, is_part=True)
    return FileMessage(place, part, file_number=number, is_part=True)


def _whole(value: Buffer, place: str, number: int, max_message_bytes: int) -> FileMessage:
    if len(value) > max_message_bytes:
        return FileMessage(place, None, _too_large(max_message_bytes), number)
    return FileMessage(place, value[:], file_number=number)


def _too_large(max_message_bytes: int) -> str:
    return f"larger than {max_message_bytes} bytes"


def _is_tar(path: Path) -> bool:
    if path.name.lower().endswith(TAR_SUFFIXES):
        return True
    with path.open("rb") as file:
        file.seek(_TAR_MAGIC_AT)
        return file.read(len(_TAR_MAGIC)) == _TAR_MAGIC
