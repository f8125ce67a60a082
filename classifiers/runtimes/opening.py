"""From a runtime's name to engines: ``auto`` takes the first that can serve and says why the others could not.

All bundles of a process are opened on one runtime: the vendor libraries must not meet. A runtime that is named is never
replaced by another; under ``auto`` the next one is tried where a runtime is not there, cannot build its engines or does
not pass its rehearsal. What is wrong with a bundle, its digests or its golden answers, ends both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from classifiers.bundle.folder import GRAPH_FILE, WEIGHTS_FILE, Bundle
from classifiers.engine import Engine
from classifiers.runtimes.casting import DTYPES, Dtype
from classifiers.runtimes.device.contract import BUCKETS, DeviceLost, OutOfMemory, blames_the_card
from classifiers.runtimes.device.launcher import Preparation
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.golden import self_test
from classifiers.runtimes.graphs import load_graph
from classifiers.runtimes.probing import why_not
from classifiers.runtimes.program import Program, joined_programs, programs
from classifiers.runtimes.program_engine import ProgramEngine
from classifiers.runtimes.rehearsal import WHAT_TO_DO, Rehearsed, rehearse
from classifiers.runtimes.tensorrt.card import find_card, found_instead

AUTO: Final = "auto"
ONNXRUNTIME: Final = "onnxruntime"
ORDER: Final = ("tensorrt", "tensorrt_rtx", "torch", ONNXRUNTIME)
"""The order in which ``auto`` tries."""
Place: TypeAlias = Literal["auto", "cuda", "cpu"]
PLACES: Final[tuple[Place, ...]] = get_args(Place)
Notice: TypeAlias = Callable[[str], None]
Opener: TypeAlias = "Callable[[Program, RuntimeOptions, Notice, Preparation | None], Pipeline]"


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """What is asked of a runtime.

    Attributes:
        runtime: ``auto`` or one of ``ORDER``.
        dtype: number format of the networks' layers.
        device: ``cuda``, ``cpu``, or ``auto``: whichever the runtime is made for.
        cache: folder for engines that were built; None: the user's cache folder.
        largest_batch: rows of the largest batch that engines will be given; None: of any size.
        compiled: whether torch fuses kernels by ``torch.compile``; no other runtime is asked to.
    """

    runtime: str = AUTO
    dtype: Dtype = "fp32"
    device: Place = "auto"
    cache: Path | None = None
    largest_batch: int | None = None
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """Engines, and what was tried before them.

    Attributes:
        engines: ready to run and true to their golden answers, one for each bundle.
        refusals: (runtime, reason) of each runtime that ``auto`` passed over, in the order tried; empty when named.
        rehearsals: of each program of a device.
    """

    engines: tuple[Engine, ...]
    refusals: tuple[tuple[str, str], ...] = ()
    rehearsals: tuple[Rehearsed, ...] = ()


def open_engines(
    bundles: Sequence[Bundle], options: RuntimeOptions | None = None, notice: Notice = lambda _: None
) -> Opened:
    """Open bundles on one runtime, have each answer its golden inputs, and programs of a device in all their sizes.

    Args:
        bundles: verified.
        options: None: whatever can serve.
        notice: told what takes long or is unexpected while opening and later (an engine is built, a bucket is too
            large), in one line each.

    Raises:
        RuntimeUnavailable: the named runtime is unknown, cannot serve or fails its rehearsal.
        BundleError: a graph is not what its manifest says, or answers otherwise than its golden outputs.
    """
    asked = options or RuntimeOptions()
    if asked.runtime not in (AUTO, *ORDER):
        raise RuntimeUnavailable(asked.runtime, f"unknown; known are {AUTO}, {', '.join(ORDER)}")
    if asked.dtype not in DTYPES:
        raise RuntimeUnavailable(asked.runtime, f"expected one of {', '.join(DTYPES)} as dtype, received {asked.dtype}")
    if asked.runtime != AUTO:
        return _open(asked.runtime, bundles, asked, notice)
    refusals: list[tuple[str, str]] = []
    for name, place in _attempts(asked):
        try:
            return replace(_open(name, bundles, place, notice), refusals=tuple(refusals))
        except RuntimeUnavailable as error:
            refusals.append((name, error.reason))
        except OutOfMemory as error:
            refusals.append((name, str(error)))
    raise RuntimeUnavailable(AUTO, "; ".join(f"{name}: {why}" for name, why in refusals))


def _attempts(asked: RuntimeOptions) -> Iterator[tuple[str, RuntimeOptions]]:
    """Yield what ``auto`` tries, one after the other: what follows is not looked at before what precedes has failed."""
    for name in ORDER:
        yield name, asked
    if _on_provider(asked):
        yield ONNXRUNTIME, replace(asked, device="cpu")


def open_engine(bundle: Bundle, options: RuntimeOptions | None = None, notice: Notice = lambda _: None) -> Engine:
    """Open one bundle; see ``open_engines``."""
    return open_engines([bundle], options, notice).engines[0]


def _open(runtime: str, bundles: Sequence[Bundle], options: RuntimeOptions, notice: Notice) -> Opened:
    """Open bundles on one runtime.

    Raises:
        RuntimeUnavailable: it cannot serve, or fails its rehearsal.
        OutOfMemory: it cannot hold even the smallest bucket.
        DeviceLost: the card failed.
        BundleError: a bundle is not right.
    """
    try:
        return _opened(runtime, bundles, options, notice)
    except DeviceLost as error:
        if blames_the_card(error.reason):
            raise
        raise RuntimeUnavailable(runtime, f"{error.reason}; {WHAT_TO_DO}") from error


def _opened(runtime: str, bundles: Sequence[Bundle], options: RuntimeOptions, notice: Notice) -> Opened:
    """Open bundles and have them answer; see ``_open``, which tells what is the card's fault from what is not."""
    engines: tuple[Engine, ...]
    if runtime != ONNXRUNTIME:
        engines = _on_device(runtime, bundles, options, notice)
    elif options.device == "cuda" or _on_provider(options):
        engines = _on_cuda_provider(bundles, options, notice)
    else:
        engines = _on_cpu(bundles, options)
    for bundle, engine in zip(bundles, engines, strict=True):
        self_test(bundle, engine)
    programs_of = {id(each.program): each for each in engines if isinstance(each, ProgramEngine)}
    rehearsals = tuple(rehearse(each, options.largest_batch) for each in programs_of.values())
    return Opened(engines, rehearsals=rehearsals)


