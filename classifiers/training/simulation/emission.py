"""Narrow emission lines: rest wavelengths, H II region and AGN ratios, and Gaussians added on the native grid."""

from __future__ import annotations

import numpy as np

from classifiers.training.simulation.grid import (
    LOG10_START,
    LOG10_STEP,
    PIXEL_KM_S,
    PIXELS,
    SPEED_OF_LIGHT_KM_S,
    Float32,
    Float64,
)

# Vacuum rest wavelengths, Angstrom (NIST Atomic Spectra Database, observed); H 8 is blended with He I 3889.
REST_ANGSTROM = {
    "[O II] 3726": 3727.10,
    "[O II] 3729": 3729.86,
    "H 9": 3836.47,
    "[Ne III] 3869": 3869.86,
    "H 8": 3890.0,
    "[Ne III] 3968": 3968.59,
    "H epsilon": 3971.20,
    "H delta": 4102.892,
    "H gamma": 4341.692,
    "[O III] 4363": 4364.436,
    "He I 4471": 4472.73,
    "H beta": 4862.71,
    "[O III] 4959": 4960.295,
    "[O III] 5007": 5008.240,
    "He I 5876": 5877.249,
    "[O I] 6300": 6302.046,
    "[S III] 6312": 6313.8,
    "[N II] 6548": 6549.86,
    "H alpha": 6564.60,
    "[N II] 6583": 6585.27,
    "He I 6678": 6679.99,
    "[S II] 6716": 6718.294,
    "[S II] 6731": 6732.674,
    "He I 7065": 7067.14,
    "[Ar III] 7135": 7137.77,
    "[O II] 7320": 7321.9,
    "[O II] 7330": 7332.2,
    "[S III] 9069": 9071.1,
    "[S III] 9532": 9533.2,
}
LINES = tuple(REST_ANGSTROM)
REST = np.array(list(REST_ANGSTROM.values()))
RULE_LINES = tuple(LINES.index(name) for name in ("[O III] 5007", "H beta", "H alpha", "[N II] 6583"))
CASE_B_HALPHA_HBETA = 2.86
_HALF_WINDOW = 26
_LEAST_PIXELS = 0.5  # a Gaussian that is narrower would lose flux between the pixels


def relative_extinction(wavelength_angstrom: Float64) -> Float64:
    """Return A(wavelength) / E(B-V), a power law of index -1.3 with R_V = 3.1 (Charlot & Fall 2000, ApJ 539, 718)."""
    return np.asarray(3.1 * (wavelength_angstrom / 5500.0) ** -1.3)


def line_ratios(nii_halpha: Float64, oiii_hbeta: Float64, ebv: Float64, rng: np.random.Generator) -> Float64:
    """Return line fluxes over the flux of H alpha.

    Args:
        nii_halpha: (n,) log10([N II] 6583 / H alpha).
        oiii_hbeta: (n,) log10([O III] 5007 / H beta).
        ebv: (n,) reddening of the gas, mag.
        rng: of the scatter of the lines that these ratios do not fix.

    Returns:
        (n, line) float64 in the order of ``LINES``, 1 at H alpha.
    """
    count = nii_halpha.size
    hbeta = np.full(count, 1.0 / CASE_B_HALPHA_HBETA)
    nii, oiii = 10.0**nii_halpha, hbeta * 10.0**oiii_hbeta
    oii = hbeta * 10.0 ** rng.normal(0.35, 0.2, count)
    sii = 10.0 ** rng.normal(-0.42, 0.15, count)
    high = oiii * 10.0 ** rng.normal(-1.1, 0.2, count)
    by_name = {
        "[O II] 3726": 0.42 * oii,
        "[O II] 3729": 0.58 * oii,
        "H 9": 0.073 * hbeta,
        "[Ne III] 3869": high,
        "H 8": 0.2 * hbeta,
        "[Ne III] 3968": 0.31 * high,
        "H epsilon": 0.159 * hbeta,
        "H delta": 0.259 * hbeta,
        "H gamma": 0.468 * hbeta,
        "[O III] 4363": 0.1 * high,
        "He I 4471": 0.04 * hbeta,
        "H beta": hbeta,
        "[O III] 4959": oiii / 2.98,
        "[O III] 5007": oiii,
        "He I 5876": 0.12 * hbeta,
        "[O I] 6300": 0.12 * sii,
        "[S III] 6312": 0.02 * sii,
        "[N II] 6548": nii / 3.05,
        "H alpha": np.ones(count),
        "[N II] 6583": nii,
        "He I 6678": 0.035 * hbeta,
        "[S II] 6716": 0.57 * sii,
        "[S II] 6731": 0.43 * sii,
        "He I 7065": 0.04 * hbeta,
        "[Ar III] 7135": 0.3 * high,
        "[O II] 7320": 0.012 * oii,
        "[O II] 7330": 0.01 * oii,
        "[S III] 9069": 0.3 * sii,
        "[S III] 9532": 0.75 * sii,
    }
    ratios = np.stack([by_name[name] for name in LINES], axis=1)
    halpha = REST_ANGSTROM["H alpha"]
    dimming = relative_extinction(REST) - relative_extinction(np.array([halpha]))
    return np.asarray(ratios * 10.0 ** (-0.4 * ebv[:, None] * dimming))


