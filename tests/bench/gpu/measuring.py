"""Spectra a second: from host memory to results, and of the device alone; and how long single batches take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from classifiers.preprocess.grid import COMMON_GRID
from classifiers.runtimes.program import Program
from classifiers.runtimes.torch_modules import ProgramModule
from tests.bench.gpu.engines import Measured
from tests.bench.gpu.machine import seconds, settle

PIXELS = COMMON_GRID.n


def inputs(n: int, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Return n rows of normalised noise about 1 with a tenth masked."""
    rng = np.random.default_rng(seed)
    flux = rng.normal(1.0, 0.2, (n, PIXELS)).astype(np.float32)
    inverse_variance = np.full((n, PIXELS), 25.0, np.float32)
    masked = rng.random((n, PIXELS)) < 0.1
    flux[masked] = inverse_variance[masked] = 0.0
    return {"flux": flux, "inverse_variance": inverse_variance}


def host_to_host(measured: Measured, bucket: int, batches: int, least_s: float) -> dict[str, Any]:
    """Return spectra/s of a long run in this bucket, and the time of single batches.

    Args:
        measured: opened with this bucket as its largest.
        bucket: rows of a batch.
        batches: of the long run.
        least_s: time to spend on each.
    """
    rows = inputs(bucket * batches)
    measured.runs.run(rows)  # buffers, kernels and graphs are made here
    times = _times(lambda: measured.runs.run(rows), least_s)
    one = {name: array[:bucket] for name, array in rows.items()}
    single = _times(lambda: measured.runs.run(one), least_s)
    return {
        "spectra_per_s": round(bucket * batches / min(times), 1),
        "batch_p50_ms": round(1e3 * float(np.percentile(single, 50)), 4),
        "batch_p99_ms": round(1e3 * float(np.percentile(single, 99)), 4),
        "batches_timed": len(single),
    }


def device_only(measured: Measured, bucket: int, device: str, least_s: float) -> float | None:
    """Return spectra/s of launches on tensors that lie on the device; None where nothing but the whole can be run."""
    launcher = measured.launcher
    if launcher is None:
        return None
    kinds = {each.name: each.tensor for each in measured.program.outputs}
    outputs = {
        name: torch.zeros((bucket, *tensor.shape), dtype=getattr(torch, tensor.dtype), device=device)
        for name, tensor in kinds.items()
    }
    tensors = {name: torch.from_numpy(array).to(device) for name, array in inputs(bucket).items()}
    slot = -1  # none of the pipeline's own
    with torch.no_grad():
        if device == "cpu":
            launcher.prepare(slot, bucket, tensors, outputs)
            launcher.launch(slot, bucket)
            times = _times(lambda: launcher.launch(slot, bucket), least_s)
            launcher.forget(slot, bucket)
            return round(bucket / min(times), 1)
        stream: Any = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            launcher.prepare(slot, bucket, tensors, outputs)
            for _ in range(3):
                launcher.launch(slot, bucket)
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream):
                launcher.launch(slot, bucket)
            took = seconds(graph.replay, device, 3)
            replays = max(5, int(least_s / max(took, 1e-6)))
            took = seconds(lambda: [graph.replay() for _ in range(replays)], device, 2)
        launcher.forget(slot, bucket)
        return round(bucket * replays / took, 1)


def operations(program: Program) -> int:
    """Return the floating-point operations of matrix products and convolutions of one spectrum."""
    module = ProgramModule(program.bundles)
    rows = {name: torch.from_numpy(array) for name, array in inputs(2).items()}
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(rows)
    return int(counter.get_total_flops()) // 2


def bytes_moved(program: Program) -> dict[str, int]:
    """Return the bytes of one spectrum that go up and come down, of prepared inputs."""
    size = {"float32": 4, "int64": 8}
    up = sum(size[tensor.dtype] * int(np.prod(tensor.shape, dtype=np.int64)) for tensor in program.inputs)
    outputs = [each.tensor for each in program.outputs]
    down = sum(size[tensor.dtype] * int(np.prod(tensor.shape, dtype=np.int64)) for tensor in outputs)
    return {"up": up, "down": down}


def roofline(
    program: Program, dtype: str, copies: dict[str, float], teraflops: dict[str, float], found: dict[str, Any]
) -> dict[str, Any]:
    """Return what the machine's own rates allow, spectra/s, and the fraction of it that was reached.

    Upload, download and computation overlap, so that the slowest of them is the bound.

    Args:
        program: what was computed.
        dtype: its number format.
        copies: GB/s ``up``, ``down`` and ``within``.
        teraflops: of matrix products, by number format.
        found: with ``spectra_per_s`` and ``device_only_spectra_per_s``.
    """
    moved, work = bytes_moved(program), operations(program)
    compute = teraflops[dtype] * 1e12 / work
    memory = 2.0 * copies["within"] * 1e9 / (moved["up"] + moved["down"])  # a copy reads each byte and writes it
    bounds = {"up": copies["up"] * 1e9 / moved["up"], "down": copies["down"] * 1e9 / moved["down"], "compute": compute}
    limit = min(bounds, key=lambda name: bounds[name])
    on_device = min(compute, memory)
    alone = found["device_only_spectra_per_s"]
    return {
        "bytes_up": moved["up"],
        "bytes_down": moved["down"],
        "operations": work,
        "bound_spectra_per_s": round(bounds[limit], 1),
        "bound_by": limit,
        "reached": round(found["spectra_per_s"] / bounds[limit], 4),
        "device_bound_spectra_per_s": round(on_device, 1),
        "device_reached": None if alone is None else round(alone / on_device, 4),
    }


def profile(measured: Measured, rows: dict[str, NDArray[np.float32]], device: str, most: int = 12) -> dict[str, Any]:
    """Return where the time of one run goes: the operators or kernels that take most of it, as shares of their sum."""
    measured.runs.run(rows)
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        measured.runs.run(rows)
        settle(device)
    spent = time_by_name(profiler.events(), device)
    total = sum(spent.values())
    first = sorted(spent, key=lambda name: -spent[name])[:most]
    return {
        "what": "kernels and copies on the device" if device == "cuda" else "operators on the processor",
        "total_ms": round(total / 1e3, 3),
        "shares": {name[:120]: round(spent[name] / total, 4) for name in first},
    }


def time_by_name(events: Iterable[Any], device: str) -> dict[str, float]:
    """Return microseconds by name of what ran: kernels and copies on a GPU, or operators on the processor.

    On a GPU an operator, a range that a user marked and the kernel that they started all carry the kernel's time: only
    what ran on the device itself is counted.

    Args:
        events: of torch's profiler.
        device: cuda or cpu.
    """
    kind = torch.autograd.DeviceType.CUDA if device == "cuda" else torch.autograd.DeviceType.CPU
    spent: dict[str, float] = {}
    for event in events:
        if event.device_type != kind or event.is_user_annotation:
            continue
        took = event.self_device_time_total if device == "cuda" else event.self_cpu_time_total
        if took > 0:
            spent[event.key] = spent.get(event.key, 0.0) + took
    return spent


def _times(act: Callable[[], object], least_s: float, most: int = 2000) -> list[float]:
    """Return the seconds of each of some calls: at least 3, and until so much time is spent."""
    times: list[float] = []
    while len(times) < 3 or (sum(times) < least_s and len(times) < most):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return times
