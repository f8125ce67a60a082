from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.codec import Codec
from stream.decode.message import MessageDecoder
from stream.decoded import Accepted
from stream.entry import EntryLimits
from stream.errors import ConfigurationError, Reason
from stream.produce import produce
from stream.transports.contract import Message, TopicPartition
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


@pytest.fixture(scope="session")
def seven_alerts(data_dir: Path) -> Path:
    """Return a container of seven real LSST alerts."""
    return data_dir / "alerts" / "fink_lsst" / "part-2-918301.avro"


def outcomes(messages: Sequence[bytes | None], codec: Codec) -> list[Any]:
    decoder = MessageDecoder(codec, image_topics=("lsst",))
    source = TopicPartition("lsst", 0)
    return [decoder.decode(Message(source, at, 0, None, value, (), 0)) for at, value in enumerate(messages)]


@pytest.mark.slow
def test_a_container_of_several_records_is_split_into_one_message_each(
    seven_alerts: Path, tmp_path: Path, codec: Codec
) -> None:
    assert [item.reason for item in outcomes([seven_alerts.read_bytes()], codec)] == [Reason.UNSUPPORTED]
    assert run(tmp_path, [seven_alerts], split=True).records == 7
    came = values(tmp_path)
    accepted = outcomes(came, codec)
    assert [(type(item), item.lane, item.identity.survey) for item in accepted] == [(Accepted, "image", "LSST")] * 7
    assert len({item.identity.fields for item in accepted}) == 7
    with seven_alerts.open("rb") as file:
        expected = list(fastavro.reader(file))
    assert [repr(next(fastavro.reader(io.BytesIO(value or b"")))) for value in came] == list(map(repr, expected))


@pytest.mark.slow
def test_split_again_gives_nothing_and_whole_files_are_not_doubled(
    seven_alerts: Path, data_dir: Path, tmp_path: Path, heard: Any
) -> None:
    one = data_dir / "alerts" / "pgir" / "114297926.avro"
    archive = make_tar(tmp_path / "a.tar", [("one", one.read_bytes()), ("seven", seven_alerts.read_bytes())])
    paths = [one, seven_alerts, archive]
    assert run(tmp_path / "f", paths).records == 4
    assert run(tmp_path / "f", paths, split=True).records == 14
    assert run(tmp_path / "f", paths, split=True).skipped == 3
    assert run(tmp_path / "f", paths, report=heard).skipped == 3
    assert len(values(tmp_path / "f")) == 18


@pytest.mark.slow
def test_what_was_begun_with_split_is_finished_so(seven_alerts: Path, tmp_path: Path, heard: Any) -> None:
    stop = threading.Event()
    heard.on_published = lambda _: stop.set()
    run(tmp_path / "f", [seven_alerts], split=True, limits=EntryLimits(max_records=3), report=heard, stop=stop)
    assert len(values(tmp_path / "f")) == 3
    run(tmp_path / "f", [seven_alerts])
    run(tmp_path / "g", [seven_alerts], split=True)
    assert values(tmp_path / "f") == values(tmp_path / "g")


@pytest.mark.slow
def test_a_container_larger_than_a_message_is_split_from_the_disk(seven_alerts: Path, tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tgz", [("seven", seven_alerts.read_bytes())], "w:gz")
    run(tmp_path / "f", [seven_alerts], split=True)
    largest = max(len(value or b"") for value in values(tmp_path / "f"))
    assert largest < seven_alerts.stat().st_size
    assert run(tmp_path / "g", [seven_alerts, archive], split=True, max_message_bytes=largest).records == 14
    assert values(tmp_path / "g") == values(tmp_path / "f") * 2
    summary = run(tmp_path / "h", [seven_alerts], split=True, max_message_bytes=largest - 1)
    assert (summary.refused > 0, summary.records + summary.refused) == (True, 7)


def test_split_leaves_alone_what_is_no_container_of_several(data_dir: Path, tmp_path: Path, heard: Any) -> None:
    poison = sorted((data_dir / "alerts" / "poison").iterdir())
    (tmp_path / "empty").write_bytes(b"")
    paths = [*poison, data_dir / "alerts" / "lsst_wire_matrix" / "lsst.v10_0.avro", tmp_path / "empty"]
    assert run(tmp_path / "f", paths, split=True, report=heard).refused == 0
    assert values(tmp_path / "f") == [path.read_bytes() for path in paths]


def test_a_cut_container_gives_the_records_before_the_cut_and_says_so(tmp_path: Path, heard: Any) -> None:
    schema = {"type": "record", "name": "r", "fields": [{"name": "n", "type": "int"}]}
    stream = io.BytesIO()
    fastavro.writer(stream, schema, [{"n": n} for n in range(40)], codec="deflate", sync_interval=1)
    (tmp_path / "cut.avro").write_bytes(stream.getvalue()[:-9])
    summary = run(tmp_path / "f", [tmp_path / "cut.avro"], split=True, report=heard)
    assert summary.refused == 1
    got = [next(fastavro.reader(io.BytesIO(value or b"")))["n"] for value in values(tmp_path / "f")]
    assert got == list(range(39))
    assert "record 40: the container ends" in heard.of("refused")[0][1]


@pytest.mark.slow
def test_a_split_that_is_killed_again_and_again_gives_each_record_exactly_once(
    seven_alerts: Path, tmp_path: Path, kill_again_and_again: Callable[..., None]
) -> None:
    call = 'produce([path], "ztf", publisher, split=True, limits=EntryLimits(max_records=2))'
    kill_again_and_again(call, seven_alerts, tmp_path / "f", "produce:ztf", [4, 7, 9])
    run(tmp_path / "g", [seven_alerts], split=True)
    assert values(tmp_path / "f") == values(tmp_path / "g")
