"""``python -m tests.bench.gpu``: what the engines do on this machine's GPU, or on its CPU where it has none.

Needs torch, numpy and onnxruntime beside this repository (``tests.bare``). onnx joins graphs for onnxruntime and
TensorRT, matplotlib draws: where one is not installed, what it does is left out and said. Writes gpu.json and gpu.png.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from tests.bare import STOOD_IN  # before what it stands in for is imported

# isort: split
from classifiers.errors import ClassifierError
from classifiers.runtimes.casting import DTYPES
from classifiers.runtimes.device.contract import BUCKETS
from classifiers.runtimes.program import Program
from tests.bench.gpu import workloads
from tests.bench.gpu.engines import Measured, available, opened, programs
from tests.bench.gpu.machine import copy_rates, described, device_name, matrix_rate
from tests.bench.gpu.measuring import device_only, host_to_host, inputs, profile, roofline

GPU_SURVEY, SLOTS = 40_000, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("out/bench/gpu"), help="folder for gpu.json and gpu.png")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs, measures nothing")
    parser.add_argument("--dtype", action="append", choices=DTYPES, help="number formats; default all on a GPU")
    parser.add_argument("--bucket", action="append", type=int, help=f"rows at once; default {BUCKETS}")
    parser.add_argument("--seconds", type=float, default=1.0, help="time to spend on each figure")
    parser.add_argument("--threads", type=int, default=4, help="that hand over batches of raw spectra")
    asked = parser.parse_args(arguments)
    device = device_name()
    if device == "cpu":
        print("no GPU that torch can use: the CPU runtimes are measured instead", file=sys.stderr)
        torch.set_num_threads(1)
    asked.output.mkdir(parents=True, exist_ok=True)

    def write(document: dict[str, Any]) -> None:
        (asked.output / "gpu.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    document = measure(
        device,
        sorted(asked.bucket or ([4, 16] if asked.quick else BUCKETS)),
        asked.dtype or (list(DTYPES) if device == "cuda" else ["fp32"]),
        0.0 if asked.quick else asked.seconds,
        asked.threads,
        write,
        quick=asked.quick,
    )
    if find_spec("matplotlib") is None:
        print("no picture: matplotlib is not installed", file=sys.stderr)
    else:
        from tests.bench.gpu.plot import draw

        draw(document, asked.output / "gpu.png")
    return 0


def measure(
    device: str,
    buckets: Sequence[int],
    dtypes: Sequence[Any],
    least_s: float,
    threads: int,
    write: Callable[[dict[str, Any]], None],
    *,
    quick: bool,
) -> dict[str, Any]:
    """Return all measurements; what fails is not measured, and why stands among them.

    Args:
        device: cuda or cpu.
        buckets: ascending.
        dtypes: number formats; onnxruntime has fp32 alone.
        least_s: seconds to spend on each figure.
        threads: that hand over batches of raw spectra.
        write: told all that is measured so far, after each engine: what comes later may end the process.
        quick: whether sizes are tiny.
    """
    runtimes, refused = available(device)
    small = quick or device == "cpu"
    copies = copy_rates(device, 4 if quick else 64 if small else 256)
    size = 64 if quick else 1024 if small else 8192
    teraflops = {dtype: matrix_rate(device, dtype, size) for dtype in dict.fromkeys([*dtypes, "fp32"])}
    document: dict[str, Any] = {
        "machine": described(device),
        "stand_ins": list(STOOD_IN),
        "quick": quick,
        "not_measured": [{"runtime": name, "reason": reason} for name, reason in refused.items()],
        "copies_gb_per_s": copies,
        "matrix_teraflops": teraflops,
        "engines": [],
        "survey": [],
        "exposure": [],
        "profiles": [],
    }
    for runtime, dtype, program in plan(runtimes, dtypes, programs()):
        _one(document, program, runtime, dtype, device, buckets, least_s, threads, quick=quick)
        write(document)
    write(document)
    return document


def plan(runtimes: Sequence[str], dtypes: Sequence[Any], made: Sequence[Program]) -> Iterator[tuple[str, Any, Program]]:
    """Yield what is measured, most telling first: all bundles together in fp32 on each runtime, then the rest.

    Args:
        runtimes: names; onnxruntime has fp32 alone.
        dtypes: number formats.
        made: programs; the last is all bundles together.
    """
    every = [
        (runtime, dtype, program)
        for runtime in runtimes
        for dtype in (["fp32"] if runtime == "onnxruntime" else dtypes)
        for program in reversed(made)
    ]
    yield from sorted(every, key=lambda each: (each[1] != "fp32", each[2] is not made[-1]))


@contextmanager
def reported(document: dict[str, Any], **what: Any) -> Iterator[None]:
    """Add what cannot be measured to the document's ``not_measured``, with the reason, instead of ending all."""
    try:
        yield
    except (ClassifierError, torch.OutOfMemoryError) as error:
        reason = str(error).partition("\n")[0]
        document["not_measured"].append({**what, "reason": reason})
        print(f"not measured: {what}: {reason}", file=sys.stderr)


