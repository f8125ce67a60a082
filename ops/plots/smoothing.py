"""The line that guides the eye through a noisy spectrum, its error, and the range of flux worth showing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FINEST_SIGMA = 1.0 / 1600.0  # of the spectrum's length: about one resolution element of SDSS, DESI and 4MOST
SNR_OF_FINEST, WIDEST = 5.0, 4.0  # below this S/N the kernel grows, by at most that factor
KERNEL_SIGMAS = 4.0
PEAK_SIGMAS = 5.0  # a peak counts for the range of flux by what remains after that many errors
LEAST_SHARE = 1.0 / 3.0  # of the kernel that lies on good pixels; with less, the line is the noise of the nearest few
LEAST_WEIGHT = 1e-6  # of the median weight: a pixel with less is as good as masked
JUMP = 10.0  # a step of so many times the median of those around it is a gap without pixels
STEPS_AROUND = 9  # odd
TALLEST_PEAK = 8.0  # in ranges of the continuum, zero included; what is taller is cut, so that the rest stays legible


@dataclass(frozen=True, slots=True)
class Smoothed:
    """A smoothed spectrum: ``flux`` and its one-sigma ``error``, (n,) float64, NaN where no pixel is in reach."""

    flux: Floats
    error: Floats


def kernel_sigma(n: int, snr: float | None) -> float:
    """Return the smoothing sigma [pixel] for n pixels of a median signal-to-noise ratio (None: not known)."""
    growth = 1.0 if snr is None else min(max(SNR_OF_FINEST / max(snr, 1e-3), 1.0), WIDEST)
    return max(1.0, n * FINEST_SIGMA * growth)


def jumps(wavelength: Floats) -> NDArray[np.intp]:
    """Return the index of the first pixel after each gap without pixels.

    Args:
        wavelength: (n,) ascending.
    """
    steps = np.diff(wavelength)
    if steps.size < STEPS_AROUND:
        return np.empty(0, np.intp)
    padded = np.pad(steps, STEPS_AROUND // 2, mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, STEPS_AROUND), axis=1)
    return np.flatnonzero(steps > JUMP * around) + 1


def smoothed(flux: Floats, weight: Floats, sigma: float, starts: Sequence[int] | NDArray[np.intp] = ()) -> Smoothed:
    """Return the mean over a Gaussian, weighted by inverse variance; NaN where too little of it is on good pixels.

    Args:
        flux: (n,) any unit, finite.
        weight: (n,) inverse variance, >= 0; 0 leaves a pixel out.
        sigma: of the Gaussian [pixel].
        starts: first pixels after gaps, ascending; the Gaussian does not reach across them.
    """
    result = Smoothed(np.full(flux.size, np.nan), np.full(flux.size, np.nan))
    largest = float(weight.max(initial=0.0))
    if largest == 0.0:
        return result
    least = LEAST_WEIGHT * float(np.median(weight[weight > 0]))
    relative = np.where(weight >= least, weight, 0.0) / largest
    ends = [0, *map(int, starts), flux.size]
    for piece in map(slice, ends[:-1], ends[1:]):
        result.flux[piece], result.error[piece] = _smooth_piece(flux[piece], relative[piece], sigma, largest)
    return result


def _smooth_piece(flux: Floats, relative: Floats, sigma: float, largest: float) -> tuple[Floats, Floats]:
    """Return the line and its error of pixels without a gap; ``relative`` is their weight over ``largest``."""
    line, error = np.full(flux.size, np.nan), np.full(flux.size, np.nan)
    reach = max(1, min(int(np.ceil(KERNEL_SIGMAS * sigma)), (flux.size - 1) // 2))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    if flux.size < kernel.size:
        return line, error
    total = np.convolve(relative, kernel, mode="same")
    share = np.convolve(relative > 0, kernel / kernel.sum(), mode="same")
    reached = (total > 0) & (share >= LEAST_SHARE)
    line[reached] = np.convolve(flux * relative, kernel, mode="same")[reached] / total[reached]
    squares = np.convolve(relative, kernel**2, mode="same")[reached]
    error[reached] = np.sqrt(np.maximum(squares, 0.0) / largest) / total[reached]
    return line, error


def flux_range(line: Smoothed) -> tuple[float, float] | None:
    """Return the lowest and highest flux worth showing, zero included; None where there is nothing.

    The continuum counts without its outermost percent. A line counts by what stands above its noise, so that a strong
    emission line fits and the noisy end of an arm does not set the scale.
    """
    seen = np.isfinite(line.flux)
    if not seen.any():
        return None
    flux, error = line.flux[seen], line.error[seen]
    low, high = np.percentile(flux, (1.0, 99.0))
    span = max(max(high, 0.0) - min(low, 0.0), float(np.median(error)), 1e-12 * abs(high), 1e-300)
    peak = min(float((flux - PEAK_SIGMAS * error).max()), low + TALLEST_PEAK * span)
    trough = max(float((flux + PEAK_SIGMAS * error).min()), high - TALLEST_PEAK * span)
    return min(low, trough, 0.0), max(high, peak, 0.0)
