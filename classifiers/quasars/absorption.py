"""Probability of broad absorption: the network's, weighed with a trough that is looked for blueward of C IV.

The evidence for a trough (``classifiers.quasars.troughs``) and the network's logit are put together by a logistic
regression on simulated quasars at z > 1.5, a tenth of which have broad absorption:

    logit P = a + b logit p + c arsinh(e / 2) + d min(e, 0)

with p the network's probability and e the evidence, whose large values are compressed since no model of a quasar is
perfect. ``python -m classifiers.training.absorption`` prints a, b, c and d anew, and what they are worth: on simulated
quasars that had no part in them the area under the curve rises from 0.74 to 0.86, the log loss falls from 0.27 to 0.21.
All these quasars may have narrow C IV systems, as real ones have, which no trough that is tried is as narrow as.
Broad absorption is what absorption indices (Hall et al. 2002, ApJS 141, 267) count: troughs of some 450 km/s and more.
Four in ten of the simulated ones have a balnicity index above 0 (Weymann et al. 1991, ApJ 373, 23).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifiers.preprocess.grid import COMMON_GRID
from classifiers.quasars.eigenspectra import eigenspectra
from classifiers.quasars.troughs import weigh_troughs

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

LEAST_REDSHIFT = 1.5
"""Below, optical spectra show too little of what lies blueward of C IV, and the simulated quasars have no troughs."""
FITTED_ANGSTROM = (1400.0, 1900.0)
"""Between Si IV and C III], where the fit is not asked to follow much else."""
CIV_ANGSTROM = 1549.06
REACH_KM_S = 25_000.0
"""From C IV, as in the balnicity index."""
WIDTHS_BINS = (8, 13, 21, 34, 55)
"""Of troughs that are tried: 1,700 to 11,000 km/s. Narrower ones fit the doublets of ordinary absorption systems as
well: with them the log loss is larger. A wider trough is several."""
DEPTH_FLOOR = 0.04
"""Error of a depth that comes from the eigenspectra; of 0.03 to 0.08 among those of the smallest log loss."""
LEAST_BINS = (100, 10)
"""That are fitted, and of them blueward of C IV."""
WEIGHTS = (-1.40, 0.53, 0.98, 0.24)
"""a, b, c and d."""

_C_KM_S = 299_792.458
_REACH_BINS = round(float(np.arctanh(REACH_KM_S / _C_KM_S) / np.log(10.0)) / COMMON_GRID.log10_step)


def absorption_evidence(flux: Float32, inverse_variance: Float32, redshift: Floats) -> Floats:
    """Return the natural logarithm of how much more probable a trough is than none: (n,), NaN where none can be seen.

    Args:
        flux: (n, bin) float32 on the common grid; 0 where masked.
        inverse_variance: (n, bin) float32; 0 where masked.
        redshift: (n,) of quasars; NaN for none.
    """
    templates = eigenspectra()
    evidence = np.full(len(flux), np.nan)
    rows = np.flatnonzero(redshift > LEAST_REDSHIFT)
    if rows.size:
        window = np.array([_rest_bin(wavelength) for wavelength in (*FITTED_ANGSTROM, CIV_ANGSTROM)])
        shift = np.rint(np.log10(1.0 + redshift[rows]) / templates.log10_step).astype(np.int64)
        found = np.empty(rows.size)
        weigh_troughs(
            templates.binned, templates.origin, templates.pixels, flux[rows], inverse_variance[rows], shift, window,
            _REACH_BINS, np.array(WIDTHS_BINS), DEPTH_FLOOR, np.array(LEAST_BINS), found,
        )  # fmt: skip
        evidence[rows] = found
    return evidence


def with_evidence(probability: Floats, evidence: Floats) -> Floats:
    """Return the network's probability where no trough can be looked for, and elsewhere that of both: (n,).

    Args:
        probability: (n,) the network's calibrated one; NaN where there is none.
        evidence: (n,) as of ``absorption_evidence``.
    """
    measured = np.isfinite(evidence) & np.isfinite(probability)
    logit = np.full(len(probability), WEIGHTS[0])
    terms = features(np.where(measured, probability, 0.5), np.where(measured, evidence, 0.0))
    for weight, term in zip(WEIGHTS[1:], terms.T, strict=True):
        logit += weight * term
    return np.where(measured, 1.0 / (1.0 + np.exp(-logit)), probability)


def features(probability: Floats, evidence: Floats) -> Floats:
    """Return what the regression weighs: (n, 3)."""
    bounded = np.clip(probability, 1e-6, 1.0 - 1e-6)
    return np.column_stack([np.log(bounded / (1.0 - bounded)), np.arcsinh(0.5 * evidence), np.minimum(evidence, 0.0)])


def _rest_bin(wavelength_angstrom: float) -> int:
    return round((float(np.log10(wavelength_angstrom)) - COMMON_GRID.log10_start) / COMMON_GRID.log10_step)
