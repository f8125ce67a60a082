"""SDSS's subclass rule on measured lines, as probabilities (Bolton et al. 2012, AJ 144, 144).

Galaxies: [O III] 5007, H beta, H alpha and [N II] 6583 each at 3 sigma or more; AGN where log([O III] / H beta) >
0.22 - 1.2 log([N II] / H alpha), else STARFORMING, which becomes STARBURST with an H alpha equivalent width above 50
Angstrom. Anything else is "nan". Quasars: BROADLINE if any line of 10 sigma or more has sigma - 5 sigma_error > 200
km/s, else "nan". Each inequality holds with the Gaussian probability that the measured value and its error give.

The survey ties the widths of ultraviolet lines to those of the forbidden lines, whose sum of squared significances
decides which of them the common width follows: where that of the forbidden lines is larger, an ultraviolet line is not
broad by the survey's fit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.lines.measure import MeasuredLines
from classifiers.lines.table import GROUPS, NAMES, NARROW, ULTRAVIOLET

Floats = NDArray[np.float64]

GALAXY_SUBCLASSES = ("AGN", "STARBURST", "STARFORMING", "nan")
QSO_SUBCLASSES = ("BROADLINE", "nan")

DETECTED, BROAD_DETECTED = 3.0, 10.0
STARBURST_EQUIVALENT_WIDTH_ANGSTROM = 50.0
BROAD_KM_S, BROAD_SIGMAS = 200.0, 5.0
_OIII, _HBETA, _HALPHA, _NII = (NAMES.index(n) for n in ("[O III] 5007", "H beta", "H alpha", "[N II] 6583"))


class Subclasses(NamedTuple):
    """Probabilities given the family: (n, 4) in the order of ``GALAXY_SUBCLASSES`` and (n, 2) of ``QSO_SUBCLASSES``."""

    galaxy: Floats
    qso: Floats


def subclasses(lines: MeasuredLines) -> Subclasses:
    """Return the probabilities of the subclasses; every row sums to 1."""
    return Subclasses(_galaxy(lines), _qso(lines))


def _galaxy(lines: MeasuredLines) -> Floats:
    four = (_OIII, _HBETA, _HALPHA, _NII)
    significance = _significance(lines)
    detected = np.ones(len(significance))
    for line in four:
        detected *= normal(significance[:, line] - DETECTED)
    flux = np.maximum(np.nan_to_num(lines.flux), 1e-300)
    relative = 1.0 / np.maximum(significance, 0.3)
    oiii, hbeta, halpha, nii = (np.log10(flux[:, line]) for line in four)
    above = (oiii - hbeta) - (0.22 - 1.2 * (nii - halpha))
    squares = relative[:, _OIII] ** 2 + relative[:, _HBETA] ** 2
    squares = squares + 1.44 * (relative[:, _NII] ** 2 + relative[:, _HALPHA] ** 2)
    active = normal(above / (np.sqrt(squares) / np.log(10.0)))
    width, error = lines.equivalent_width[:, _HALPHA], lines.equivalent_width_error[:, _HALPHA]
    excess = (width - STARBURST_EQUIVALENT_WIDTH_ANGSTROM / (1.0 + lines.redshift)) / error
    burst = normal(np.where(np.isfinite(excess), excess, np.inf))  # without a continuum the width has no bound
    shares = [active, (1.0 - active) * burst, (1.0 - active) * (1.0 - burst)]
    return np.stack([*(detected * share for share in shares), 1.0 - detected], axis=1)


def _qso(lines: MeasuredLines) -> Floats:
    significance = _significance(lines)
    square = np.maximum(significance, 0.0) ** 2
    leads = _sum(square, ULTRAVIOLET) > _sum(square, NARROW)
    counted = (GROUPS != ULTRAVIOLET) | leads[:, None]
    known = np.isfinite(lines.sigma_error)
    margin = np.where(known, lines.sigma - BROAD_KM_S, 0.0) / np.where(known, np.maximum(lines.sigma_error, 1e-3), 1.0)
    each = normal(significance - BROAD_DETECTED) * normal(margin - BROAD_SIGMAS) * counted
    broad = each.max(axis=1)
    return np.stack([broad, 1.0 - broad], axis=1)


def _sum(square: Floats, group: int) -> Floats:
    total = np.zeros(len(square))
    for column in np.flatnonzero(group == GROUPS).tolist():
        total += square[:, column]
    return total


def _significance(lines: MeasuredLines) -> Floats:
    """Return flux over error (n, K), -inf where a line is not measured."""
    return np.where(
        np.isfinite(lines.flux), lines.flux / np.where(lines.flux_error > 0, lines.flux_error, 1.0), -np.inf
    )


def normal(x: Floats) -> Floats:
    """Return the standard normal distribution function (Abramowitz & Stegun 1964, Eq. 26.2.17; error below 7.5e-8)."""
    t = 1.0 / (1.0 + 0.2316419 * np.abs(np.clip(x, -40.0, 40.0)))
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = np.exp(-0.5 * np.clip(x, -40.0, 40.0) ** 2) / np.sqrt(2.0 * np.pi) * series
    return np.asarray(np.where(x < 0, tail, 1.0 - tail))
