"""What a night asks for: many spectra of one survey, and one exposure of 4MOST, from host memory to results."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from classifiers.items import Axis, GridAxis, InlineAxis, Spectrum
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from tests.bench.gpu.engines import Measured

SURVEY = GridAxis("LOG10", 3.5501, 1e-4, 4600)
LOW_RESOLUTION = GridAxis("LINEAR", 3700.0, 0.25, 23201)
HIGH_RESOLUTION_ARMS = ((3926.0, 4355.0), (5160.0, 5730.0), (6100.0, 6790.0))
"""First and last wavelength [Angstrom] of the arms of the high-resolution spectrograph; each has 13,761 pixels."""
ARM_PIXELS = 13761
LOW, HIGH = 1624, 812
REPEATS: Final = 3
"""Runs of which the best is reported; the first one, which makes buffers and graphs, stands beside it."""


def spectra(axis: Axis, n: int, distinct: int, seed: int = 0) -> list[Spectrum]:
    """Return n noisy spectra, of which so many are different arrays."""
    rng = np.random.default_rng(seed)
    pixels = axis.n if isinstance(axis, GridAxis) else axis.wavelength_angstrom.size
    made = [_spectrum(axis, pixels, rng) for _ in range(min(n, distinct))]
    return [made[i % len(made)] for i in range(n)]


def _spectrum(axis: Axis, pixels: int, rng: np.random.Generator) -> Spectrum:
    return Spectrum(
        axis=axis,
        medium="VACUUM",
        flux=rng.normal(5.0, 1.0, pixels).astype(np.float32),
        uncertainty=rng.uniform(0.5, 2.0, pixels).astype(np.float32),
        uncertainty_kind="IVAR",
        flux_unit="1e-17 erg/s/cm2/Angstrom",
        quality=(rng.random(pixels) < 0.03).astype(np.int32),
        velocity_correction_km_s=0.0,
        resolving_power=2000.0,
        sampling="DISPERSED",
        sky_fibre=False,
    )


def high_resolution() -> InlineAxis:
    """Return the three arms as one axis with gaps."""
    wavelength = np.concatenate([np.linspace(first, last, ARM_PIXELS) for first, last in HIGH_RESOLUTION_ARMS])
    return InlineAxis(wavelength, hashlib.sha256(wavelength.tobytes()).digest())


def survey(measured: Measured, n: int, batch: int, workers: int) -> dict[str, Any]:
    """Return how long n spectra of 4,600 pixels take from host memory to results, in batches from several threads."""
    items = spectra(SURVEY, n, distinct=min(n, 2048))
    found = _timed(measured, [items[start : start + batch] for start in range(0, n, batch)], workers)
    return {"spectra": n, "pixels": SURVEY.n, "batch": batch, "threads": workers, **found, **_rate(n, found)}


def exposure(measured: Measured, share: float, batch: int, workers: int) -> dict[str, Any]:
    """Return how long one exposure of 4MOST takes: 1,624 x 23,201 and 812 x 3 x 13,761 pixels, or a share of it."""
    low, high = max(1, round(share * LOW)), max(1, round(share * HIGH))
    items = [spectra(LOW_RESOLUTION, low, distinct=256), spectra(high_resolution(), high, distinct=128)]
    pieces = [part[start : start + batch] for part in items for start in range(0, len(part), batch)]
    found = _timed(measured, pieces, workers)
    sizes = {"low_resolution": low, "high_resolution": high}
    return {**sizes, "batch": batch, "threads": workers, **found, **_rate(low + high, found)}


def _timed(measured: Measured, pieces: Sequence[list[Spectrum]], workers: int) -> dict[str, Any]:
    """Return the best of ``REPEATS`` runs; in the first one, slots allocate, pin and capture what a form needs."""
    times: list[float] = []
    with ThreadPoolExecutor(workers) as pool:
        for _ in range(REPEATS):
            start = time.perf_counter()
            rows = sum(pool.map(lambda piece: _classified(measured, piece), pieces))
            times.append(time.perf_counter() - start)
    took = min(times)
    if rows != sum(map(len, pieces)):
        raise ValueError(f"expected answers to {sum(map(len, pieces))} spectra, received {rows}")
    size = sum(item.flux.nbytes + item.uncertainty.nbytes + 4 * item.flux.size for piece in pieces for item in piece)
    return {
        "seconds": round(took, 4),
        "best_of": REPEATS,
        "first_seconds": round(times[0], 4),
        "gigabytes": round(size / 1e9, 3),
        "gigabytes_per_s": round(size / took / 1e9, 3),
    }


def _rate(n: int, found: dict[str, Any]) -> dict[str, float]:
    return {"spectra_per_s": round(n / found["seconds"], 1)}


def _classified(measured: Measured, items: Sequence[Spectrum]) -> int:
    """Prepare and compute some spectra; return for how many answers came."""
    if measured.preparing is not None:
        answers = measured.preparing.run(items).answers
    else:
        prepared = prepare(items, COMMON_GRID)
        rows = {"flux": prepared.flux, "inverse_variance": prepared.inverse_variance}
        answers = {name: dict(found) for name, found in measured.runs.run(rows).items()}
    return len(next(iter(answers["spectral-classifier"].values())))
