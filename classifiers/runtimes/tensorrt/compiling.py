"""The engine of a program: out of the cache, or built in a process of its own, once however many replicas ask for it.

Who asks first holds a lock on the engine's key (``flock``, which ends with the process that holds it); the others wait
and then find the engine. The builder may crash, hang or eat memory: see ``limits``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from classifiers.bundle.manifest import Tensor
from classifiers.runtimes.casting import Dtype, cast_graph
from classifiers.runtimes.device.contract import BUCKETS
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.program import Program
from classifiers.runtimes.tensorrt import building, limits
from classifiers.runtimes.tensorrt.cache import EngineCache, Kept, Key, default_folder, engine_key, write_whole
from classifiers.runtimes.tensorrt.card import find_card
from classifiers.runtimes.tensorrt.library import installed_version, one_line
from classifiers.runtimes.tensorrt.limits import Limits
from classifiers.runtimes.tensorrt.network import Shapes
from classifiers.runtimes.tensorrt.progress import Progress

BUILDER: Final = (sys.executable, "-m", "classifiers.runtimes.tensorrt.building")
_MEMORY: Final = ("out of memory", "outofmemory", "could not be allocated", "insufficient memory", "mib of memory")


class BuildFailed(RuntimeUnavailable):
    """A library makes no engine of a program here; another runtime, number format or smaller buckets may serve.

    Attributes:
        runtime: the library.
        program: names of the bundles.
        reason: what was to be built, why it was not, and what to do.
    """

    def __init__(self, runtime: str, program: str, dtype: str, buckets: Sequence[int], reason: str) -> None:
        sizes = ",".join(map(str, buckets))
        smaller = any(word in reason.lower() for word in _MEMORY) and len(buckets) > 1
        hint = f"take smaller buckets than {sizes}" if smaller else "take another runtime or dtype"
        super().__init__(runtime, f"it builds no engine of {program} in {dtype}: {reason}; {hint}")
        self.program = program


@dataclass(frozen=True, slots=True)
class Compiled:
    """The engine of a program.

    Attributes:
        program: names of the bundles.
        dtype: fp32, tf32, fp16 or bf16.
        kept: where it lies, its bytes and its record.
        refused: why an engine that was there did not serve; "" where none was.
        was_built: whether it was built just now, not found.
        on: name of the GPU that it is for; "" where it was built without one.
    """

    program: str
    dtype: str
    kept: Kept
    refused: str
    was_built: bool
    on: str


def shapes(tensors: Mapping[str, Tensor]) -> Shapes:
    """Return declared tensors, by the names that the graph has for them, as a network is checked against."""
    return {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items()}


def program_shapes(program: Program) -> tuple[Shapes, Shapes]:
    """Return what a program's graph reads and answers."""
    reads = shapes({tensor.name: tensor for tensor in program.inputs})
    return reads, shapes({output.name: output.tensor for output in program.outputs})


