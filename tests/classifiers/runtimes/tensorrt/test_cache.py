"""Engines are found by what they depend on; damaged and foreign ones are refused with expected and found."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.runtimes.tensorrt.cache import EngineCache, Kept, Key, default_folder, engine_key, write_whole
from classifiers.runtimes.tensorrt.card import Card

H100 = Card("NVIDIA H100 80GB HBM3", "9.0", "570.86.15")
ENGINE = bytes(range(256)) * 40


def key(**changed: Any) -> Key:
    """Return a key that differs from the usual one in what is named."""
    return replace(engine_key(b"graph", "tensorrt", "11.4.1", H100, (16, 64), "fp16"), **changed)


OTHERS = {
    "onnx_sha256": "0" * 64,
    "library": "tensorrt_rtx",
    "version": "11.4.2",
    "gpu": "NVIDIA A10",
    "compute_capability": "8.6",
    "driver": "580.65.06",
    "buckets": (16,),
    "dtype": "bf16",
    "recipe": 0,
}


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    """Return an empty cache."""
    return EngineCache(tmp_path / "engines")


def keep(cache: EngineCache, of: Key) -> Kept:
    """Keep the usual engine under a key."""
    return cache.keep(of, ENGINE, program="a+b", seconds=1.5, layers=[("conv", "fp16")])


def test_an_engine_is_found_again_with_its_record(cache: EngineCache) -> None:
    """Byte for byte, and another process finds it by the same key."""
    assert cache.find(key()) == ""
    kept = keep(cache, key())
    found = EngineCache(cache.folder).find(key())
    assert found == kept
    assert isinstance(found, Kept)
    assert found.engine == ENGINE
    assert found.record.program == "a+b"
    assert found.record.layers == (("conv", "fp16"),)
    assert sorted(path.suffix for path in cache.folder.iterdir()) == [".engine", ".json"]


def test_every_part_of_the_key_is_tried() -> None:
    """A part that is added to the key is added to these tests."""
    assert set(asdict(key())) == set(OTHERS)


@pytest.mark.parametrize("part", sorted(OTHERS))
def test_each_part_of_the_key_names_another_file(part: str) -> None:
    """What an engine depends on decides where it lies."""
    assert key(**{part: OTHERS[part]}).name != key().name


def test_the_key_depends_on_nothing_but_its_parts() -> None:
    """The same program on the same machine finds its engine in every process; this name is for ever."""
    fixed = Key("a" * 64, "tensorrt", "11.4.1", "NVIDIA H100", "9.0", "570.86.15", (16, 64), "fp16", 1)
    assert fixed.name == "20974acb74b55d2631ba6997cc7167d31bde7d4bfe6b138b353edafce0266afe"


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_graphs_have_equal_keys_only_where_they_are_equal(one: bytes, other: bytes) -> None:
    """The graph is in the key by its digest."""
    keys = [engine_key(graph, "tensorrt", "11.4.1", None, (16,), "fp32").name for graph in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("gpu", "expected GPU NVIDIA A10, found NVIDIA H100 80GB HBM3"),
        ("compute_capability", "expected compute capability 8.6, found 9.0"),
        ("driver", "expected driver 580.65.06, found 570.86.15"),
        ("version", "expected version of the library 11.4.2, found 11.4.1"),
        ("library", "expected library tensorrt_rtx, found tensorrt"),
    ],
)
def test_an_engine_made_for_something_else_is_refused_with_expected_and_found(
    cache: EngineCache, part: str, words: str
) -> None:
    """A folder that travelled to another machine says why its engines are built again."""
    kept = keep(cache, key())
    reason = cache.find(key(**{part: OTHERS[part]}))
    assert reason == f"{kept.path}: {words}"


@pytest.mark.parametrize("part", ["onnx_sha256", "buckets", "dtype"])
def test_an_engine_of_another_program_is_no_news(cache: EngineCache, part: str) -> None:
    """A folder holds engines of many programs, and nothing is said of those that nobody asked for."""
    keep(cache, key())
    assert cache.find(key(**{part: OTHERS[part]})) == ""


def test_an_engine_under_anothers_name_is_refused(cache: EngineCache) -> None:
    """The record is believed, not the file's name."""
    kept, wanted = keep(cache, key()), key(gpu="NVIDIA A10")
    for suffix in (".engine", ".json"):
        kept.path.with_suffix(suffix).rename(cache.path(wanted).with_suffix(suffix))
    assert cache.find(wanted) == f"{cache.path(wanted)}: expected GPU NVIDIA A10, found NVIDIA H100 80GB HBM3"


