"""What the machine is, and what it can do at best: copies between host and device, and matrix products."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

KINDS = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def device_name() -> str:
    """Return ``cuda`` where torch can use a GPU, else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def described(device: str) -> dict[str, Any]:
    """Return what the measurements were made on."""
    found: dict[str, Any] = {
        "device": device,
        "processor": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
    }
    if device == "cuda":
        card = torch.cuda.get_device_properties(0)
        found |= {
            "gpu": card.name,
            "compute_capability": f"{card.major}.{card.minor}",
            "memory_gib": round(card.total_memory / 2**30, 1),
            "cuda": torch.version.cuda,
        }
    return found


def seconds(act: Callable[[], object], device: str, repeats: int) -> float:
    """Return the least seconds of some calls, the work that they enqueue on the device included."""
    best = float("inf")
    for _ in range(repeats):
        settle(device)
        start = time.perf_counter()
        act()
        settle(device)
        best = min(best, time.perf_counter() - start)
    return best


def settle(device: str) -> None:
    """Wait for everything that was enqueued on the device."""
    if device == "cuda":
        torch.cuda.synchronize()


def copy_rates(device: str, megabytes: int, repeats: int = 5) -> dict[str, float]:
    """Return gigabytes per second of copies up, down and within the device; on the CPU all are copies in memory."""
    n = megabytes * 2**20
    pinned = torch.zeros(n, dtype=torch.uint8, pin_memory=device == "cuda")
    there, beside = (torch.zeros(n, dtype=torch.uint8, device=device) for _ in range(2))

    def rate(target: Tensor, source: Tensor) -> float:
        target.copy_(source)
        took = seconds(lambda: target.copy_(source, non_blocking=True), device, repeats)
        return round(n / took / 1e9, 2)

    return {"up": rate(there, pinned), "down": rate(pinned, there), "within": rate(beside, there)}


def matrix_rate(device: str, dtype: str, size: int, repeats: int = 5) -> float:
    """Return teraflops of a product of two square matrices in a number format."""
    generator = torch.Generator(device=device).manual_seed(0)
    kind = KINDS[dtype]
    one, two = (torch.randn(size, size, device=device, generator=generator).to(kind) for _ in range(2))
    torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
    try:
        torch.mm(one, two)
        took = seconds(lambda: torch.mm(one, two), device, repeats)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False
    return round(2.0 * size**3 / took / 1e12, 3)
