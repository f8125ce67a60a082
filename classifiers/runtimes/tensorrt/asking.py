"""Asks for one build in a process of its own, in turn with whoever else wants the same engine, and keeps what came."""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from classifiers.runtimes.tensorrt import building, limits
from classifiers.runtimes.tensorrt.cache import TIMING_SUFFIX, EngineCache, Kept, Key, write_whole
from classifiers.runtimes.tensorrt.limits import Limits
from classifiers.runtimes.tensorrt.locks import held, lock_file
from classifiers.runtimes.tensorrt.progress import Progress

BUILDER: Final = (sys.executable, "-m", "classifiers.runtimes.tensorrt.building")


@dataclass(frozen=True, slots=True)
class Order:
    """What to build: of which program, from which graph, with which inputs, outputs and buckets."""

    program: str
    graph: bytes
    request: building.Request


@dataclass(frozen=True, slots=True)
class Manner:
    """How to build: whom to tell, within which bounds, by which command."""

    progress: Progress | None
    notice: Callable[[str], None]
    bounds: Limits
    builder: tuple[str, ...] = BUILDER


@contextmanager
def turn(cache: EngineCache, key: Key, manner: Manner) -> Iterator[None]:
    """Hold a key's lock, which ends with this process; wait where another one builds the engine."""

    def busy() -> None:
        manner.notice("another process builds the same engine: waiting for it")
        if manner.progress is not None:
            manner.progress("waiting for another process that builds it", 0.0)

    with held(lock_file(cache.path(key)), busy):
        yield


def timing_file(folder: Path, key: Key) -> Path:
    """Return where builds for the same library and GPU keep what they measured."""
    parts = "\n".join((key.library, key.version, key.gpu, key.compute_capability, key.driver))
    return folder / f"{hashlib.sha256(parts.encode()).hexdigest()[:32]}{TIMING_SUFFIX}"


def built(cache: EngineCache, key: Key, order: Order, manner: Manner) -> Kept:
    """Have an engine built and keep it.

    Args:
        cache: whose lock on the key is held.
        key: of the engine.
        order: what to build.
        manner: how.

    Raises:
        Died: the builder did not build it.
        OSError: the folder cannot be written.
    """
    folder = cache.folder / f".{key.name}.building"
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
    folder.mkdir()
    timing = timing_file(cache.folder, key)
    try:
        building.write_request(folder, order.request, order.graph, timing.read_bytes() if timing.is_file() else b"")

        def heard(line: str) -> None:
            said = building.heard(line)
            if said is not None and manner.progress is not None:
                manner.progress(*said)

        began = time.monotonic()
        limits.run((*manner.builder, str(folder)), manner.bounds, heard)
        seconds = time.monotonic() - began
        measured = (folder / building.TIMING_FILE).read_bytes()
        if measured:
            write_whole(timing, measured)
        answer = building.Answer.of_json((folder / building.ANSWER_FILE).read_text(encoding="utf-8"))
        return cache.keep(
            key,
            (folder / building.ENGINE_FILE).read_bytes(),
            program=order.program,
            seconds=round(seconds, 3),
            layers=building.pairs(answer.layers),
            engine_layers=building.pairs(answer.engine_layers),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
