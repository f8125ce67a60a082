from __future__ import annotations

import gzip
import os
import random
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from schemas.codec import Codec
from stream.entry import EntryLimits
from stream.errors import ConfigurationError, Retryable
from stream.ingest import ingest, message_key
from stream.source_files import Completeness, FileStamp, expand
from stream.transports.contract import Message, Output
from stream.transports.folder import FolderPublisher, FolderReader

MakeExposure = Callable[..., Path]


def read_all(folder: Path, topic: str = "l1") -> list[Message]:
    out: list[Message] = []
    with closing(FolderReader(folder, [topic])) as reader:
        while not reader.at_end():
            out += reader.read(1000, 1.0)
    return out


def ids(folder: Path, codec: Codec) -> list[str]:
    return [codec.decode(message.value or b"").record["l1_id"] for message in read_all(folder)]


def run(folder: Path, paths: Sequence[Path], codec: Codec, **options: Any) -> Any:
    with closing(FolderPublisher(folder, "ingest:l1", "state")) as publisher:
        return ingest(paths, "l1", publisher, codec, **options)


@pytest.mark.slow
def test_every_spectrum_of_every_sample_file_enters_once(
    data_dir: Path, tmp_path: Path, codec: Codec, heard: Any
) -> None:
    paths = [data_dir / "fits"]
    summary = run(tmp_path, paths, codec, report=heard)
    assert (summary.records, summary.finished, summary.refused) == (12, 11, 0)
    assert sum(records for _, records in heard.of("finished")) == 12
    came = read_all(tmp_path)
    for message in came:
        record = codec.decode(message.value or b"").record
        assert message.key == message_key(record)
    again = run(tmp_path, paths, codec, report=heard)
    assert (again.records, again.skipped) == (0, 11)
    assert read_all(tmp_path) == came


def test_moved_and_copied_files_do_not_enter_again(tmp_path: Path, codec: Codec, make_exposure: MakeExposure) -> None:
    night = tmp_path / "night"
    night.mkdir()
    make_exposure(night / "a.fits", 3)
    run(tmp_path / "f", [night], codec)
    shutil.copy(night / "a.fits", night / "copy.fits")
    (night / "a.fits").rename(night / "b.fits")
    make_exposure(night / "c.fits", 2, first=10)
    summary = run(tmp_path / "f", [night], codec)
    assert (summary.records, summary.finished, summary.skipped) == (2, 1, 2)
    assert len(ids(tmp_path / "f", codec)) == 5


def test_rows_select_spectra_and_another_selection_is_other_work(
    tmp_path: Path, codec: Codec, make_exposure: MakeExposure
) -> None:
    path = make_exposure(tmp_path / "a.fits", 8)
    assert run(tmp_path / "f", [path], codec, rows="OBJ_FLAG & 1 != 0").records == 4
    assert run(tmp_path / "f", [path], codec, rows="OBJ_FLAG & 1 != 0").records == 0
    assert run(tmp_path / "f", [path], codec, rows="OBJ_FLAG & 1 == 0").records == 4
    assert Counter(ids(tmp_path / "f", codec)) == Counter(f"4MOST-{i:05d}" for i in range(8))
    with pytest.raises(ConfigurationError, match="NO_SUCH"):
        run(tmp_path / "f", [path], codec, rows="NO_SUCH > 1")


