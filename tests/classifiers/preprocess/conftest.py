"""Spectra for the preprocessing tests, and the slow, obvious way to prepare them."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

import numpy as np
import pytest

from classifiers.items import Axis, GridAxis, Spectrum, quality_of
from classifiers.preprocess.air_vacuum import air_to_vacuum
from classifiers.preprocess.grid import CommonGrid

SpectrumMaker = Callable[..., Spectrum]
Slow = Callable[[Spectrum, CommonGrid], tuple[list[float], list[float], float, float, float]]


@pytest.fixture(scope="session")
def make_spectrum() -> SpectrumMaker:
    """Return a maker of noisy spectra with masked pixels; keyword arguments replace any field."""

    def make(
        axis: Axis | None = None, seed: int = 1, level: float = 5.0, masked: float = 0.03, **fields: object
    ) -> Spectrum:
        axis = axis or GridAxis("LOG10", 3.58, 1e-4, 3900)
        n = axis.n if isinstance(axis, GridAxis) else axis.wavelength_angstrom.size
        rng = np.random.default_rng(seed)
        sigma = rng.uniform(0.5, 2.0, n)
        kind = fields.get("uncertainty_kind", "IVAR")
        uncertainty = {"SIGMA": sigma, "VARIANCE": sigma**2, "IVAR": sigma**-2}[str(kind)].astype(np.float32)
        values: dict[str, object] = {
            "axis": axis,
            "medium": "VACUUM",
            "flux": (level + sigma * rng.standard_normal(n)).astype(np.float32),
            "uncertainty": uncertainty,
            "uncertainty_kind": "IVAR",
            "flux_unit": "1e-17 erg/s/cm2/Angstrom",
            "quality": quality_of(rng.random(n) >= masked),
            "velocity_correction_km_s": 0.0,
            "resolving_power": 2000.0,
            "sampling": "DISPERSED",
            "sky_fibre": False,
        }
        return Spectrum(**{**values, **fields})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def slow_prepare() -> Slow:
    """Return preparation by loops over pixels and bins in float64: flux, inverse variance, scale, S/N, coverage."""

    def slow(spectrum: Spectrum, grid: CommonGrid) -> tuple[list[float], list[float], float, float, float]:
        axis = spectrum.axis
        pixels = []
        n = axis.n if isinstance(axis, GridAxis) else axis.wavelength_angstrom.size
        for j in range(n):
            low, high = _edges(axis, j, n)
            if spectrum.medium == "AIR":
                low, high = float(air_to_vacuum(np.array(low))), float(air_to_vacuum(np.array(high)))
            stretch = 1 + spectrum.velocity_correction_km_s / 299792.458
            flux, u = float(spectrum.flux[j]), float(spectrum.uncertainty[j])
            good = spectrum.quality is None or spectrum.quality[j] == 0
            good = good and math.isfinite(flux) and math.isfinite(u) and u > 0
            weight = 0.0
            if good:
                weight = {"SIGMA": 1 / u**2, "VARIANCE": 1 / u, "IVAR": u}[spectrum.uncertainty_kind]
            pixels.append((low * stretch, high * stretch, flux if good else 0.0, weight))
        edges = grid.edges_angstrom
        total, mean = [0.0] * grid.n, [0.0] * grid.n
        for low, high, flux, weight in pixels:
            i = max(0, int(np.searchsorted(edges, low)) - 1)
            while i < grid.n and edges[i] < high:
                share = max(0.0, min(high, edges[i + 1]) - max(low, edges[i])) / (high - low)
                total[i] += share * weight
                mean[i] += share * weight * flux
                i += 1
        valid = [i for i in range(grid.n) if total[i] > 0]
        if not valid:
            return mean, total, 1.0, math.nan, 0.0
        binned = [mean[i] / total[i] if total[i] > 0 else 0.0 for i in range(grid.n)]
        scale = max(abs(median(binned[i] for i in valid)), 0.5 * median(total[i] ** -0.5 for i in valid))
        snr = median(binned[i] * total[i] ** 0.5 for i in valid)
        return [f / scale for f in binned], [w * scale**2 for w in total], scale, snr, len(valid) / grid.n

    return slow


def _edges(axis: Axis, j: int, n: int) -> tuple[float, float]:
    if isinstance(axis, GridAxis):
        low, high = (axis.start + axis.step * (j + half) for half in (-0.5, 0.5))
        return (10**low, 10**high) if axis.kind == "LOG10" else (low, high)
    wave = axis.wavelength_angstrom
    before = float(wave[j] - wave[j - 1]) if j else float(wave[1] - wave[0])
    after = float(wave[j + 1] - wave[j]) if j < n - 1 else float(wave[-1] - wave[-2])
    left = after if before > 2 * after else before
    right = before if after > 2 * before else after
    return float(wave[j]) - left / 2, float(wave[j]) + right / 2
