"""``specstream bundles compile``: TensorRT engines built ahead, so that a replica starts in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from classifiers.bundle.folder import load_bundle
from classifiers.runtimes.casting import DTYPES
from classifiers.runtimes.device.contract import BUCKETS
from classifiers.runtimes.program import joined_programs
from classifiers.runtimes.tensorrt.compiling import Compiled, compile_ahead
from classifiers.suite import default_bundles
from ops.commands.options import BundleFolders, EngineCache, one_of
from ops.console import messages, output, progress_bar

RUNTIMES = ("tensorrt", "tensorrt_rtx")


def compile_engines(
    runtime: Annotated[str, typer.Option(help="tensorrt or tensorrt_rtx.")],
    paths: BundleFolders = None,
    dtype: Annotated[
        str,
        typer.Option(
            envvar="SPECSTREAM_ENGINES__DTYPE", help="Number format of learned layers: fp32, tf32, fp16, bf16."
        ),
    ] = "fp32",
    buckets: Annotated[
        str,
        typer.Option(
            metavar="N,N,...", help="Batch sizes to compute at; where memory is short, leave out the largest."
        ),
    ] = ",".join(map(str, BUCKETS)),
    cache: EngineCache = None,
) -> None:
    """Build the engines of bundles ahead; bundles that read the same become one engine, as in the service.

    Name the bundles, dtype and cache that the service's configuration names. An engine serves the GPU, driver and
    library that it was built with; for others it is built again.

    Example: `specstream bundles compile --runtime tensorrt --dtype fp16`
    """
    library = one_of("--runtime", runtime, RUNTIMES)
    number_format = one_of("--dtype", dtype, DTYPES)
    sizes = _sizes(buckets)
    made = joined_programs([load_bundle(folder) for folder in paths or default_bundles()])
    for program in made:
        with progress_bar(time_left=True) as bar:
            task = bar.add_task(program.name, total=1.0)

            def progress(doing: str, fraction: float) -> None:
                bar.update(task, completed=fraction, description=f"{program.name}: {doing}")  # noqa: B023  # used at once

            compiled = compile_ahead(program, library, number_format, sizes, cache, progress, notice=_notice)
        _print(compiled)
    if not compiled.on:
        messages().print("no GPU here: these engines show that the bundles build; a machine with one builds its own")


def _sizes(text: str) -> tuple[int, ...]:
    """Return batch sizes from their list."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and int(part) for part in parts):
        raise typer.BadParameter(f"expected batch sizes such as 16,64,256, received {text}", param_hint="--buckets")
    return tuple(map(int, parts))


def _notice(line: str) -> None:
    messages().print(line, markup=False)


def _print(compiled: Compiled) -> None:
    """Print what an engine is and where it lies, and each layer that is computed in another format than asked for."""
    record = compiled.kept.record
    how = f"built in {record.seconds:.1f} s" if compiled.was_built else f"found, built in {record.seconds:.1f} s"
    sizes = ",".join(map(str, record.key["buckets"]))
    output().print(
        f"{compiled.program}: {compiled.dtype}, batches of {sizes}, {record.engine_bytes / 1e6:.1f} MB, {how}",
        markup=False,
    )
    output().print(f"  {compiled.kept.path}", markup=False)
    listed, of = (record.engine_layers, "engine") if record.engine_layers else (record.layers, "network")
    _print_others(listed, of, "fp32" if compiled.dtype == "tf32" else compiled.dtype)


def _print_others(layers: Sequence[tuple[str, str]], of: str, dtype: str) -> None:
    others = [(name, found) for name, found in layers if found != dtype]
    if others:
        output().print(f"  {len(others)} of {len(layers)} layers of the {of} are not in {dtype}:", markup=False)
    for name, found in others:
        output().print(f"    {found} {name}", markup=False)
