"""What SDSS would publish of simulated quasars: whether they are BROADLINE, and their redshift."""

from __future__ import annotations

import numpy as np

from classifiers.lines.measure import measure_lines
from classifiers.lines.rule import QSO_SUBCLASSES, subclasses
from classifiers.lines.table import C_KM_S
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.quasars.redshift import measure_redshifts
from classifiers.training.simulation.grid import PIXELS, Float32, Float64

_REDEFINED_KM_S = 1500.0


def broadline(flux: Float32, redshift: Float64, inverse_variance: Float32) -> Float64:
    """Return the probability that SDSS calls quasars BROADLINE, by its rule on lines measured in the noisy spectrum.

    Args:
        flux: (n, 4671) float32 with noise, of a scale near 1.
        redshift: (n,).
        inverse_variance: (n, 4671) float32; 0 where masked.

    Returns:
        (n,) float64.
    """
    unknown = np.full(redshift.size, np.nan)
    means = plain_bins(flux, inverse_variance)
    lines = measure_lines(*means, redshift, np.ones(redshift.size, np.bool_), unknown)
    return subclasses(lines).qso[:, QSO_SUBCLASSES.index("BROADLINE")]


def published_redshift(noiseless: Float32, inverse_variance: Float32, redshift: Float64) -> Float64:
    """Return redshifts as surveys define them: where SDSS's eigenspectra fit best, here if there were no noise.

    A quasar's lines have no one velocity, and which of them decide depends on the spectrum's weights: noiseless fits
    and the redshifts that templates are made with differ by 30 km/s at z < 1 and by 200 to 300 km/s at z > 2.6.

    Args:
        noiseless: (n, 4671) float32.
        inverse_variance: (n, 4671) float32 of the exposure; 0 where masked.
        redshift: (n,) of the templates; kept where no fit is within 1,500 km/s.

    Returns:
        (n,) float64.
    """
    offered, sure = redshift[:, None], np.ones((redshift.size, 1))
    found = measure_redshifts(*plain_bins(noiseless, inverse_variance), offered, sure).redshift
    near = np.abs(found - redshift) < _REDEFINED_KM_S / C_KM_S * (1.0 + redshift)
    return np.where(near, found, redshift)


def plain_bins(flux: Float32, inverse_variance: Float32) -> tuple[Float32, Float32]:
    """Return plain means over the bins of the common grid and their inverse variance, as lines are measured on.

    Args:
        flux: (n, 4671) float32.
        inverse_variance: (n, 4671) float32; 0 where masked.

    Returns:
        (n, 1557) float32 each, 0 where all pixels of a bin are masked.
    """
    shape = len(flux), COMMON_GRID.n, PIXELS // COMMON_GRID.n
    good = inverse_variance > 0
    count = good.reshape(shape).sum(axis=2).astype(np.float32)
    variance = np.divide(np.float32(1.0), inverse_variance, out=np.zeros_like(inverse_variance), where=good)
    total, noise = (values.reshape(shape).sum(axis=2) for values in (flux * good, variance))
    seen = count > 0
    mean = np.divide(total, count, out=np.zeros_like(total), where=seen)
    return mean, np.divide(count**2, noise, out=np.zeros_like(total), where=seen)