def compile_ahead(
    program: Program,
    library_name: str,
    dtype: Dtype = "fp32",
    buckets: Sequence[int] = BUCKETS,
    cache_folder: Path | None = None,
    progress: Progress | None = None,
    *,
    notice: Callable[[str], None] | None = None,
    bounds: Limits | None = None,
    builder: Sequence[str] = BUILDER,
) -> Compiled:
    """Return the engine of a program, built unless the cache holds it.

    Args:
        program: bundles that read the same.
        library_name: tensorrt or tensorrt_rtx.
        dtype: number format of the layers that are learned.
        buckets: batch sizes, one profile each.
        cache_folder: where engines are kept; ``default_folder`` unless named.
        progress: told what is being done and the fraction done.
        notice: told in one line each why an engine that was there does not serve, and that one is built.
        bounds: of the builder; ``Limits()`` unless named.
        builder: the command that builds; the request's folder is added.

    Raises:
        RuntimeUnavailable: the library is not there, or the folder cannot be written.
        BuildFailed: it makes no engine of the program.
    """
    sizes = checked_buckets(library_name, buckets)
    version = installed_version(library_name)
    graph = cast_graph(program.graph, dtype)
    key = engine_key(graph, library_name, version, find_card(), sizes, dtype)
    cache = EngineCache(cache_folder or default_folder(os.environ, Path.home()))

    def done(kept: Kept, refused: str, *, was_built: bool) -> Compiled:
        return Compiled(program.name, dtype, kept, refused, was_built, key.gpu)

    try:
        found = cache.find(key)
        if isinstance(found, Kept):
            return done(found, "", was_built=False)
        refused = found
        if notice is not None:
            if refused:
                notice(f"an engine is refused and built again: {refused}")
            sizes_said = ",".join(map(str, sizes))
            notice(f"building the {library_name} engine of {program.name} in {dtype} for batches of {sizes_said}")
        cache.folder.mkdir(parents=True, exist_ok=True)
        with _turn(cache, key, progress):
            found = cache.find(key)  # another process may have built it while this one waited
            if isinstance(found, Kept):
                return done(found, refused, was_built=False)
            reads, answers = program_shapes(program)
            request = building.Request(
                library=library_name, inputs=dict(reads), outputs=dict(answers), buckets=sizes, tf32=dtype == "tf32"
            )
            kept = _built(cache, key, program.name, request, graph, progress, bounds or Limits(), builder)
    except limits.Died as error:
        raise BuildFailed(library_name, program.name, dtype, sizes, error.reason) from error
    except OSError as error:
        reason = f"expected an engine cache that can be written at {cache.folder}, found: {error.strerror or error}"
        raise RuntimeUnavailable(library_name, one_line(reason)) from error
    return done(kept, refused, was_built=True)


def checked_buckets(library_name: str, buckets: Sequence[int]) -> tuple[int, ...]:
    """Return buckets in ascending order, each once.

    Raises:
        RuntimeUnavailable: there is none, or one that is no batch size.
    """
    sizes = tuple(sorted(set(buckets)))
    if not sizes or sizes[0] < 1:
        raise RuntimeUnavailable(library_name, f"expected batch sizes of 1 and more, found {list(buckets)}")
    return sizes


def timing_file(folder: Path, key: Key) -> Path:
    """Return where builds for the same library and GPU keep what they measured."""
    parts = "\n".join((key.library, key.version, key.gpu, key.compute_capability, key.driver))
    return folder / f"{hashlib.sha256(parts.encode()).hexdigest()[:32]}.timing"


@contextmanager
def _turn(cache: EngineCache, key: Key, progress: Progress | None) -> Iterator[None]:
    """Hold the key's lock; wait where another process builds the engine."""
    with (cache.folder / f"{key.name}.lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if progress is not None:
                progress("waiting for another process that builds it", 0.0)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _built(
    cache: EngineCache,
    key: Key,
    program: str,
    request: building.Request,
    graph: bytes,
    progress: Progress | None,
    bounds: Limits,
    builder: Sequence[str],
) -> Kept:
    folder = cache.folder / f".{key.name}.building"
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed; the lock is ours
    folder.mkdir()
    timing = timing_file(cache.folder, key)
    try:
        building.write_request(folder, request, graph, timing.read_bytes() if timing.is_file() else b"")

        def heard(line: str) -> None:
            said = building.heard(line)
            if said is not None and progress is not None:
                progress(*said)

        began = time.monotonic()
        limits.run((*builder, str(folder)), bounds, heard)
        seconds = time.monotonic() - began
        measured = (folder / building.TIMING_FILE).read_bytes()
        if measured:
            write_whole(timing, measured)
        answer = building.Answer.of_json((folder / building.ANSWER_FILE).read_text(encoding="utf-8"))
        return cache.keep(
            key,
            (folder / building.ENGINE_FILE).read_bytes(),
            program=program,
            seconds=round(seconds, 3),
            layers=building.pairs(answer.layers),
            engine_layers=building.pairs(answer.engine_layers),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
