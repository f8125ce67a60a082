"""A second redshift in one spectrum: lines of another galaxy or quasar than the one that was recognised.

They are looked for (``classifiers.quasars.second_scan``) in what SDSS's eigenspectra leave at the first redshift
(``classifiers.quasars.remainder``). What counts
is how far a redshift stands out: with g the gain in chi-square of the best one without its strongest window, h that of
the next best and v the reduced chi-square, the score is (g - h)^2 / (g + 5) / v. Its thresholds are those that a share
of ``FALSE_RATE`` of simulated single galaxies and quasars exceeds, by what was recognised and by what is found;
``python -m classifiers.training.second`` prints them anew and says what they are worth: of 163,840 simulated objects
of all kinds 55 have a second redshift, of 3,719 pairs of galaxies and quasars of equal light 716, 715 of them right.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.preprocess.grid import COMMON_GRID
from classifiers.quasars.eigenspectra import FILE, PER_BIN
from classifiers.quasars.remainder import Vectors, leave
from classifiers.quasars.second_scan import Wanted, find_second

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]
Flags = NDArray[np.bool_]

LEAST_SNR = 6.0
"""Median S/N per bin of the common grid below which lines of a second object are hardly ever found."""
FALSE_RATE = 0.0005
"""For each of the two kinds of second object."""
THRESHOLDS = ((17.6, 16.6), (14.0, 14.1))
"""Score of a second galaxy and of a second quasar, where a galaxy was recognised and where a quasar was."""
LEAST_APART = 0.009
"""Difference of the two log10(1 + z), 6,200 km/s: nearer ones are the first object's own lines."""
FOREST_ANGSTROM = 1230.0
"""Blueward of it quasars are absorbed at random, and are not looked at."""

_TOGETHER = 3  # bins of the common grid in one of the fit
_GALAXIES_TO, _QUASARS = 0.8, (0.05, 4.5)
_LOWEST_PIXELS = 20
_SMOOTH_PIXELS = (300, 900)  # running mean of galaxies and quasars, of which the contrast is taken
_HIGHEST_CONTRAST = (-0.9, 6.0)
_HALF, _WINDOW = (15, 10), (10, 5)  # bins of the search: 19,000 and 25,000 km/s, and some 6,000 km/s


class Seconds(NamedTuple):
    """Second objects of n spectra: ``redshift`` (n,) float64, NaN where none is found, and whether it is a quasar."""

    redshift: Floats
    quasar: Flags


class _Templates(NamedTuple):
    quasars: Vectors
    galaxies: Vectors
    second_galaxy: Wanted
    second_quasar: Wanted
    log10_step: float


