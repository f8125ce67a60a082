"""Lines of galaxies and quasars at the redshift of the network, many spectra at once.

They are measured beside the network and not in its graph: the fit is a handful of small least-squares problems whose
places depend on the redshift, which few runtimes could gather and solve. They are measured on plain means over the bins
of the common grid (207 km/s), not on the weighted means that networks read (``preprocess.plain`` says why) and not on
native pixels: profiles are integrated over bins, so fluxes and redshifts lose nothing; a width near the resolution of
SDSS loses some precision; and every instrument is measured alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled
from classifiers.lines.continuum import FIRST_COLUMN, galaxy_continuum
from classifiers.lines.fit import Start, fit
from classifiers.lines.profiles import LOWEST_KM_S
from classifiers.lines.steps import SMALL_SIGMAS, SMALL_STEP
from classifiers.lines.table import (
    BALMER,
    BIN_KM_S,
    C_KM_S,
    COLUMNS,
    COMPLEXES,
    GROUPS,
    LYMAN,
    NAMES,
    NARROW,
    NITROGEN,
    PARAMETERS,
    REPORTED,
    REST_ANGSTROM,
    SHIFT,
    STEP,
    ULTRAVIOLET,
    rest_bin,
)

Floats = NDArray[np.float64]

_START_KM_S = {NARROW: (200.0, 250.0), BALMER: (200.0, 600.0), ULTRAVIOLET: (2000.0, 2000.0)}
_START_KM_S |= {LYMAN: (2000.0, 2000.0), NITROGEN: (2000.0, 2000.0)}
"""Width at which galaxies and quasars start, by group [km/s]."""
_WIDTH_EXPECTED = {NARROW: 1.0, BALMER: 1.5, ULTRAVIOLET: 1.0, LYMAN: 1.0, NITROGEN: 1.0}
_SHIFT_EXPECTED_KM_S = 500.0
_FWHM_PER_SIGMA = 2.0 * float(np.sqrt(2.0 * np.log(2.0)))
_LEAST_CONTINUUM = 2.0  # sigma; an equivalent width above less is not a number

_CENTRES: NDArray[np.int64] = np.array(
    [part.start + round(rest_bin(line.parts[0][0])) - part.first for part in COMPLEXES for line in part.lines]
)
_SCANNED = [_CENTRES[NAMES.index(name)] for name in ("[O II] 3727", "H beta", "[O III] 5007")]
_SCANNED_BINS = 7
_SCAN_RATIO, _SCAN_GAIN = 2.0, 30.0  # of chi-square over the redshift as it is


@dataclass(frozen=True, slots=True)
class MeasuredLines:
    """Lines of n spectra, in the order of ``table.NAMES``; NaN where a line is not measured.

    Attributes:
        flux, flux_error: (n, K) float64, unit of the flux density times Angstrom; the error is the fit's.
        published_error: (n, K) float64, flux_error times the square root of the complex's reduced chi-square where that
            is above 1.
        equivalent_width, equivalent_width_error: (n, K) float64, rest frame, emission positive [Angstrom].
        velocity_width, velocity_width_error: (n, K) float64, standard deviation without the instrument's, 0 where the
            line is not resolved; the error is then how wide it may be within one sigma, and may be inf [km/s].
        sigma, sigma_error: (n, K) float64, standard deviation as observed [km/s]; the error may be inf.
        redshift, redshift_error: (n,) float64, on the lines; the error is inf where no line says anything.
    """

    flux: Floats
    flux_error: Floats
    published_error: Floats
    equivalent_width: Floats
    equivalent_width_error: Floats
    velocity_width: Floats
    velocity_width_error: Floats
    sigma: Floats
    sigma_error: Floats
    redshift: Floats
    redshift_error: Floats


def measure_lines(
    flux: NDArray[np.float32],
    inverse_variance: NDArray[np.float32],
    redshift: Floats,
    quasar: NDArray[np.bool_],
    resolving_power: Floats,
) -> MeasuredLines:
    """Measure the lines of n spectra.

    Args:
        flux: (n, pixel) float32 on the common grid; 0 where masked.
        inverse_variance: (n, pixel) float32; 0 where masked.
        redshift: (n,) about where to look, at least -0.5; lines are found within 1,500 km/s.
        quasar: (n,) bool: broad lines above a straight continuum instead of narrow ones above stars.
        resolving_power: (n,) wavelength / FWHM, NaN where unknown (nothing is then taken from the widths).
    """
    position = np.log10(1.0 + redshift) / STEP
    whole = np.rint(position).astype(np.int64)
    values, weight = _gather(flux, inverse_variance, whole)
    stars = np.zeros_like(values)
    galaxies = np.flatnonzero(~quasar)
    weight[galaxies, :FIRST_COLUMN] = 0  # ultraviolet lines are the quasars'
    if galaxies.size:
        stars[galaxies] = galaxy_continuum(values[galaxies], weight[galaxies], (position - whole)[galaxies])
    values = np.where(weight > 0, values - stars, np.float32(0))
    start = _start(quasar)
    start.value[:, SHIFT] = whole_bin_shift(values, weight)
    found = fit(values, weight, position - whole, start)
    angstrom = REST_ANGSTROM * np.log(10.0) * STEP
    level = found.continuum + stars[:, _CENTRES]
    solid = level > _LEAST_CONTINUUM * found.continuum_error
    level = np.where(solid, level, np.nan)
    width = REPORTED * angstrom * found.flux / level
    relative = np.hypot(found.error * REPORTED * angstrom / level, width * found.continuum_error / level)
    measured = np.isfinite(found.flux)
    sigma = np.where(measured, np.exp(found.value[:, GROUPS]) * BIN_KM_S, np.nan)
    log_error = found.value_error[:, GROUPS]
    width_km_s, width_error_km_s = _without_the_instrument(sigma, log_error, resolving_power)
    stretch = angstrom * (1.0 + redshift)[:, None] * REPORTED
    shifted = (1.0 + redshift) * 10.0 ** (STEP * found.value[:, SHIFT])
    return MeasuredLines(
        flux=found.flux * stretch,
        flux_error=found.error * stretch,
        published_error=found.error * stretch * np.sqrt(np.fmax(found.chi2, 1.0)),
        equivalent_width=width,
        equivalent_width_error=relative,
        velocity_width=width_km_s,
        velocity_width_error=width_error_km_s,
        sigma=sigma,
        sigma_error=np.where(measured, sigma * log_error, np.nan),
        redshift=shifted - 1.0,
        redshift_error=shifted * np.log(10.0) * STEP * found.value_error[:, SHIFT],
    )


def _without_the_instrument(sigma: Floats, log_error: Floats, resolving_power: Floats) -> tuple[Floats, Floats]:
    """Return intrinsic widths and their errors: (n, K) each [km/s]; NaN where a line is not measured.

    With s as observed and i the instrument's, w = sqrt(s^2 - i^2) has the error s ds / w. A line is not resolved, and w
    is 0, where w is below that error, s below i, or s no farther above the narrowest profile that is fitted than the
    fit's last step may have been: in the fit, what is narrower is as wide as that. The error is then the root of one
    sigma above s^2 - i^2, or above 0 where that is less.

    Args:
        sigma: (n, K) as observed [km/s].
        log_error: (n, K) error of ln sigma; inf where nothing says anything.
        resolving_power: (n,) wavelength / FWHM; where NaN, the instrument is taken to add nothing.
    """
    instrument = np.nan_to_num(C_KM_S / (_FWHM_PER_SIGMA * resolving_power))[:, None]
    square = np.maximum(sigma**2 - instrument**2, 0.0)
    spread = sigma**2 * log_error
    above = np.log(sigma / LOWEST_KM_S[GROUPS])
    resolved = (square > spread) & (above > np.maximum(SMALL_STEP, SMALL_SIGMAS * log_error))
    width = np.sqrt(square)
    error = np.where(resolved, spread / np.where(resolved, width, 1.0), np.sqrt(square + 2.0 * spread))
    return np.where(resolved | np.isnan(sigma), width, 0.0), error


def _gather(
    flux: NDArray[np.float32], inverse_variance: NDArray[np.float32], whole: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return flux and inverse variance on ``COLUMNS``, 0 where the grid does not reach."""
    gathered = np.empty((2, len(flux), COLUMNS.size), np.float32)
    _take(flux, whole, COLUMNS, gathered[0])
    _take(inverse_variance, whole, COLUMNS, gathered[1])
    return gathered[0], gathered[1]


