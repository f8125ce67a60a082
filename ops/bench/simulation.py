"""(h): simulated spectra per second in two threads, beside the normal deviates of their noise alone in one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from classifiers.training.simulation.l1_records import simulated_records
from classifiers.training.simulation.simulator import Simulator
from ops.bench.measurement import Measurement

NUMBER, BLOCK, SEED, AIM, THREADS = 4_096, 256, 7, 1_000.0, 2
FORMS = ("SDSS", "4MOST_LRS")


def simulation() -> Iterator[Measurement]:
    """Yield L1 spectra per second, as records, for a survey on the native pixels and one on pixels of its own."""
    simulator = Simulator.load()
    for form in FORMS:
        next(iter(simulated_records(simulator, 1, SEED, form)))
        made = simulated_records(simulator, NUMBER, SEED, form, threads=THREADS)
        began = time.perf_counter()
        pixels = [record.record["flux"].size for record in made]
        rate = len(pixels) / (time.perf_counter() - began)
        rng = np.random.default_rng(SEED)
        began = time.perf_counter()
        for _ in range(NUMBER // BLOCK):
            rng.standard_normal((BLOCK, pixels[0]), dtype=np.float32)
        noise = NUMBER / (time.perf_counter() - began)
        yield Measurement(
            "h", f"{form} spectra of {pixels[0]:,} px simulated in {THREADS} threads", rate, "/s",
            "normal deviates for the same pixels, one thread", noise, ">= 1,000 on two cores", rate >= AIM,
        )  # fmt: skip