def _one(
    document: dict[str, Any], program: Any, runtime: str, dtype: Any, device: str, buckets: Sequence[int],
    least_s: float, threads: int, *, quick: bool,
) -> None:  # fmt: skip
    """Measure one program on one runtime in one number format, and add it to the document."""
    where = {"runtime": runtime, "dtype": dtype}
    with reported(document, engine=program.name, **where):
        engine = opened(program, runtime, dtype, device, buckets, SLOTS)
        for bucket in buckets:
            with reported(document, engine=engine.name, **where, bucket=bucket):
                measured = engine.up_to(bucket)
                batches = 2 if quick else 8 if device == "cuda" else max(1, 512 // bucket)
                found: dict[str, Any] = {"engine": engine.name, **where, "bucket": bucket}
                found |= host_to_host(measured, bucket, batches, least_s)
                found["device_only_spectra_per_s"] = device_only(measured, bucket, device, least_s)
                rates = document["copies_gb_per_s"], document["matrix_teraflops"]
                found["roofline"] = roofline(program, dtype, *rates, found)
                document["engines"].append(found)
                print(f"{engine.name} {runtime} {dtype} {bucket}: {found['spectra_per_s']:.0f} spectra/s", flush=True)
        if len(program.bundles) > 1:
            _whole(document, engine, where, device, buckets, threads, quick=quick)


def _whole(
    document: dict[str, Any], engine: Measured, where: dict[str, Any], device: str, buckets: Sequence[int],
    threads: int, *, quick: bool,
) -> None:  # fmt: skip
    """Measure what a night asks of all bundles together, and where its time goes."""
    n, batch = (8, 4) if quick else (GPU_SURVEY, buckets[-1])
    share, pieces = (0.002, 2) if quick else (1.0, min(buckets[-1], 512))
    loads: dict[str, Callable[[], dict[str, Any]]] = {
        "survey": lambda: workloads.survey(engine, n, batch, threads),
        "exposure": lambda: workloads.exposure(engine, share, pieces, threads),
    }
    for name, load in loads.items():
        with reported(document, what=name, **where):
            found = load()
            of_copy_rate = round(found["gigabytes_per_s"] / document["copies_gb_per_s"]["up"], 4)
            document[name].append({**where, **found, "of_copy_rate": of_copy_rate})
            print(f"{name} {where['runtime']} {where['dtype']}: {found['seconds']:.3f} s", flush=True)
    if engine.launcher is not None:  # torch's profiler does not see into onnxruntime
        with reported(document, what="profile", **where):
            rows = inputs(buckets[-1] * (1 if quick else 4))
            document["profiles"].append({**where, **profile(engine, rows, device)})


if __name__ == "__main__":
    sys.exit(main())
