"""(g): peak memory of ``specstream run`` at a large backlog, beside its memory with nothing to do."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from ops.bench.load import Bench, bench_settings, fill, spectra_messages
from ops.bench.measurement import Measurement
from ops.bench.process import service_process
from stream.settings import Settings

LOOK_S = 0.2
BOUND_GB = 1.5


def memory(bench: Bench) -> Iterator[Measurement]:
    """Yield the peak resident memory of a service that finds ``bench.backlog`` spectra waiting."""
    idle = _peak_gb(bench_settings(bench, "memory-idle"))
    settings = bench_settings(bench, "memory")
    n = fill(bench.bootstrap, settings.topics.l1_spectrum, spectra_messages(bench.codec, "BOSS", bench.backlog))
    peak = _peak_gb(settings)
    yield Measurement(
        "g", f"peak resident memory at a backlog of {n} spectra", peak, "GB", "with nothing to do", idle,
        f"< {BOUND_GB} GB", peak < BOUND_GB,
    )  # fmt: skip


def _peak_gb(settings: Settings) -> float:
    """Run the service to its end and return the largest resident size that the kernel saw."""
    peak_kb = 0
    with service_process(settings) as service:
        while service.runs():
            status = Path(f"/proc/{service.pid}/status")
            try:
                found = re.search(r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8"))
            except (FileNotFoundError, ProcessLookupError):
                break
            peak_kb = max(peak_kb, int(found.group(1)) if found else 0)
            time.sleep(LOOK_S)
        service.wait()
    return peak_kb / 1e6