def test_a_truncated_engine_is_refused(cache: EngineCache) -> None:
    """By its size, with both."""
    kept = keep(cache, key())
    kept.path.write_bytes(ENGINE[:-1])
    assert cache.find(key()) == f"{kept.path}: expected {len(ENGINE)} bytes, found {len(ENGINE) - 1}"


@given(st.integers(0, len(ENGINE) - 1), st.integers(0, 7))
def test_an_engine_with_any_bit_flipped_is_refused(
    tmp_path_factory: pytest.TempPathFactory, byte: int, bit: int
) -> None:
    """By its digest."""
    cache = EngineCache(tmp_path_factory.mktemp("flipped"))
    kept = keep(cache, key())
    damaged = bytearray(ENGINE)
    damaged[byte] ^= 1 << bit
    kept.path.write_bytes(damaged)
    assert f"{kept.path}: expected sha256 {kept.record.engine_sha256}, found " in str(cache.find(key()))


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b'{"key": {}, "extra": 1}', b"\xff\xfe"])
def test_a_record_that_is_none_is_refused(cache: EngineCache, content: bytes) -> None:
    """The engine beside it is not used."""
    kept = keep(cache, key())
    kept.path.with_suffix(".json").write_bytes(content)
    assert f"{kept.path.with_suffix('.json')}: expected the record of an engine" in str(cache.find(key()))


@pytest.mark.parametrize("suffix", [".engine", ".json"])
def test_half_of_an_engines_files_is_no_engine(cache: EngineCache, suffix: str) -> None:
    """As a crash between the two leaves them."""
    kept = keep(cache, key())
    kept.path.with_suffix(suffix).unlink()
    assert not isinstance(cache.find(key()), Kept)


def test_a_damaged_engine_is_replaced_by_the_next_one_kept(cache: EngineCache) -> None:
    """Refused, built, found."""
    kept = keep(cache, key())
    kept.path.write_bytes(b"damaged")
    assert isinstance(cache.find(key()), str)
    keep(cache, key())
    assert isinstance(cache.find(key()), Kept)


def test_readers_never_see_half_a_file_while_it_is_replaced(tmp_path: Path) -> None:
    """A file is the old one or the new one, each whole; and no other file stays behind."""
    path, contents = tmp_path / "file", [bytes([n]) * 100_000 for n in (1, 2)]
    write_whole(path, contents[0])
    done = threading.Event()

    def write() -> None:
        for i in range(100):
            write_whole(path, contents[i % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert path.read_bytes() in contents
    writer.join()
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_record_says_in_json_what_the_engine_is(cache: EngineCache) -> None:
    """A person who looks into the folder can tell the engines apart."""
    kept = keep(cache, key())
    record = json.loads(kept.path.with_suffix(".json").read_text())
    assert record["key"] == {**asdict(key()), "buckets": [16, 64]}
    assert (record["program"], record["engine_bytes"]) == ("a+b", len(ENGINE))


def test_the_folder_follows_the_xdg_base_directories() -> None:
    """An absolute XDG_CACHE_HOME, else ~/.cache; a relative one is to be ignored, says the specification."""
    home = Path("/home/she")
    assert default_folder({"XDG_CACHE_HOME": "/fast"}, home) == Path("/fast/specstream/engines")
    assert default_folder({}, home) == Path("/home/she/.cache/specstream/engines")
    assert default_folder({"XDG_CACHE_HOME": "relative"}, home) == Path("/home/she/.cache/specstream/engines")