@compiled
def _take(
    values: NDArray[np.float32], whole: NDArray[np.int64], columns: NDArray[np.int64], out: NDArray[np.float32]
) -> None:
    pixels = values.shape[1]
    for row in range(values.shape[0]):
        for i in range(columns.size):
            place = whole[row] + columns[i]
            out[row, i] = values[row, place] if 0 <= place < pixels else np.float32(0.0)


def whole_bin_shift(flux: NDArray[np.float32], weight: NDArray[np.float32]) -> Floats:
    """Return where strong narrow lines lie together, in whole bins: (n,); 0 where nothing stands out.

    At each shift the squared significances of the excess in three bins are summed over [O II], H beta and [O III]; not
    over H alpha, which has [N II] on either side.

    Args:
        flux: (n, column) float32 on ``COLUMNS``; 0 where masked.
        weight: (n, column) float32; 0 where masked.
    """
    score = np.zeros((len(flux), 2 * _SCANNED_BINS + 1))
    for centre in _SCANNED:
        window = slice(centre - 2 * _SCANNED_BINS, centre + 2 * _SCANNED_BINS + 1)
        w = weight[:, window].astype(np.float64)
        level = (w * flux[:, window]).sum(axis=1) / np.maximum(w.sum(axis=1), 1e-30)
        wr = w * (flux[:, window] - level[:, None])
        near = slice(_SCANNED_BINS, 3 * _SCANNED_BINS + 1)
        before, after = slice(near.start - 1, near.stop - 1), slice(near.start + 1, near.stop + 1)
        excess = wr[:, before] + wr[:, near] + wr[:, after]
        information = w[:, before] + w[:, near] + w[:, after]
        score += np.maximum(excess, 0.0) ** 2 / np.maximum(information, 1e-30)
    best = score.argmax(axis=1)
    middle = score[:, _SCANNED_BINS - 1 : _SCANNED_BINS + 2].max(axis=1)
    stands_out = score[np.arange(len(flux)), best] > _SCAN_RATIO * middle + _SCAN_GAIN
    return np.where(stands_out, best - _SCANNED_BINS, 0).astype(np.float64)


def _start(quasar: NDArray[np.bool_]) -> Start:
    value = np.zeros((quasar.size, PARAMETERS))
    for group, (galaxy_km_s, quasar_km_s) in _START_KM_S.items():
        value[:, group] = np.log(np.where(quasar, quasar_km_s, galaxy_km_s) / BIN_KM_S)
    expected = np.array(
        [_WIDTH_EXPECTED.get(parameter, _SHIFT_EXPECTED_KM_S / BIN_KM_S) for parameter in range(PARAMETERS)]
    )
    return Start(value, expected)