def _on_provider(options: RuntimeOptions) -> bool:
    """Return whether onnxruntime takes its CUDA provider where nobody asks for a place."""
    if options.device != "auto" or find_card() is None:
        return False
    from classifiers.runtimes import onnx_cuda  # only the runtime that serves is imported

    return onnx_cuda.is_built_in()


def _on_cpu(bundles: Sequence[Bundle], options: RuntimeOptions) -> tuple[Engine, ...]:
    if options.dtype != "fp32":
        raise RuntimeUnavailable(ONNXRUNTIME, f"expected dtype = fp32, received {options.dtype}")
    from classifiers.runtimes.onnx_cpu import OnnxEngine

    return tuple(OnnxEngine(bundle) for bundle in bundles)


def _on_cuda_provider(bundles: Sequence[Bundle], options: RuntimeOptions, notice: Notice) -> tuple[Engine, ...]:
    from classifiers.runtimes import onnx_cuda

    if options.dtype not in onnx_cuda.DTYPES:
        known = " or ".join(onnx_cuda.DTYPES)
        raise RuntimeUnavailable(ONNXRUNTIME, f"expected dtype = {known}, received {options.dtype}")
    if not onnx_cuda.is_built_in():
        raise RuntimeUnavailable(ONNXRUNTIME, "expected a build with the CUDA provider (onnxruntime-gpu), found none")
    card = find_card()
    if card is None:
        raise RuntimeUnavailable(ONNXRUNTIME, f"expected an NVIDIA GPU with its driver, found {found_instead()}")
    if options.dtype == "tf32" and card.capability < onnx_cuda.FIRST_WITH_TF32:
        has = f"{card.name} (compute capability {card.compute_capability})"
        raise RuntimeUnavailable(ONNXRUNTIME, f"expected dtype = fp32 on {has}, received tf32")
    without_torch = why_not("torch", "cuda")
    if not without_torch:
        return _served(onnx_cuda.RUNTIME, joined_programs(bundles), bundles, _onnx_ring, options, notice)
    notice(f"{onnx_cuda.RUNTIME}: one batch after the other, without torch's streams: {without_torch}")
    engines: dict[str, Engine] = {}
    for program in joined_programs(bundles):
        running = onnx_cuda.open_onnx_cuda(program, options.dtype, notice)
        names = (bundle.manifest.name for bundle in program.bundles)
        engines |= {name: ProgramEngine(name, onnx_cuda.RUNTIME, options.dtype, running) for name in names}
    return tuple(engines[bundle.manifest.name] for bundle in bundles)


