"""Wavelength grids of the simulator and the conversion between air and vacuum.

Everything is simulated on one native vacuum grid, log10(wavelength / Angstrom) = 3.55 + 1e-4 i, i = 0 .. 4670.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
NDBool: TypeAlias = NDArray[np.bool_]

LOG10_START = 3.55
LOG10_STEP = 1e-4
PIXELS = 4671
SPEED_OF_LIGHT_KM_S = 299_792.458
PIXEL_KM_S = SPEED_OF_LIGHT_KM_S * np.log(10.0) * LOG10_STEP


def native_log10() -> Float64:
    """Return the native grid as log10(wavelength / Angstrom), (4671,) float64, vacuum."""
    return np.asarray(LOG10_START + LOG10_STEP * np.arange(PIXELS), dtype=np.float64)


def native_wavelength() -> Float64:
    """Return the native grid, (4671,) float64, vacuum Angstrom."""
    return np.asarray(10.0 ** native_log10(), dtype=np.float64)


def air_to_vacuum(wavelength_air_angstrom: Float64) -> Float64:
    """Convert air to vacuum wavelengths by the refractive index of Ciddor (1996, Applied Optics 35, 1566, Eq. 1).

    The index is a function of the vacuum wavelength; two fixed-point steps reach 1e-9.

    Args:
        wavelength_air_angstrom: (n,) float64, Angstrom in standard air.

    Returns:
        (n,) float64, Angstrom in vacuum.
    """
    vacuum = wavelength_air_angstrom
    for _ in range(3):
        wavenumber2 = (1e4 / vacuum) ** 2
        index = 1.0 + 0.05792105 / (238.0185 - wavenumber2) + 0.00167917 / (57.362 - wavenumber2)
        vacuum = wavelength_air_angstrom * index
    return vacuum


def rows_at(vectors: Float32, offset_pixels: Float64) -> Float32:
    """Cut the native window out of each row of a longer log grid at a fractional offset.

    By cubic convolution, which leaves lines as wide as they are (Keys 1981, IEEE Trans. ASSP 29, 1153, Eq. 15 with
    a = -1/2); between two pixels a linear interpolation would add up to a quarter of a pixel squared to their variance.

    Args:
        vectors: (n, m) float32, rows on a grid of the native step, m >= PIXELS + 3.
        offset_pixels: (n,) float64, position of native pixel 0 in the row, clipped to where it has neighbours.

    Returns:
        (n, 4671) float32.
    """
    offset = np.clip(offset_pixels, 1.0, vectors.shape[1] - PIXELS - 2)
    whole = np.floor(offset).astype(np.int64)
    shares = cubic_shares(offset - whole).astype(np.float32)
    cut = np.empty((vectors.shape[0], PIXELS), dtype=np.float32)
    part = np.empty(PIXELS, dtype=np.float32)
    for row, (start, share) in enumerate(zip(whole, shares, strict=True)):
        np.multiply(vectors[row, start - 1 : start - 1 + PIXELS], share[0], out=cut[row])
        for step in (1, 2, 3):
            np.multiply(vectors[row, start - 1 + step : start - 1 + step + PIXELS], share[step], out=part)
            cut[row] += part
    return cut


def cubic_shares(fraction: Float64) -> Float64:
    """Return what four neighbours give to a point ``fraction`` (n,) after the second of them: (n, 4), sum 1."""
    f, f2, f3 = fraction, fraction**2, fraction**3
    quarters = (-f + 2.0 * f2 - f3, 2.0 - 5.0 * f2 + 3.0 * f3, f + 4.0 * f2 - 3.0 * f3, f3 - f2)
    return np.asarray(0.5 * np.stack(quarters, axis=-1))


def smooth_rows(vectors: Float32, sigma_pixels: float) -> Float32:
    """Convolve each row with a Gaussian of ``sigma_pixels``, edges repeated.

    Args:
        vectors: (n, m) float32.
        sigma_pixels: standard deviation, pixels.

    Returns:
        (n, m) float32.
    """
    half = max(1, int(np.ceil(4.0 * sigma_pixels)))
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma_pixels) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(vectors, ((0, 0), (half, half)), mode="edge")
    smoothed = [np.convolve(row, kernel, mode="valid") for row in padded]
    return np.asarray(smoothed, dtype=np.float32)
