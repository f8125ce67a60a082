"""``python -m tests.bench.gpu``: what the engines do on this machine's GPU, or on its CPU where it has none.

Needs torch, numpy and onnxruntime beside this repository and what ``classifiers`` imports (onnx, safetensors, numba,
pydantic); matplotlib for the picture, TensorRT to be measured, each where it is installed. Writes gpu.json and gpu.png.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from classifiers.runtimes.casting import DTYPES
from classifiers.runtimes.device.contract import BUCKETS
from tests.bench.gpu import workloads
from tests.bench.gpu.engines import available, opened, programs
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
    document = measure(
        device,
        sorted(asked.bucket or ([4, 16] if asked.quick else BUCKETS)),
        asked.dtype or (list(DTYPES) if device == "cuda" else ["fp32"]),
        0.0 if asked.quick else asked.seconds,
        asked.threads,
        quick=asked.quick,
    )
    asked.output.mkdir(parents=True, exist_ok=True)
    (asked.output / "gpu.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if find_spec("matplotlib") is None:
        print("no picture: matplotlib is not installed", file=sys.stderr)
    else:
        from tests.bench.gpu.plot import draw

        draw(document, asked.output / "gpu.png")
    return 0


def measure(
    device: str, buckets: Sequence[int], dtypes: Sequence[Any], least_s: float, threads: int, *, quick: bool
) -> dict[str, Any]:
    """Return all measurements.

    Args:
        device: cuda or cpu.
        buckets: ascending.
        dtypes: number formats; onnxruntime has fp32 alone.
        least_s: seconds to spend on each figure.
        threads: that hand over batches of raw spectra.
        quick: whether sizes are tiny.
    """
    runtimes, refused = available(device)
    small = quick or device == "cpu"
    copies = copy_rates(device, 4 if quick else 64 if small else 256)
    size = 64 if quick else 1024 if small else 8192
    teraflops = {dtype: matrix_rate(device, dtype, size) for dtype in dict.fromkeys([*dtypes, "fp32"])}
    document: dict[str, Any] = {
        "machine": described(device),
        "quick": quick,
        "not_measured": refused,
        "copies_gb_per_s": copies,
        "matrix_teraflops": teraflops,
        "engines": [],
        "survey": [],
        "exposure": [],
        "profiles": [],
    }
    for runtime in runtimes:
        for dtype in ["fp32"] if runtime == "onnxruntime" else dtypes:
            for program in programs():
                _one(document, program, runtime, dtype, device, buckets, least_s, threads, quick=quick)
    return document


def _one(
    document: dict[str, Any], program: Any, runtime: str, dtype: Any, device: str, buckets: Sequence[int],
    least_s: float, threads: int, *, quick: bool,
) -> None:  # fmt: skip
    """Measure one program on one runtime in one number format, and add it to the document."""
    where = {"runtime": runtime, "dtype": dtype}
    whole = len(program.bundles) > 1
    for bucket in buckets:
        measured = opened(program, runtime, dtype, device, [each for each in buckets if each <= bucket], SLOTS)
        batches = 2 if quick else 8 if device == "cuda" else max(1, 512 // bucket)
        found: dict[str, Any] = {"engine": measured.name, **where, "bucket": bucket}
        found |= host_to_host(measured, bucket, batches, least_s)
        found["device_only_spectra_per_s"] = device_only(measured, bucket, device, least_s)
        found["roofline"] = roofline(program, dtype, document["copies_gb_per_s"], document["matrix_teraflops"], found)
        document["engines"].append(found)
        print(f"{measured.name} {runtime} {dtype} {bucket}: {found['spectra_per_s']:.0f} spectra/s", flush=True)
    if whole:
        largest = opened(program, runtime, dtype, device, buckets, SLOTS)
        n, batch = (8, 4) if quick else (GPU_SURVEY, buckets[-1])
        document["survey"].append({**where, **workloads.survey(largest, n, batch, threads)})
        share, batch = (0.002, 2) if quick else (1.0, min(buckets[-1], 512))
        document["exposure"].append({**where, **workloads.exposure(largest, share, batch, threads)})
        if largest.launcher is not None:  # torch's profiler does not see into onnxruntime
            rows = inputs(buckets[-1] * (1 if quick else 4))
            document["profiles"].append({**where, **profile(largest, rows, device)})
        for name in ("survey", "exposure"):
            up = document[name][-1]["gigabytes_per_s"] / document["copies_gb_per_s"]["up"]
            document[name][-1]["of_copy_rate"] = round(up, 4)
            print(f"{name} {runtime} {dtype}: {document[name][-1]['seconds']:.3f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
