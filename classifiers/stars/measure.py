"""Radial velocities of stars with errors, and how well each star type fits.

They are measured on the weighted means that networks read (``preprocess.prepare``), which cost nothing more: where the
weights follow the flux a line gets deeper, but on both sides alike, and on simulated stars velocities from plain means
are as good: bias and scatter agree within 1 km/s. Wavelengths on the grid are barycentric: records whose frame is not
known, or topocentric without a correction, are rejected before.

The error adds in quadrature: the statistical one, times the root of the reduced chi-square where that is above 1; what
templates that fit as well say differently; other velocities that fit nearly as well; and what templates differ from
stars, which shrinks with the bins that are seen (``FLOOR_KM_S``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.preprocess.grid import COMMON_GRID
from classifiers.stars.columns import FARTHEST_BINS, PHASES, TERMS, fine
from classifiers.stars.fit import Fit, fit
from classifiers.stars.templates import STAR_TYPES, templates

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

ZERO_POINT_KM_S: Mapping[str, float] = {
    "A0": -8.8, "F2": -2.5, "F5": -3.2, "F9": -4.8, "G0": -4.9, "G2": -7.4, "G5": -1.7, "K1": -1.8, "K3": -2.1,
    "K5": -1.1, "K7": -1.4,
}  # fmt: skip
"""What each template says less the true velocity: the median over simulated stars, which come from several libraries,
of S/N above 15 whose best template is of its type (``python -m classifiers.training.star_types`` prints them anew)."""
FLOOR_KM_S = 1.0
"""With all bins seen. Chosen on simulated stars: with it alone pulls have width 0.87 to 1.0 from S/N 1.5 upwards."""
LARGEST_ERROR_KM_S = 100.0
"""A velocity less certain than half a bin is none: beyond, most of the error is from other peaks."""
LEAST_CORRELATION = 4.0
"""With the best template, in its own errors times the root of the reduced chi-square. A spectrum without any line
reaches it once in a thousand times."""
FARTHEST_KM_S = 1500.0
DETAIL = 0.25
"""Of the flux of a bin (root mean square), as in the labels of simulated stars. The probabilities of stars that are no
templates then agree best with how often fits of other windows, weights and polynomials say the same; with fits that add
the polynomial among them, 0.3 does as well (``python -m classifiers.training.star_details``)."""
LEAST_BINS = 150
"""Of the 1,268 that templates cover; a spectrum that shows fewer is not measured."""

C_KM_S = 299_792.458
BIN_KM_S = C_KM_S * float(np.log(10.0)) * COMMON_GRID.log10_step
_POWERS = np.linalg.inv(np.vander(PHASES, PHASES.size, increasing=True)).T
_PLACES = np.linspace(PHASES[0], PHASES[-1], 33)
_CURVES = np.vander(_PLACES, PHASES.size, increasing=True).T
_LEAST_INSIDE = 0.5  # of the evidence; the rest is of templates that fit best at an end of the phases


@dataclass(frozen=True, slots=True)
class MeasuredStars:
    """Stars measured in n spectra.

    Attributes:
        velocity_km_s, error_km_s: (n,) float64, c z, in the frame of the grid; NaN where not measured.
        misfit: (n, type) float64 in the order of ``STAR_TYPES``, least chi-square of the type's templates less the
            least of all, with errors scaled as if ``DETAIL`` of the flux were added; NaN where not measured.
    """

    velocity_km_s: Floats
    error_km_s: Floats
    misfit: Floats


def measure_stars(flux: Float32, inverse_variance: Float32) -> MeasuredStars:
    """Measure n stars.

    Args:
        flux: (n, pixel) float32 on the common grid, of a scale near 1; 0 where masked.
        inverse_variance: (n, pixel) float32; 0 where masked.
    """
    found = fit(flux, inverse_variance)
    place, curvature, least = minima(found.chi2)
    place -= np.array([ZERO_POINT_KM_S[name] for name in templates().names]) / BIN_KM_S
    degrees = np.maximum(found.bins - TERMS - 1, 1)
    reduced = np.maximum(least.min(axis=1) / degrees, 1.0)
    better = (least - least.min(axis=1, keepdims=True)) / reduced[:, None]
    inside = curvature > 0
    evidence = np.exp(-0.5 * better)
    share = np.where(inside, evidence, 0.0)
    total = share.sum(axis=1)
    share /= np.maximum(total, 1e-300)[:, None]
    middle = (share * place).sum(axis=1)
    spread = 2.0 * reduced[:, None] / np.where(inside, curvature, 1.0) + (place - middle[:, None]) ** 2
    variance = (share * spread).sum(axis=1) + _elsewhere(found, reduced)
    shift = COMMON_GRID.log10_step * np.log(10.0) * (found.shift + middle)
    floor = FLOOR_KM_S * np.sqrt(fine().values.shape[1] / np.maximum(found.bins, 1))
    error = np.exp(shift) * np.hypot(BIN_KM_S * np.sqrt(variance), floor)
    seen = found.bins >= LEAST_BINS
    velocity = C_KM_S * np.expm1(shift)
    measured = seen & (error <= LARGEST_ERROR_KM_S) & (np.abs(velocity) <= FARTHEST_KM_S)
    measured &= found.correlation >= LEAST_CORRELATION * np.sqrt(reduced)
    measured &= total > _LEAST_INSIDE * evidence.sum(axis=1)
    by_type = np.stack([least[:, templates().star_type == kind].min(axis=1) for kind in range(len(STAR_TYPES))], axis=1)
    by_type -= by_type.min(axis=1, keepdims=True)
    by_type /= 1.0 + DETAIL**2 * found.power[:, None]
    return MeasuredStars(
        velocity_km_s=np.where(measured, velocity, np.nan),
        error_km_s=np.where(measured, error, np.nan),
        misfit=np.where(seen[:, None], by_type, np.nan),
    )


def minima(chi2: Floats) -> tuple[Floats, Floats, Floats]:
    """Return where quartics through chi-square (n, template, phase) are least [bins].

    Returns:
        (n, template) each: the place, the second derivative there, 0 where the least is at an end, and the least.
    """
    coefficients = np.matmul(chi2, _POWERS)
    curves = np.matmul(coefficients, _CURVES)
    nearest = curves.argmin(axis=2)
    x = _PLACES[nearest]
    _, b, c, d, e = np.moveaxis(coefficients, 2, 0)
    slope = b + x * (2.0 * c + x * (3.0 * d + x * 4.0 * e))
    curvature = 2.0 * c + x * (6.0 * d + x * 12.0 * e)
    inside = (nearest > 0) & (nearest < _PLACES.size - 1) & (curvature > 0)
    half = 0.5 * (_PLACES[1] - _PLACES[0])
    step = np.clip(-slope / np.where(inside, curvature, 1.0), -half, half)
    least = curves.min(axis=2)
    return x + np.where(inside, step, 0.0), np.where(inside, curvature, 0.0), least


def _elsewhere(found: Fit, reduced: Floats) -> Floats:
    """Return what velocities away from the best whole bin add to the variance: (n,) [bins^2]."""
    worse = (found.coarse - found.coarse.min(axis=1, keepdims=True)) / reduced[:, None]
    probability = np.exp(-0.5 * worse)
    away = np.arange(-FARTHEST_BINS, FARTHEST_BINS + 1) - found.shift[:, None]
    far = np.where(np.abs(away) > 1, away**2, 0)
    return np.asarray((probability * far).sum(axis=1) / probability.sum(axis=1), np.float64)
