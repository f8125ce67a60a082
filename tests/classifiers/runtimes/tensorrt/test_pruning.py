"""Engines that were replaced go once nobody has used them for long; nothing else does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from classifiers.runtimes.program import Program
from classifiers.runtimes.tensorrt.cache import EngineCache, Kept, Key, engine_key
from classifiers.runtimes.tensorrt.card import Card
from classifiers.runtimes.tensorrt.compiling import compile_ahead
from classifiers.runtimes.tensorrt.locks import held, lock_file
from classifiers.runtimes.tensorrt.pruning import UNUSED_DAYS, prune

H100 = Card("NVIDIA H100 80GB HBM3", "9.0", "570.86.15")
NOW = 1_800_000_000.0
DAY_S = 86_400.0
LONG_AGO = NOW - (UNUSED_DAYS + 1) * DAY_S
CHANGES = {"onnx_sha256": "0" * 64, "version": "11.4.0", "driver": "565.57.01", "recipe": 0}


def key(**changed: Any) -> Key:
    """Return a key that differs from the usual one in what is named."""
    return replace(engine_key(b"graph", "tensorrt", "11.4.1", H100, (16, 64), "fp16"), **changed)


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines")


def keep(cache: EngineCache, of: Key, program: str = "a+b", used: float = LONG_AGO) -> Kept:
    """Keep an engine as its builder and its users leave it, found for the last time when it is said."""
    kept = cache.keep(of, b"engine" * 1000, program=program, seconds=1.5)
    kept.path.with_suffix(".kernels").write_bytes(b"kernels")
    lock_file(kept.path).touch()
    os.utime(kept.path.with_suffix(".json"), (used, used))
    return kept


def names(cache: EngineCache) -> set[str]:
    """Return the engines that are there, and see that each has all its files and no other is left."""
    files = {path.name for path in cache.folder.iterdir()}
    there = {name.removesuffix(".engine") for name in files if name.endswith(".engine")}
    assert files == {f"{name}.{suffix}" for name in there for suffix in ("engine", "json", "kernels", "lock")}
    return there


@pytest.mark.parametrize("part", sorted(CHANGES))
def test_what_was_replaced_and_not_used_for_long_goes_with_all_its_files(cache: EngineCache, part: str) -> None:
    """A new graph, library, driver or way of building replaces; one line says what went."""
    old, new = keep(cache, key(**{part: CHANGES[part]})), keep(cache, key(), used=NOW)
    told: list[str] = []
    assert prune(cache, new, NOW, told.append) == (old.path,)
    assert names(cache) == {key().name}
    assert told == [f"{old.path}: deleted, 0.0 MB that were replaced and not used for 30 days"]
    assert isinstance(cache.find(key()), Kept)


@pytest.mark.parametrize(
    "other",
    [
        {"gpu": "NVIDIA A10"},
        {"compute_capability": "8.6"},
        {"dtype": "fp32"},
        {"library": "tensorrt_rtx"},
    ],
)
def test_engines_for_another_machine_or_format_stay(cache: EngineCache, other: dict[str, Any]) -> None:
    """Whatever else of them is old: who shares the folder may need them."""
    keep(cache, key(**CHANGES, **other))
    assert prune(cache, keep(cache, key(), used=NOW), NOW, pytest.fail) == ()
    assert len(names(cache)) == 2


def test_an_engine_for_fewer_rows_of_the_same_graph_stays(cache: EngineCache) -> None:
    """It serves where memory does not suffice for more."""
    keep(cache, key(buckets=(16,)))
    assert prune(cache, keep(cache, key(), used=NOW), NOW, pytest.fail) == ()


@pytest.mark.parametrize(("program", "goes"), [("b", True), ("a+b+c", True), ("c", False), ("ab", False)])
def test_only_an_engine_with_a_bundle_of_the_new_one_is_replaced(cache: EngineCache, program: str, goes: bool) -> None:
    """Bundles come into a program and leave it."""
    keep(cache, key(onnx_sha256="0" * 64), program)
    assert bool(prune(cache, keep(cache, key(), "a+b", NOW), NOW, lambda _: None)) == goes


@pytest.mark.parametrize(("days", "goes"), [(UNUSED_DAYS - 0.01, False), (UNUSED_DAYS + 0.01, True)])
def test_an_engine_is_kept_for_a_while_after_its_last_use(cache: EngineCache, days: float, goes: bool) -> None:
    """Who goes back to an earlier release or driver finds it."""
    keep(cache, key(version="11.4.0"), used=NOW - days * DAY_S)
    assert bool(prune(cache, keep(cache, key(), used=NOW), NOW, lambda _: None)) == goes


def test_to_find_an_engine_is_to_use_it(cache: EngineCache) -> None:
    """However long ago it was built; another process's clock is the file system's, too."""
    keep(cache, key(version="11.4.0"))
    began = time.time()
    assert isinstance(cache.find(key(version="11.4.0")), Kept)
    assert prune(cache, keep(cache, key(), used=NOW), began + (UNUSED_DAYS - 1) * DAY_S, pytest.fail) == ()


def test_an_engine_that_another_process_is_busy_with_stays(cache: EngineCache) -> None:
    """Nobody waits for it, and the next build looks again."""
    old, new = keep(cache, key(version="11.4.0")), keep(cache, key(), used=NOW)
    with held(lock_file(old.path), None) as mine:
        assert mine
        assert prune(cache, new, NOW, pytest.fail) == ()
        assert len(names(cache)) == 2
    assert prune(cache, new, NOW, lambda _: None) == (old.path,)


def test_an_engine_that_cannot_be_deleted_is_told_of_and_the_others_go(cache: EngineCache) -> None:
    """The new engine serves all the same."""
    stuck, gone = sorted((keep(cache, key(version=f"11.4.{i}")) for i in (0, 2)), key=lambda kept: kept.path)
    new = keep(cache, key(), used=NOW)
    stuck.path.unlink()
    stuck.path.mkdir()
    told: list[str] = []
    assert prune(cache, new, NOW, told.append) == (gone.path,)
    assert told[0].startswith(f"{stuck.path}: an engine that is no longer used cannot be deleted: ")


def test_what_builds_measured_goes_when_none_adds_to_it_for_long(cache: EngineCache) -> None:
    """That of the library, GPU and driver that were just built for is new."""
    new = keep(cache, key(), used=NOW)
    old, recent = cache.folder / "a.timing", cache.folder / "b.timing"
    for path, written in ((old, LONG_AGO), (recent, NOW - DAY_S)):
        path.write_bytes(b"measured")
        os.utime(path, (written, written))
    assert prune(cache, new, NOW, pytest.fail) == ()
    assert (old.exists(), recent.exists()) == (False, True)
    recent.unlink()
    recent.mkdir()
    os.utime(recent, (LONG_AGO, LONG_AGO))
    told: list[str] = []
    prune(cache, new, NOW, told.append)
    assert told[0].startswith(f"{recent}: measurements that are no longer used cannot be deleted: ")


def test_records_that_are_none_are_left_alone(cache: EngineCache) -> None:
    """What it belongs to is not known."""
    new = keep(cache, key(), used=NOW)
    strange = cache.folder / "strange.json"
    strange.write_bytes(b"{}")
    os.utime(strange, (LONG_AGO, LONG_AGO))
    assert prune(cache, new, NOW, pytest.fail) == ()
    assert strange.exists()


@pytest.mark.slow
def test_a_build_deletes_what_it_replaces(small_program: Callable[..., Program], tmp_path: Path) -> None:
    """And one that replaces an engine that is still used does not."""
    notices: list[str] = []
    first, second = (
        compile_ahead(small_program(name), "tensorrt_rtx", "fp32", (16,), tmp_path, notice=notices.append).kept
        for name in ("Relu", "Tanh")
    )
    assert first.path != second.path
    assert first.path.exists()
    os.utime(first.path.with_suffix(".json"), (0, 0))
    third = compile_ahead(small_program("Sigmoid"), "tensorrt_rtx", "fp32", (16,), tmp_path, notice=notices.append).kept
    assert set(tmp_path.glob("*.engine")) == {second.path, third.path}
    assert [notice for notice in notices if "deleted" in notice] == [notices[-1]]
