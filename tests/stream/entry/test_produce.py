from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import Codec
from stream.entry import EntryLimits
from stream.errors import ConfigurationError
from stream.produce import produce
from stream.transports.folder import FolderPublisher, FolderReader


def values(folder: Path, topic: str = "ztf") -> list[bytes | None]:
    out: list[bytes | None] = []
    with closing(FolderReader(folder, [topic])) as reader:
        while not reader.at_end():
            out += [message.value for message in reader.read(1000, 1.0)]
    return out


def run(folder: Path, paths: Sequence[Path], **options: Any) -> Any:
    with closing(FolderPublisher(folder, "produce:ztf", "state")) as publisher:
        return produce(paths, "ztf", publisher, **options)


def make_tar(path: Path, members: Sequence[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        archive.addfile(_folder("alerts"))
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def _folder(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    return info


def test_real_alerts_enter_byte_for_byte(data_dir: Path, tmp_path: Path, codec: Codec) -> None:
    files = sorted(path for path in (data_dir / "alerts" / "ztf_ocf").rglob("*") if path.is_file())
    summary = run(tmp_path, [data_dir / "alerts" / "ztf_ocf"])
    assert summary.finished == len(files)
    came = values(tmp_path)
    plain = [path.read_bytes() for path in files if ".tar" not in path.name]
    assert [value for value in came if value in plain] == plain
    archives = [path for path in files if ".tar" in path.name]
    members = 0
    for path in archives:
        with tarfile.open(path) as archive:
            members += sum(1 for member in archive if member.isfile())
    assert len(came) == len(plain) + members
    assert all(value and codec.decode(value).record for value in came[:3])


def test_poison_is_a_message_like_any_other(data_dir: Path, tmp_path: Path) -> None:
    files = sorted((data_dir / "alerts" / "poison").iterdir())
    assert run(tmp_path, files).records == 6
    assert values(tmp_path) == [path.read_bytes() for path in files]


@pytest.mark.parametrize(("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.data", "w")])
def test_archive_is_its_members_in_order(tmp_path: Path, name: str, mode: str) -> None:
    path = make_tar(tmp_path / name, [(f"alerts/{i}", b"%d" % i * 1000) for i in range(5)], mode)
    assert run(tmp_path / "f", [path]).records == 5
    assert values(tmp_path / "f") == [b"%d" % i * 1000 for i in range(5)]
    assert run(tmp_path / "f", [path]).records == 0


def test_archive_is_resumed_at_the_member_where_it_stopped(tmp_path: Path, heard: Any) -> None:
    path = make_tar(tmp_path / "a.tar", [(str(i), b"%d" % i) for i in range(10)])
    stop = threading.Event()
    heard.on_published = lambda records: stop.set() if records == 3 else None
    assert run(tmp_path / "f", [path], limits=EntryLimits(max_records=3), report=heard, stop=stop).records == 3
    assert run(tmp_path / "f", [path]).records == 7
    assert values(tmp_path / "f") == [b"%d" % i for i in range(10)]


def test_equal_files_of_two_names_are_two_messages(tmp_path: Path) -> None:
    folder = tmp_path / "alerts"
    folder.mkdir()
    for name in ("a", "b", ".hidden", "c.part"):
        (folder / name).write_bytes(b"same")
    (folder / "empty").write_bytes(b"")
    assert run(tmp_path / "f", [folder]).records == 3
    assert values(tmp_path / "f") == [b"same", b"same", b""]
    (folder / "d").write_bytes(b"new")
    again = run(tmp_path / "f", [folder])
    assert (again.records, again.skipped) == (1, 3)


def test_what_is_too_large_or_broken_is_reported_and_the_rest_goes_on(tmp_path: Path, heard: Any) -> None:
    folder = tmp_path / "alerts"
    folder.mkdir()
    (folder / "a").write_bytes(b"x" * 101)
    make_tar(folder / "b.tar", [("large", b"y" * 101), ("small", b"y")])
    whole = make_tar(tmp_path / "whole.tar", [("1", b"z" * 20), ("2", b"z" * 3000)]).read_bytes()
    (folder / "c.tar").write_bytes(whole[:2600])
    (folder / "d.tar.gz").write_bytes(b"\x1f\x8b\x08 broken")
    (folder / "e").write_bytes(b"last")
    run(tmp_path / "f", [folder], max_message_bytes=100, report=heard)
    assert values(tmp_path / "f") == [b"y", b"z" * 20, b"last"]
    lines = [f"{source}: {why}" for source, why in heard.of("refused")]
    places = ("alerts/a", "b.tar:large", "c.tar", "d.tar.gz")
    assert all(place in " ".join(lines) for place in places)
    assert not any("\n" in line for line in lines)
    with pytest.raises(ConfigurationError, match="no such file"):
        run(tmp_path / "f", [tmp_path / "gone"])
