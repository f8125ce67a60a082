"""Redshifts of quasars with errors: SDSS's eigenspectra, fitted near what the network offers.

A network that has learnt from simulations knows a quasar's redshift as its simulations define it; what surveys publish
is where their eigenspectra fit best. On simulated quasars of S/N below 2 the fit also halves the share that is off by
more than 0.0033 (1 + z), from 0.18 to 0.11 below z = 1.1 and from 0.21 to 0.11 up to z = 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.quasars.eigenspectra import eigenspectra
from classifiers.quasars.scan import STRIDE, TERMS, scan

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

REACH_PIXELS = 11 * STRIDE
"""How far from an offered redshift the fit looks, 3,000 km/s to either side: beyond that it would be another line."""
WIDENING = 1.5
"""Of the statistical error, for minima elsewhere within reach; it comes from chi-square over its degrees of freedom
where that is above 1."""
ERROR_FACTORS = ((0.7, 1.1), (1.1, 1.35), (2.1, 1.9), (2.6, 1.5), (np.inf, 0.9))
"""Up to each redshift, by how much the statistical error is multiplied: flux calibration and masks move the fit too.

Without the floor they bring the pulls of simulated quasars, against where the eigenspectra fit them without noise, to
widths near 1 at S/N of 2 to 12; with it these are 0.6 to 1.0, and 0.76 of all.
"""
FLOOR_KM_S = 15.0
"""Added to the error in quadrature: fits of one near quasar with two sets of weights differ by 22 km/s, each by 16.

That near quasars give the floor for all, and that errors are against what surveys publish, was decided after a look at
pulls of the development spectra: with 1.5 for all factors these have widths of 0.93 without a floor and 0.76 with 30
km/s, by objects. Such an error does not say how well the systemic redshift is known: the redshifts that templates were
made with and those of noiseless fits differ by 30 km/s at z < 1.1, 90 to 130 km/s up to z = 2.6 and 200 to 500 beyond.
"""
LEAST_BINS = 150
"""A spectrum that shows fewer to the eigenspectra keeps the network's redshift."""

C_KM_S = 299_792.458


@dataclass(frozen=True, slots=True)
class QuasarRedshifts:
    """Redshifts of n spectra: ``redshift`` and ``error``, (n,) float64, NaN where the fit says nothing."""

    redshift: Floats
    error: Floats


def measure_redshifts(
    flux: Float32, inverse_variance: Float32, offered: Floats, probability: Floats
) -> QuasarRedshifts:
    """Fit n spectra near each redshift that is offered, and take the one that fits and is offered best.

    Args:
        flux: (n, bin) float32 on the common grid; 0 where masked.
        inverse_variance: (n, bin) float32; 0 where masked.
        offered: (n, k) redshifts above -0.5, the network's first; NaN for none.
        probability: (n, k) of each, above 0 where there is one.
    """
    row, column = np.nonzero(np.isfinite(offered))
    templates = eigenspectra()
    n = row.size
    place, bins = np.empty((2, n), np.int64)
    chi2, elsewhere = np.empty((n, 3)), np.empty(n)
    guess = np.rint(np.log10(1.0 + offered[row, column]) / templates.log10_step).astype(np.int64)
    scan(
        templates.binned, templates.origin, templates.pixels, flux[row], inverse_variance[row], guess, REACH_PIXELS,
        WIDENING, place, chi2, elsewhere, bins,
    )  # fmt: skip
    before, least, after = chi2.T
    bend = before - 2.0 * least + after
    measured = (bins >= LEAST_BINS) & (bend > 0.0) & (np.abs(place - guess) < REACH_PIXELS)
    reduced = np.fmax(least / np.maximum(bins - TERMS - len(templates.binned[0]), 1), 1.0)
    best = np.full(len(flux), np.inf)
    np.minimum.at(best, row, reduced)
    score = 0.5 * least / best[row] - np.log(probability[row, column])
    order = np.lexsort((np.where(np.isfinite(score), score, np.inf), row))
    chosen = order[np.diff(row[order], prepend=-1) > 0]
    kept = chosen[measured[chosen]]
    offset = np.clip(0.5 * (before - after)[kept] / bend[kept], -1.0, 1.0)
    stretch = 10.0 ** (templates.log10_step * (place[kept] + offset))
    upper, factors = np.array(ERROR_FACTORS).T
    factor = factors[np.searchsorted(upper, stretch - 1.0)]
    variance = factor**2 * 2.0 * reduced[kept] / bend[kept] + elsewhere[kept]
    error = np.hypot(C_KM_S * np.log(10.0) * templates.log10_step * np.sqrt(variance), FLOOR_KM_S) / C_KM_S
    result = QuasarRedshifts(*np.full((2, len(flux)), np.nan))
    result.redshift[row[kept]] = stretch - 1.0
    result.error[row[kept]] = stretch * error
    return result
