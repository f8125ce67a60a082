"""The line that guides the eye through a noisy spectrum, its error, and the range of flux worth showing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FINEST_SIGMA = 1.0 / 1600.0  # of the spectrum's length: about one resolution element of SDSS, DESI and 4MOST
SNR_OF_FINEST, WIDEST = 5.0, 4.0  # below this S/N the kernel grows, by at most that factor
KERNEL_SIGMAS = 4.0
PEAK_SIGMAS = 5.0  # a peak counts for the range of flux by what remains after that many errors
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


def smoothed(flux: Floats, weight: Floats, sigma: float) -> Smoothed:
    """Return the mean over a Gaussian, weighted by inverse variance.

    Args:
        flux: (n,) any unit, finite.
        weight: (n,) inverse variance, >= 0; 0 leaves a pixel out.
        sigma: of the Gaussian [pixel].
    """
    reach = max(1, min(int(np.ceil(KERNEL_SIGMAS * sigma)), (flux.size - 1) // 2))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    largest = float(weight.max(initial=0.0))
    result = Smoothed(np.full(flux.size, np.nan), np.full(flux.size, np.nan))
    if largest == 0.0 or flux.size < kernel.size:
        return result
    relative = weight / largest
    total = np.convolve(relative, kernel, mode="same")
    reached = (total > 1e-9) & (np.convolve(relative > 0, np.ones(kernel.size), mode="same") > 0.5)
    result.flux[reached] = np.convolve(flux * relative, kernel, mode="same")[reached] / total[reached]
    squares = np.convolve(relative, kernel**2, mode="same")[reached]
    result.error[reached] = np.sqrt(np.maximum(squares, 0.0) / largest) / total[reached]
    return result


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