def add_lines(flux: Float32, line_flux: Float64, redshift: Float64, sigma_km_s: Float64) -> None:
    """Add Gaussian lines in place.

    Args:
        flux: (n, 4671) float32 on the native grid, observed-frame flux density per rest-frame Angstrom.
        line_flux: (n, line) integrated flux of each of ``LINES``, flux density times rest-frame Angstrom.
        redshift: (n,).
        sigma_km_s: (n, line) velocity dispersion including the instrument's.
    """
    rows = np.arange(flux.shape[0])
    reach = np.arange(-_HALF_WINDOW, _HALF_WINDOW + 1)
    sigma_pixels = np.maximum(sigma_km_s / PIXEL_KM_S, _LEAST_PIXELS)
    for column, rest in enumerate(REST):
        centre = (np.log10(rest * (1.0 + redshift)) - LOG10_START) / LOG10_STEP
        seen = np.flatnonzero((centre > _HALF_WINDOW) & (centre < PIXELS - _HALF_WINDOW - 1))
        if seen.size == 0:
            continue
        nearest = np.round(centre[seen]).astype(np.int64)
        offset = nearest[:, None] + reach - centre[seen, None]
        width = sigma_pixels[seen, column, None]
        sigma_angstrom = rest * sigma_pixels[seen, column] * PIXEL_KM_S / SPEED_OF_LIGHT_KM_S
        peak = line_flux[seen, column] / (np.sqrt(2.0 * np.pi) * sigma_angstrom)
        profile = np.exp(-0.5 * (offset / width) ** 2) * peak[:, None]
        flux[rows[seen, None], nearest[:, None] + reach] += profile.astype(np.float32)


def line_significance(
    line_flux: Float64, columns: tuple[int, ...], redshift: Float64, sigma_km_s: Float64, inverse_variance: Float32
) -> Float64:
    """Return flux over error of some lines by a matched Gaussian filter, 0 where a line is not observed.

    For a profile p of unit sum in flux x wavelength, error^-2 = sum(p^2 / variance) (Horne 1986, PASP 98, 609, Eq. 9).
    The free continuum and width of a real fit cost about 20 %.

    Args:
        line_flux: (n, line) as in ``add_lines``.
        columns: indices of the wanted lines.
        redshift: (n,).
        sigma_km_s: (n, line).
        inverse_variance: (n, 4671) float32.

    Returns:
        (n, len(columns)) float64.
    """
    significance = np.zeros((redshift.size, len(columns)))
    reach = np.arange(-_HALF_WINDOW, _HALF_WINDOW + 1)
    width = np.maximum(sigma_km_s / PIXEL_KM_S, _LEAST_PIXELS)
    for out, column in enumerate(columns):
        rest = REST[column]
        centre = (np.log10(rest * (1.0 + redshift)) - LOG10_START) / LOG10_STEP
        seen = np.flatnonzero((centre > _HALF_WINDOW) & (centre < PIXELS - _HALF_WINDOW - 1))
        if seen.size == 0:
            continue
        nearest = np.round(centre[seen]).astype(np.int64)
        offset = nearest[:, None] + reach - centre[seen, None]
        sigma_pixels = width[seen, column, None]
        sigma_angstrom = rest * sigma_pixels * PIXEL_KM_S / SPEED_OF_LIGHT_KM_S
        profile = np.exp(-0.5 * (offset / sigma_pixels) ** 2) / (np.sqrt(2.0 * np.pi) * sigma_angstrom)
        information = np.sum(profile**2 * inverse_variance[seen[:, None], nearest[:, None] + reach], axis=1)
        significance[seen, out] = 0.83 * line_flux[seen, column] * np.sqrt(information)
    return significance
