"""The surveys' own labelling rules, so that simulated spectra are labelled the way real ones are.

Galaxies: SDSS's subclass rule on four emission lines (quasars: ``quasars.label``). Stars: the best-fitting
spEigenStar-53724 template, not the MK name (the two disagree systematically); ``star_labels`` fits at the noise.
"""

from __future__ import annotations

import numpy as np

from classifiers.training.simulation.grid import Float32, Float64, Integers
from classifiers.training.simulation.scheme import CLASSES, FOLDED_STAR_TYPES, STAR_TYPES

LINE_SIGNIFICANCE = 3.0
STARBURST_EQUIVALENT_WIDTH_ANGSTROM = 50.0


def galaxy_labels(significance: Float64, oiii_hbeta: Float64, nii_halpha: Float64, ew_halpha: Float64) -> Integers:
    """Apply SDSS's galaxy subclass rule (Bolton et al. 2012, AJ 144, 144, Sect. 3.3, and the survey's documentation).

    Args:
        significance: (n, 4) measured flux over error of [O III] 5007, H beta, H alpha, [N II] 6583.
        oiii_hbeta: (n,) measured log10([O III] / H beta).
        nii_halpha: (n,) measured log10([N II] / H alpha).
        ew_halpha: (n,) equivalent width of H alpha as observed, which is (1 + z) times that at rest, Angstrom: SDSS's
            ``LINEEW`` is its ``LINEAREA`` over ``LINECONTLEVEL``, neither of them brought to rest.

    Returns:
        (n,) int64 class index: GALAXY_AGN, GALAXY_STARBURST, GALAXY_STARFORMING or GALAXY_nan.
    """
    detected = (significance >= LINE_SIGNIFICANCE).all(axis=1)
    agn = detected & (oiii_hbeta > 0.22 - 1.2 * nii_halpha)
    starburst = detected & ~agn & (ew_halpha > STARBURST_EQUIVALENT_WIDTH_ANGSTROM)
    label = np.full(significance.shape[0], CLASSES.index("GALAXY_nan"), dtype=np.int64)
    label[detected] = CLASSES.index("GALAXY_STARFORMING")
    label[starburst] = CLASSES.index("GALAXY_STARBURST")
    label[agn] = CLASSES.index("GALAXY_AGN")
    return label


def star_template_residuals(flux: Float32, templates: Float32, polynomial_order: int = 4) -> Float64:
    """Fit each spectrum by each template times a polynomial and return the relative residuals.

    Args:
        flux: (n, pixel) float32, any scale, rest frame.
        templates: (t, pixel) float32.
        polynomial_order: order of the polynomial in log wavelength.

    Returns:
        (n, t) float64, mean squared residual over mean squared flux.
    """
    x = np.linspace(-1.0, 1.0, flux.shape[1])
    powers = np.vander(x, polynomial_order + 1, increasing=True)
    spectra = flux.astype(np.float64)
    power = np.mean(spectra**2, axis=1)
    residuals = np.empty((flux.shape[0], templates.shape[0]))
    for column, template in enumerate(templates.astype(np.float64)):
        basis, _ = np.linalg.qr(template[:, None] * powers)
        explained = np.sum((spectra @ basis) ** 2, axis=1) / flux.shape[1]
        residuals[:, column] = np.maximum(power - explained, 0.0) / power
    return residuals


def fold_star_residuals(residuals: Float64, names: tuple[str, ...]) -> Float64:
    """Reduce residuals by template to residuals by class, taking the best of the templates folded into it.

    Args:
        residuals: (n, t) float64 of ``star_template_residuals``.
        names: t template names, among the seven star types and those folded into them.

    Returns:
        (n, 7) float64, in the order of ``STAR_TYPES``.
    """
    folded = np.full((residuals.shape[0], len(STAR_TYPES)), np.inf)
    for column, name in enumerate(names):
        target = STAR_TYPES.index(FOLDED_STAR_TYPES.get(name, name))
        folded[:, target] = np.minimum(folded[:, target], residuals[:, column])
    return folded
