"""The engine of a program: out of the cache, or built in a process of its own, once however many replicas ask for it.

Who asks first holds a lock on the engine's key (``locks``, which ends with the process that holds it); the others wait
and then find the engine. Who has built one deletes what it replaced and nobody used for long (``pruning``). The builder
may crash, hang or eat memory: see ``limits``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from classifiers.bundle.manifest import Tensor
from classifiers.runtimes.casting import Dtype, cast_graph
from classifiers.runtimes.device.contract import BUCKETS
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.program import Program
from classifiers.runtimes.tensorrt.asking import BUILDER, Manner, Order, built, turn
from classifiers.runtimes.tensorrt.building import Request
from classifiers.runtimes.tensorrt.cache import EngineCache, Kept, Key, default_folder, engine_key
from classifiers.runtimes.tensorrt.card import Card, find_card
from classifiers.runtimes.tensorrt.library import installed_version, one_line
from classifiers.runtimes.tensorrt.limits import Died, Limits
from classifiers.runtimes.tensorrt.network import Shapes
from classifiers.runtimes.tensorrt.progress import Progress
from classifiers.runtimes.tensorrt.pruning import prune

_MEMORY: Final = (
    "out of memory",
    "outofmemory",
    "could not be allocated",
    "insufficient memory",
    "mib of memory",
    "when memory ran out",  # killed by the kernel: how memory ends in a container
    "volume",  # of a tensor, beyond what the library counts to
    "no profile",
)


class BuildFailed(RuntimeUnavailable):
    """A library makes no engine of a program here; another runtime, number format or smaller buckets may serve.

    Attributes:
        runtime: the library.
        program: names of the bundles.
        reason: what was to be built, why it was not, and what to do.
        for_want_of_memory: whether smaller buckets may serve.
    """

    def __init__(self, runtime: str, program: str, dtype: str, buckets: Sequence[int], reason: str) -> None:
        sizes = ",".join(map(str, buckets))
        short = any(word in reason.lower() for word in _MEMORY)
        hint = f"take smaller buckets than {sizes}" if short else "take another runtime or dtype"
        super().__init__(runtime, f"it builds no engine of {program} in {dtype}: {reason}; {hint}")
        self.program = program
        self.for_want_of_memory = short


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


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A program in a number format on a library: all that its engines have in common, whatever their buckets."""

    program: Program
    library: str
    version: str
    dtype: Dtype
    graph: bytes
    card: Card | None
    cache: EngineCache

    @classmethod
    def of(cls, program: Program, library: str, dtype: Dtype, cache_folder: Path | None) -> _Wanted:
        version = installed_version(library)
        cache = EngineCache(cache_folder or default_folder(os.environ, Path.home()))
        return cls(program, library, version, dtype, cast_graph(program.graph, dtype, program.name), find_card(), cache)

    def key(self, sizes: Sequence[int]) -> Key:
        return engine_key(self.graph, self.library, self.version, self.card, sizes, self.dtype)

    def compiled(self, kept: Kept, refused: str, *, was_built: bool) -> Compiled:
        on = self.card.name if self.card else ""
        return Compiled(self.program.name, self.dtype, kept, refused, was_built, on)


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
    wanted = _Wanted.of(program, library_name, dtype, cache_folder)
    return _compile(wanted, sizes, Manner(progress, notice or _silent, bounds or Limits(), tuple(builder)))


def compile_largest(
    program: Program,
    library_name: str,
    dtype: Dtype = "fp32",
    buckets: Sequence[int] = BUCKETS,
    cache_folder: Path | None = None,
    *,
    notice: Callable[[str], None] | None = None,
    bounds: Limits | None = None,
    builder: Sequence[str] = BUILDER,
) -> Compiled:
    """Return an engine of a program for as many of the buckets as there is memory for, from the smallest on.

    One for fewer buckets that the cache holds is taken before one for all of them is built. Where memory does not
    suffice, the largest bucket is left out and the rest is built; see ``compile_ahead``.

    Raises:
        RuntimeUnavailable: the library is not there, or the folder cannot be written.
        BuildFailed: it makes no engine of the program even for the smallest bucket, or not for want of memory.
    """
    sizes, tell = checked_buckets(library_name, buckets), notice or _silent
    wanted = _Wanted.of(program, library_name, dtype, cache_folder)
    manner = Manner(None, tell, bounds or Limits(), tuple(builder))
    if not wanted.cache.path(wanted.key(sizes)).exists():
        for count in range(len(sizes) - 1, 0, -1):
            if isinstance(_found(wanted, sizes[:count]), Kept):
                tell(f"{program.name}: an engine for batches up to {sizes[count - 1]} is there, none for larger ones")
                return _compile(wanted, sizes[:count], manner)
    while True:
        try:
            return _compile(wanted, sizes, manner)
        except BuildFailed as error:
            if not error.for_want_of_memory or len(sizes) == 1:
                raise
            tell(f"{error}; trying without batches of {sizes[-1]}")
            sizes = sizes[:-1]


def _silent(_: str) -> None:
    """Say nothing."""


def _found(wanted: _Wanted, sizes: Sequence[int]) -> Kept | str:
    try:
        return wanted.cache.find(wanted.key(sizes))
    except OSError as error:
        raise _unusable(wanted, error) from error


def _unusable(wanted: _Wanted, error: OSError) -> RuntimeUnavailable:
    folder, why = wanted.cache.folder, error.strerror or error
    return RuntimeUnavailable(
        wanted.library, one_line(f"expected an engine cache that can be written at {folder}, found: {why}")
    )


def _compile(wanted: _Wanted, sizes: tuple[int, ...], manner: Manner) -> Compiled:
    refused = _found(wanted, sizes)
    if isinstance(refused, Kept):
        return wanted.compiled(refused, "", was_built=False)
    if refused:
        manner.notice(f"an engine is refused and built again: {refused}")
    listed = ",".join(map(str, sizes))
    manner.notice(f"building the {wanted.library} engine of {wanted.program.name} in {wanted.dtype} for {listed} rows")
    try:
        wanted.cache.folder.mkdir(parents=True, exist_ok=True)
        with turn(wanted.cache, wanted.key(sizes), manner):
            kept = wanted.cache.find(wanted.key(sizes))  # another process may have built it while this one waited
            if isinstance(kept, Kept):
                return wanted.compiled(kept, refused, was_built=False)
            kept = built(wanted.cache, wanted.key(sizes), _order(wanted, sizes), manner)
            prune(wanted.cache, kept, time.time(), manner.notice)
    except Died as error:
        raise BuildFailed(wanted.library, wanted.program.name, wanted.dtype, sizes, error.reason) from error
    except OSError as error:
        raise _unusable(wanted, error) from error
    return wanted.compiled(kept, refused, was_built=True)


def checked_buckets(library_name: str, buckets: Sequence[int]) -> tuple[int, ...]:
    """Return buckets in ascending order, each once.

    Raises:
        RuntimeUnavailable: there is none, or one that is no batch size.
    """
    sizes = tuple(sorted(set(buckets)))
    if not sizes or sizes[0] < 1:
        raise RuntimeUnavailable(library_name, f"expected batch sizes of 1 and more, found {list(buckets)}")
    return sizes


def _order(wanted: _Wanted, sizes: tuple[int, ...]) -> Order:
    reads, answers = program_shapes(wanted.program)
    request = Request(
        library=wanted.library, inputs=dict(reads), outputs=dict(answers), buckets=sizes, tf32=wanted.dtype == "tf32"
    )
    return Order(wanted.program.name, wanted.graph, request)
