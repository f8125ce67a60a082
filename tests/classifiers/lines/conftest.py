"""Spectra with emission lines that are known, integrated over native pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import erf

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.items import GridAxis, Spectrum
from classifiers.lines.table import C_KM_S, LINES

Floats = NDArray[np.float64]
AXIS = GridAxis("LOG10", 3.55, 1e-4, 4671)
FLUX = {
    "H alpha": 60.0, "[N II] 6583": 24.0, "H beta": 20.0, "[O III] 5007": 30.0, "[O II] 3727": 40.0,
    "[S II] 6716": 12.0, "[S II] 6731": 10.0, "H gamma": 9.0, "H delta": 5.0,
}  # fmt: skip


@dataclass(frozen=True)
class Emitters:
    """n spectra of a flat continuum of 1 with Gaussian lines and white noise; ``flux`` (n,) each by line name."""

    spectra: list[Spectrum]
    redshift: Floats
    sigma_km_s: Floats
    flux: dict[str, Floats]


EmitterMaker = Callable[..., Emitters]


def _below(x: Floats) -> Floats:
    knots = np.linspace(-8.0, 8.0, 8001)
    return np.interp(x, knots, [0.5 * (1.0 + erf(k / np.sqrt(2.0))) for k in knots.tolist()])


def make(
    n: int,
    seed: int,
    sigma_km_s: tuple[float, float] = (80.0, 250.0),
    snr: tuple[float, float] = (3.0, 40.0),
    redshift: tuple[float, float] = (0.02, 0.3),
    line_flux: Mapping[str, float] = FLUX,
    axis: GridAxis = AXIS,
) -> Emitters:
    rng = np.random.default_rng(seed)
    z, sigma = rng.uniform(*redshift, n), rng.uniform(*sigma_km_s, n)
    noise = 1.0 / np.exp(rng.uniform(*np.log(snr), n))
    edges = axis.start + axis.step * (np.arange(axis.n + 1) - 0.5)
    edges = edges if axis.kind == "LINEAR" else 10.0**edges
    flux = np.ones((n, axis.n))
    truth = {}
    for line in LINES:
        if line.name not in line_flux:
            continue
        truth[line.name] = line_flux[line.name] * (1.0 + z)
        for wavelength, share in line.parts:
            u = np.log(edges / (wavelength * (1.0 + z))[:, None]) * C_KM_S / sigma[:, None]
            whole = (truth[line.name] * share / line.reported)[:, None]
            flux += whole * np.diff(_below(u), axis=1) / np.diff(edges)
    flux += noise[:, None] * rng.standard_normal(flux.shape)
    spectra = [
        Spectrum(
            axis=axis, medium="VACUUM", flux=row.astype(np.float32),
            uncertainty=np.full(axis.n, one**-2.0, np.float32), uncertainty_kind="IVAR",
            flux_unit="1e-17 erg/s/cm2/Angstrom", quality=None, velocity_correction_km_s=0.0, resolving_power=None,
            sampling="DISPERSED", sky_fibre=False,
        )
        for row, one in zip(flux, noise.tolist(), strict=True)
    ]  # fmt: skip
    return Emitters(spectra, z, sigma, truth)


@pytest.fixture(scope="session")
def emitters() -> EmitterMaker:
    """Return the maker of spectra with known lines."""
    return make