def test_bad_files_are_reported_once_and_the_rest_goes_on(
    tmp_path: Path, codec: Codec, make_exposure: MakeExposure, heard: Any
) -> None:
    night = tmp_path / "night"
    night.mkdir()
    make_exposure(night / "b.fits", 2)
    (night / "a.fits").write_bytes(b"no FITS file")
    whole = make_exposure(night / "c.fits", 2, n_pixels=3000).read_bytes()
    (night / "c.fits").write_bytes(whole[: len(whole) // 2])
    (night / ".hidden.fits").write_bytes(b"")
    (night / "d.fits.part").write_bytes(b"")
    summary = run(tmp_path / "f", [night], codec, report=heard)
    assert (summary.records, summary.finished) == (2, 1)
    lines = [f"{source} {why}" for source, why in heard.of("refused")]
    assert len(lines) == 2
    assert "a.fits" in lines[0]
    assert "c.fits" in lines[1]
    assert not any("\n" in line for line in lines)


def test_folder_of_all_sorts_gives_its_spectra_and_one_line_for_each_other_file(
    data_dir: Path, tmp_path: Path, codec: Codec, heard: Any
) -> None:
    night = tmp_path / "night"
    (night / "deeper.fits").mkdir(parents=True)
    spectrum = (data_dir / "fits" / "sdss-spec-1599-53089-0469.fits").read_bytes()
    (night / "deeper.fits" / "whole.fits.gz").write_bytes(gzip.compress(spectrum, compresslevel=1))
    (night / "notes.txt").write_text("not asked for")
    fits.PrimaryHDU(np.zeros((20, 20), np.float32)).writeto(night / "image.fits")
    positions = fits.BinTableHDU.from_columns([fits.Column("RA", "D", array=[1.0, 2.0])], name="CATALOGUE")
    fits.HDUList([fits.PrimaryHDU(), positions]).writeto(night / "catalogue.fits")
    (night / "cut.fits").write_bytes(spectrum[:90_000])
    (night / "cut.fits.gz").write_bytes(gzip.compress(spectrum, compresslevel=1)[:20_000])
    (night / "empty.fits").touch()
    (night / "text.fits").write_text("no FITS file")
    summary = run(tmp_path / "f", [night], codec, report=heard)
    lines = [f"{source} {why}" for source, why in heard.of("refused")]
    assert (summary.records, summary.finished, summary.refused) == (1, 1, len(lines))
    says = {
        "catalogue.fits": "extensions PRIMARY, CATALOGUE",
        "cut.fits[COADD]": "truncated",
        "cut.fits.gz": "truncated",
        "empty.fits": "is empty",
        "image.fits": "no survey's layout is recognised",
        "text.fits": "is not a FITS file",
    }
    for (name, why), line in zip(says.items(), lines, strict=True):
        assert name in line
        assert why in line
        assert "\n" not in line


def test_missing_path_ends_before_anything_enters(tmp_path: Path, codec: Codec) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.fits: no such file or folder"):
        run(tmp_path / "f", [tmp_path / "gone.fits"], codec)


def test_transactions_are_bounded_and_resumed_within_a_file(
    tmp_path: Path, codec: Codec, make_exposure: MakeExposure, heard: Any
) -> None:
    path = make_exposure(tmp_path / "a.fits", 25)
    stop = threading.Event()
    heard.on_published = lambda records: stop.set() if records >= 8 else None
    limits = EntryLimits(max_records=4)
    summary = run(tmp_path / "f", [path], codec, limits=limits, report=heard, stop=stop)
    assert summary.records == 8
    assert heard.of("published") == [[4, n] for _, n in heard.of("published")]
    assert run(tmp_path / "f", [path], codec, limits=limits).records == 17
    assert ids(tmp_path / "f", codec) == [f"4MOST-{i:05d}" for i in range(25)]


def test_bytes_bound_a_transaction_too(tmp_path: Path, codec: Codec, make_exposure: MakeExposure, heard: Any) -> None:
    path = make_exposure(tmp_path / "a.fits", 10, n_pixels=1000)
    run(tmp_path / "f", [path], codec, limits=EntryLimits(max_bytes=20_000), report=heard)
    published = [rest for rest in heard.of("published") if rest[0]]
    assert len(published) >= 4
    assert all(size < 20_000 + 12_000 for _, size in published)


class Flaky(FolderPublisher):
    """A publisher whose broker is away every other time."""

    calls = 0

    def publish(self, outputs: Sequence[Output], progress: Any) -> None:
        self.calls += 1
        if self.calls % 2:
            raise Retryable("broker away")
        super().publish(outputs, progress)


def test_broker_that_is_away_is_waited_for(
    tmp_path: Path, codec: Codec, make_exposure: MakeExposure, heard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.entry.RETRY_S", 0.001)
    path = make_exposure(tmp_path / "a.fits", 6)
    with closing(Flaky(tmp_path / "f", "ingest:l1", "state")) as publisher:
        ingest([path], "l1", publisher, codec, limits=EntryLimits(max_records=2), report=heard)
    assert len(ids(tmp_path / "f", codec)) == 6
    assert heard.of("waiting") == [["broker away"]] * (publisher.calls // 2)


def test_watched_folder_gives_files_once_they_are_complete(
    tmp_path: Path, codec: Codec, make_exposure: MakeExposure, heard: Any
) -> None:
    night = tmp_path / "night"
    night.mkdir()
    make_exposure(night / "a.fits", 2)
    source = make_exposure(tmp_path / "source.fits", 3, first=10).read_bytes()
    arrived = {2: threading.Event(), 5: threading.Event(), 7: threading.Event()}
    heard.on_published = lambda records: arrived[records].set() if records in arrived else None
    stop = threading.Event()
    done: list[Any] = []
    watcher = threading.Thread(
        target=lambda: done.append(
            run(tmp_path / "f", [night], codec, watch=True, watch_interval_s=0.05, report=heard, stop=stop)
        )
    )
    watcher.start()
    assert arrived[2].wait(60)
    with (night / "slow.fits").open("wb") as file:  # an incomplete block: it cannot be whole yet
        file.write(source[:-100])
        file.flush()
        make_exposure(tmp_path / "later.fits", 2, first=20).rename(night / ".later.fits")
        (night / "bad.fits").write_bytes(b"x" * 2880)
        assert not arrived[5].wait(0.4)
        file.write(source[-100:])
    assert arrived[5].wait(60)
    (night / ".later.fits").rename(night / "later.fits")
    assert arrived[7].wait(60)
    stop.set()
    watcher.join(60)
    assert len(done) == 1
    assert (done[0].records, done[0].finished) == (7, 3)
    assert len([line for line in heard.of("refused") if "bad.fits" in " ".join(line)]) == 1
    assert len(set(ids(tmp_path / "f", codec))) == 7


def test_file_is_complete_when_two_looks_agree_on_whole_blocks(tmp_path: Path) -> None:
    looks = Completeness()
    path = tmp_path / "a.fits"
    assert looks.complete(path) is None
    path.write_bytes(b"x" * 2880)
    assert looks.complete(path) is None
    assert looks.complete(path) == FileStamp.of(path)
    path.write_bytes(b"x" * 2881)
    seen = [looks.complete(path) for _ in range(40)]
    assert seen[:20] == [None] * 20
    assert seen[-1] == FileStamp.of(path), "a file that stays broken is handed on, so that somebody says so"
    zipped = tmp_path / "a.fits.gz"
    zipped.write_bytes(b"x" * 11)
    assert [looks.complete(zipped), looks.complete(zipped)] == [None, FileStamp.of(zipped)]


def test_folders_are_read_in_order_of_path(tmp_path: Path) -> None:
    for name in ("b/1.fits", "a.FITS", "b/.x/2.fits", "c.txt", "d.fits.gz", "e.fits~", "f.fits.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"x")
    found = [path.relative_to(tmp_path).as_posix() for path in expand([tmp_path], (".fits", ".fits.gz"))]
    assert found == ["a.FITS", "b/1.fits", "d.fits.gz"]
    assert list(expand([tmp_path / "c.txt"], (".fits",))) == [tmp_path / "c.txt"]


def test_folder_that_cannot_be_listed_is_named_and_the_rest_goes_on(
    tmp_path: Path, codec: Codec, make_exposure: MakeExposure, heard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = tmp_path / "night"
    (night / "a").mkdir(parents=True)
    make_exposure(night / "b.fits", 2)
    listed = os.scandir

    def scandir(folder: Path) -> Any:
        if folder == night / "a":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(os, "scandir", scandir)  # tests may run as root, whom no permission stops
    summary = run(tmp_path / "f", [night], codec, report=heard)
    assert (summary.records, summary.refused) == (2, 1)
    ((source, why),) = heard.of("refused")
    assert source == str(night / "a")
    assert why


@pytest.mark.slow
def test_ingest_killed_again_and_again_gives_each_spectrum_exactly_once(
    tmp_path: Path, codec: Codec, make_exposure: MakeExposure, kill_again_and_again: Callable[..., None]
) -> None:
    path = make_exposure(tmp_path / "exposure.fits", 60)
    seeded = random.Random(4)
    call = 'ingest([path], "l1", publisher, codec, limits=EntryLimits(max_records=7))'
    kill_again_and_again(call, path, tmp_path / "f", "ingest:l1", [seeded.randint(5, 25) for _ in range(5)])
    assert ids(tmp_path / "f", codec) == [f"4MOST-{i:05d}" for i in range(60)]