@lru_cache(maxsize=1)
def _templates() -> _Templates:
    with np.load(FILE, allow_pickle=False) as stored:
        step = float(stored["log10_step"])
        quasars, galaxies = (stored[name].astype(np.float64) for name in ("flux", "galaxy_flux"))
        starts = [float(stored[name]) for name in ("log10_start", "galaxy_log10_start")]
    origins = [round((COMMON_GRID.log10_start - start) / step) - PER_BIN // 2 for start in starts]
    phases = PER_BIN * _TOGETHER
    highest_galaxy = round(np.log10(1.0 + _GALAXIES_TO) / step)
    lowest, highest = (round(np.log10(1.0 + redshift) / step) for redshift in _QUASARS)
    return _Templates(
        quasars=Vectors(_binned(quasars, phases), origins[0]),
        galaxies=Vectors(_binned(galaxies, phases), origins[1]),
        second_galaxy=_wanted(galaxies[0], origins[1], 0, 1, (_LOWEST_PIXELS, highest_galaxy)),
        second_quasar=_wanted(quasars[0], origins[0], 1, 2, (lowest, highest)),
        log10_step=step,
    )


def _binned(vectors: Floats, pixels: int) -> Floats:
    """Return means of so many pixels: (phase, vector, place), from pixel ``pixels * place + phase`` on."""
    sums = np.cumsum(np.pad(vectors, ((0, 0), (1, 0))), axis=1)
    means = (sums[:, pixels:] - sums[:, :-pixels]) / pixels
    whole = means.shape[1] // pixels * pixels
    return np.ascontiguousarray(np.moveaxis(means[:, :whole].reshape(len(vectors), -1, pixels), 2, 0))


def _wanted(mean: Floats, origin: int, kind: int, together: int, pixels: tuple[int, int]) -> Wanted:
    smooth = _SMOOTH_PIXELS[kind]
    contrast = np.clip(mean / np.maximum(_running(mean, smooth), 1e-9) - 1.0, *_HIGHEST_CONTRAST)
    contrast -= _running(contrast, smooth)
    step = PER_BIN * _TOGETHER * together
    start, phase = divmod(origin - pixels[0], step)
    count = (pixels[1] - pixels[0]) // step // 4 * 4
    bins = COMMON_GRID.n // _TOGETHER // together
    lines = _binned(contrast[None], step)[phase, 0].astype(np.float32)
    before, after = max(0, count - start), max(0, start + bins - lines.size)
    return Wanted(
        contrast=np.pad(lines, (before, after)),
        together=together,
        start=start + before,
        tried=count,
        lowest=pixels[0],
        step=step,
        half=_HALF[kind],
        window=_WINDOW[kind],
    )


def _running(values: Floats, width: int) -> Floats:
    window = np.ones(width)
    return np.convolve(values, window, "same") / np.convolve(np.ones_like(values), window, "same")


def second_redshifts(flux: Float32, inverse_variance: Float32, redshift: Floats, quasar: Flags) -> Seconds:
    """Look for second objects in n spectra, to some 1,000 km/s.

    Args:
        flux: (n, bin) float32 on the common grid; 0 where masked.
        inverse_variance: (n, bin) float32; 0 where masked.
        redshift: (n,) of the first object, above -0.5.
        quasar: (n,) whether it is one; else it is a galaxy.
    """
    place, score = second_scores(flux, inverse_variance, redshift, quasar)
    excess = score / np.where(quasar[:, None], *np.array(THRESHOLDS)[::-1, None])
    kind = excess.argmax(axis=1)
    rows = np.arange(len(flux))
    found = redshift_at(place)[rows, kind]
    return Seconds(np.where(excess[rows, kind] > 1.0, found, np.nan), kind == 1)


def second_scores(
    flux: Float32, inverse_variance: Float32, redshift: Floats, quasar: Flags
) -> tuple[NDArray[np.int64], Floats]:
    """Return the likeliest second galaxy's and quasar's log10(1 + z) in pixels, and their scores: (n, 2) each."""
    templates = _templates()
    n = len(flux)
    shift = np.rint(np.log10(1.0 + redshift) / templates.log10_step).astype(np.int64)
    forest = np.log10(FOREST_ANGSTROM) - COMMON_GRID.log10_start + np.log10(1.0 + redshift)
    first = np.where(quasar, np.ceil(forest / COMMON_GRID.log10_step / _TOGETHER), 0.0).astype(np.int64)
    left, weight = np.empty((2, n, COMMON_GRID.n // _TOGETHER))
    leave(templates.quasars, templates.galaxies, flux, inverse_variance, _TOGETHER, first, shift, left, weight)
    place, score = np.empty((n, 2), np.int64), np.empty((n, 2))
    apart = round(LEAST_APART / templates.log10_step)
    find_second(templates.second_galaxy, templates.second_quasar, left, weight, shift, apart, place, score)
    return place, score


def redshift_at(place: NDArray[np.int64]) -> Floats:
    """Return the redshifts of places in pixels of log10(1 + z)."""
    return np.asarray(10.0 ** (_templates().log10_step * place) - 1.0, np.float64)
