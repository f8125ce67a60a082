"""Pixel axes of simulated instruments whose spectra are not on the native grid, and resampling to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classifiers.training.simulation.grid import (
    LOG10_START,
    LOG10_STEP,
    PIXELS,
    Float32,
    Float64,
    Integers,
    NDBool,
    air_to_vacuum,
    native_wavelength,
)

LRS_START_ANGSTROM, LRS_STEP_ANGSTROM, LRS_PIXELS = 3700.0, 0.25, 23_201
# Windows of the three high-resolution arms of 4MOST (de Jong et al. 2019, The Messenger 175, 3), air Angstrom.
HRS_WINDOWS_ANGSTROM = ((3926.0, 4355.0), (5160.0, 5730.0), (6100.0, 6790.0))
HRS_ARM_PIXELS = 13_761
_BETWEEN_WINDOWS = 3.0  # steps; what is more is no pixel
# The three arms of DESI on their one lattice (Guy et al. 2023, AJ 165, 144), vacuum Angstrom.
DESI_START_ANGSTROM, DESI_STEP_ANGSTROM, DESI_PIXELS = 3600.0, 0.8, 7781
# Both low-resolution arms of WEAVE on one lattice, finer than the pixels of either (0.30 and 0.48 A), air Angstrom.
WEAVE_START_ANGSTROM, WEAVE_STEP_ANGSTROM, WEAVE_PIXELS = 3660.0, 0.25, 23_721


def low_resolution_wavelength() -> Float64:
    """Return the axis of 4MOST's low-resolution spectra, (23201,) float64, air Angstrom."""
    return np.asarray(LRS_START_ANGSTROM + LRS_STEP_ANGSTROM * np.arange(LRS_PIXELS), dtype=np.float64)


def desi_wavelength() -> Float64:
    """Return the axis of DESI's joined arms, (7781,) float64, vacuum Angstrom."""
    return np.asarray(DESI_START_ANGSTROM + DESI_STEP_ANGSTROM * np.arange(DESI_PIXELS), dtype=np.float64)


def weave_wavelength() -> Float64:
    """Return the axis of WEAVE's joined low-resolution arms, (23721,) float64, air Angstrom."""
    return np.asarray(WEAVE_START_ANGSTROM + WEAVE_STEP_ANGSTROM * np.arange(WEAVE_PIXELS), dtype=np.float64)


def high_resolution_wavelength() -> Float64:
    """Return the joined axes of 4MOST's three high-resolution arms, (41283,) float64, air Angstrom."""
    return np.concatenate([np.linspace(low, high, HRS_ARM_PIXELS) for low, high in HRS_WINDOWS_ANGSTROM])


@dataclass(frozen=True, slots=True)
class Resampling:
    """Linear interpolation from the native grid to m pixels in air or vacuum.

    Attributes:
        lower: (m,) native pixel below.
        fraction: (m,) float32 towards the next native pixel.
        error_factor: (m,) float32, sqrt(native pixel width / pixel width): errors per pixel grow as pixels shrink.
    """

    lower: Integers
    fraction: Float32
    error_factor: Float32

    @staticmethod
    def to_air(wavelength_air_angstrom: Float64) -> Resampling:
        """Return the resampling to an increasing axis in air, inside the native range."""
        return Resampling.to_vacuum(air_to_vacuum(wavelength_air_angstrom))

    @staticmethod
    def to_vacuum(wavelength_angstrom: Float64) -> Resampling:
        """Return the resampling to an increasing axis in vacuum, inside the native range."""
        position = np.clip((np.log10(wavelength_angstrom) - LOG10_START) / LOG10_STEP, 0.0, PIXELS - 2)
        lower = np.floor(position).astype(np.int64)
        native = native_wavelength()
        steps = np.diff(wavelength_angstrom)
        nearest = np.minimum(np.append(steps, steps[-1]), np.insert(steps, 0, steps[0]))
        pixel = np.gradient(wavelength_angstrom)
        pixel = np.where(pixel > _BETWEEN_WINDOWS * nearest, nearest, pixel)  # the last of a window is no wider
        width = (native[lower + 1] - native[lower]) / pixel
        return Resampling(lower, (position - lower).astype(np.float32), np.sqrt(np.abs(width)).astype(np.float32))

    def flux(self, native: Float32) -> Float32:
        """Interpolate (n, 4671) flux densities; returns (n, m) float32."""
        low = np.take(native, self.lower, axis=1)
        step = np.take(native, self.lower + 1, axis=1)
        step -= low
        step *= self.fraction
        low += step
        return low

    def sigma(self, native: Float32) -> Float32:
        """Bring (n, 4671) errors to the new pixel width; returns (n, m) float32."""
        wide = np.take(native, self.lower, axis=1)
        wide *= self.error_factor
        return wide

    def good(self, native: NDBool) -> NDBool:
        """Return (n, m) bool: the native pixels on both sides are good."""
        return np.take(native[:, :-1] & native[:, 1:], self.lower, axis=1)