def _on_device(
    runtime: str, bundles: Sequence[Bundle], options: RuntimeOptions, notice: Notice
) -> tuple[ProgramEngine, ...]:
    reason = why_not(runtime, options.device)
    if reason:
        raise RuntimeUnavailable(runtime, reason)
    return _served(runtime, _programs(runtime, bundles), bundles, _OPENERS[runtime], options, notice)


def _served(
    runtime: str,
    programs_of: Sequence[Program],
    bundles: Sequence[Bundle],
    opener: Opener,
    options: RuntimeOptions,
    notice: Notice,
) -> tuple[ProgramEngine, ...]:
    """Open programs between torch's tensors, with their preparation of raw spectra; an engine for each bundle."""
    from classifiers.runtimes.device.prepare import DevicePreparation  # these bring torch
    from classifiers.runtimes.device.preparing import PreparingPipeline

    engines: dict[str, ProgramEngine] = {}
    for program in programs_of:
        grid = program.bundles[0].manifest.grid
        preparation = None if grid is None else DevicePreparation()
        pipeline = opener(program, options, notice, preparation)
        preparing = None
        if grid is not None and preparation is not None:
            preparing = PreparingPipeline(pipeline, preparation, grid.grid())
        for bundle in program.bundles:
            name = bundle.manifest.name
            engines[name] = ProgramEngine(name, runtime, options.dtype, pipeline, preparing)
    return tuple(engines[bundle.manifest.name] for bundle in bundles)


def _programs(runtime: str, bundles: Sequence[Bundle]) -> tuple[Program, ...]:
    if runtime != "torch":
        return joined_programs(bundles)
    for bundle in bundles:  # torch rebuilds modules and reads no graph; one that is none is refused all the same
        load_graph(str(bundle.folder / GRAPH_FILE), bundle.graph)
    return programs(bundles)


def _torch(program: Program, options: RuntimeOptions, notice: Notice, preparation: Preparation | None) -> Pipeline:
    from classifiers.runtimes.torch_modules import ARCHITECTURES  # torch takes seconds, and others need none
    from classifiers.runtimes.torch_runtime import ON_CPU, open_torch

    for manifest in (bundle.manifest for bundle in program.bundles):
        if WEIGHTS_FILE not in manifest.files or manifest.architecture not in ARCHITECTURES:
            lacking = f"{WEIGHTS_FILE} and an architecture of {', '.join(ARCHITECTURES)}"
            raise RuntimeUnavailable("torch", f"expected bundle {manifest.name} to have {lacking}")
    place, buckets = ("cpu", ON_CPU) if options.device == "cpu" else ("cuda", BUCKETS)
    return open_torch(
        program, options.dtype, place, notice, buckets=buckets, preparation=preparation, compiled=options.compiled
    )


def _onnx_ring(program: Program, options: RuntimeOptions, notice: Notice, preparation: Preparation | None) -> Pipeline:
    from classifiers.runtimes.onnx_launching import open_onnx_ring

    return open_onnx_ring(program, options.dtype, notice, preparation=preparation)


def _tensorrt(library: str) -> Opener:
    def opened(program: Program, options: RuntimeOptions, notice: Notice, preparation: Preparation | None) -> Pipeline:
        from classifiers.runtimes.tensorrt.opening import open_tensorrt

        return open_tensorrt(program, library, options.dtype, options.cache, notice, preparation=preparation)

    return opened


_OPENERS: Final[Mapping[str, Opener]] = {
    "torch": _torch,
    "tensorrt": _tensorrt("tensorrt"),
    "tensorrt_rtx": _tensorrt("tensorrt_rtx"),
}
