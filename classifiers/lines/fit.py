"""The fit: Gaussian fluxes and straight continua by linear least squares, shifts and widths by Gauss-Newton steps.

All complexes of a spectrum share the shift and, group by group, the widths. In each step the columns of a complex
(straight line, profiles, derivatives by its shifts and widths, data) are multiplied with each other; sweeping the
linear ones out leaves the complex's part of the normal equations of shifts and widths (``part``), which are summed over
the complexes and solved. Priors, wide Gaussians, keep shift and widths where no line says anything.

A row's numbers depend on that row alone, bit for bit: everything is elementwise or a matrix product whose shape is the
same for each row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.lines.fitted import Fit
from classifiers.lines.part import Part
from classifiers.lines.profiles import FARTHEST_KM_S, HIGHEST_KM_S, LOWEST_KM_S
from classifiers.lines.sweep import sweep
from classifiers.lines.table import BIN_KM_S, COMPLEXES, LYMAN, LYMAN_SHIFT, PARAMETERS, WIDTHS

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

MOST_STEPS = 6
_LARGEST_STEP, _LARGEST_SIGMAS = 1.0, 2.0  # no step is larger than both
_SMALL_STEP, _SMALL_SIGMAS = 0.05, 0.5  # a fit has ended whose steps are all smaller than either
_FAR = np.full(PARAMETERS - WIDTHS, FARTHEST_KM_S / BIN_KM_S)
_LOWEST = np.concatenate([np.log(LOWEST_KM_S / BIN_KM_S), -_FAR])
_HIGHEST = np.concatenate([np.log(HIGHEST_KM_S / BIN_KM_S), _FAR])


class Start(NamedTuple):
    """Where the fit of n rows starts, (n, 7), and the standard deviations of its priors, (7,); bins and ln bins."""

    value: Floats
    prior: Floats


def fit(flux: Float32, weight: Float32, phase: Floats, start: Start) -> Fit:
    """Fit n spectra.

    Args:
        flux: (n, column) float32 on ``table.COLUMNS``, what is no straight continuum subtracted; 0 where masked.
        weight: (n, column) float32 inverse variance; 0 where masked.
        phase: (n,) what log10(1 + z) is beyond a whole number of bins [bins].
        start: see ``Start``.
    """
    parts = [part for part in (Part(each, flux, weight) for each in COMPLEXES) if part.rows.size]
    out = Fit.blank(start.value)
    value, active, diagonal = start.value.copy(), np.arange(len(phase)), np.arange(PARAMETERS)
    precision = start.prior**-2.0
    for taken in range(1, MOST_STEPS + 1):
        normal = np.zeros((PARAMETERS + 1, PARAMETERS + 1, active.size))
        for part in parts:
            part.expand(phase[active], value, normal)
        bare = normal.copy()
        normal[diagonal, diagonal] += precision[:, None]
        normal[:-1, -1] += precision[:, None] * (start.value[active] - value).T
        solved = sweep(normal, range(PARAMETERS))
        spread = np.sqrt(np.maximum(-solved[diagonal, diagonal].T, 0.0))
        limit = np.maximum(_LARGEST_STEP, _LARGEST_SIGMAS * spread)
        limit[:, LYMAN_SHIFT] = np.maximum(_LARGEST_STEP, 0.5 * np.exp(value[:, LYMAN]))
        step = np.clip(solved[:-1, -1].T, -limit, limit)
        for part in parts:
            part.follow(step)
        before, value = value, np.clip(value + step, _LOWEST, _HIGHEST)
        moving = np.abs(value - before) > np.maximum(_SMALL_STEP, _SMALL_SIGMAS * spread)
        done = np.full(active.size, taken == MOST_STEPS)
        done[~moving.any(axis=1)] = True
        if taken > 1 and done.any():  # the first step knows no amplitudes, so it moves nothing
            out.value[active[done]] = value[done]
            out.value_error[active[done]] = _errors(bare[..., done])
            for part in parts:
                part.report(-solved[:-1, :-1], active, done, out)
            if done.all():
                break
            active, value = active[~done], value[~done]
            for part in parts:
                part.keep(~done)
            parts = [part for part in parts if part.rows.size]
    return out


def _errors(normal: Floats) -> Floats:
    """Return one-sigma errors (n, 7) from normal equations without priors; inf where nothing was measured."""
    diagonal = np.arange(PARAMETERS)
    variance = -sweep(normal, range(PARAMETERS))[diagonal, diagonal].T
    return np.where(variance > 0, np.sqrt(np.maximum(variance, 0.0)), np.inf)
