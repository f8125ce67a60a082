"""The fit: Gaussian fluxes and straight continua by linear least squares, shifts and widths by Gauss-Newton steps.

All complexes of a spectrum share the shift and, group by group, the widths. In each step the columns of a complex
(profiles, straight line, derivatives by its shifts and widths, data) are multiplied with each other once; sweeping the
linear ones out leaves the complex's part of the normal equations of shifts and widths, which are summed over the
complexes and solved. Priors, wide Gaussians, keep shift and widths where no line says anything.

A row's numbers depend on that row alone, bit for bit: everything is elementwise or a matrix product whose shape is the
same for each row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.lines.profiles import FARTHEST_KM_S, HIGHEST_KM_S, LOWEST_KM_S, Table, table
from classifiers.lines.sweep import sweep
from classifiers.lines.table import (
    BIN_KM_S,
    COMPLEXES,
    LINES,
    LYMAN,
    LYMAN_SHIFT,
    PARAMETERS,
    WIDTHS,
    Complex,
    rest_bin,
)

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

MOST_STEPS = 6
_MIN_BINS = 12
_FITTED_SHARE, _REPORTED_SHARE = 0.35, 0.7  # of a line's profile that must have been seen
_LARGEST_STEP, _LARGEST_SIGMAS = 1.0, 2.0  # no step is larger than both
_SMALL_STEP, _SMALL_SIGMAS = 0.05, 0.5  # a fit has ended whose steps are all smaller than either
_FAR = np.full(PARAMETERS - WIDTHS, FARTHEST_KM_S / BIN_KM_S)
_LOWEST = np.concatenate([np.log(LOWEST_KM_S / BIN_KM_S), -_FAR])
_HIGHEST = np.concatenate([np.log(HIGHEST_KM_S / BIN_KM_S), _FAR])


class Start(NamedTuple):
    """Where the fit of n rows starts, (n, 7), and the standard deviations of its priors, (7,); bins and ln bins."""

    value: Floats
    prior: Floats


@dataclass(frozen=True, slots=True)
class Fit:
    """What was fitted in n spectra; fluxes in units of the data times a bin.

    Attributes:
        flux, error: (n, K) float64, NaN where a line is not measured; the error is that of the whole fit.
        continuum, continuum_error: (n, K) float64, level of the straight continuum at the line; NaN as above.
        value, value_error: (n, 7) float64 non-linear parameters; inf where no line says anything.
        chi2: (n, K) float64, reduced chi-square of the line's complex; NaN where it is not seen.
    """

    flux: Floats
    error: Floats
    continuum: Floats
    continuum_error: Floats
    value: Floats
    value_error: Floats
    chi2: Floats

    @classmethod
    def blank(cls, value: Floats) -> Fit:
        """Return the fit of (n, 7) parameters in which no line is measured."""
        lines = np.full((5, len(value), len(LINES)), np.nan)
        return cls(lines[0], lines[1], lines[2], lines[3], value.copy(), np.full(value.shape, np.inf), lines[4])


def fit(flux: Float32, weight: Float32, phase: Floats, start: Start) -> Fit:
    """Fit n spectra.

    Args:
        flux: (n, column) float32 on ``table.COLUMNS``, what is no straight continuum subtracted; 0 where masked.
        weight: (n, column) float32 inverse variance; 0 where masked.
        phase: (n,) what log10(1 + z) is beyond a whole number of bins [bins].
        start: see ``Start``.
    """
    parts = [part for part in (_Part(each, flux, weight) for each in COMPLEXES) if part.rows.size]
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


class _Family(NamedTuple):
    """Gaussians of a complex that share width and shift.

    Attributes:
        profiles: their table.
        width, shift: their parameters.
        offset: (c, 1) centres at the given redshift from their middle bins.
        places: of each: column, share, its bins in the complex, and the same bins in the table's profile.
    """

    profiles: Table
    width: int
    shift: int
    offset: Floats
    places: list[tuple[int, np.float32, slice, slice]]


@lru_cache(maxsize=len(COMPLEXES))
def _families(which: Complex) -> tuple[_Family, ...]:
    found = []
    for width in sorted({line.group for line in which.lines}):
        profiles, offsets, places = table(width), [], []
        for column, line in enumerate(which.lines):
            for wavelength, share in line.parts if line.group == width else ():
                centre = rest_bin(wavelength) - which.first
                middle, half = round(centre), profiles.half
                seen = slice(max(middle - half, 0), min(middle + half + 1, which.n))
                inside = slice(seen.start - middle + half, seen.stop - middle + half)
                offsets.append([centre - middle])
                places.append((column, np.float32(share), seen, inside))
        shift = next(line.shift for line in which.lines if line.group == width)
        found.append(_Family(profiles, width, shift, np.array(offsets), places))
    return tuple(found)


class _Part:
    """One complex in the rows that see it, from step to step."""

    def __init__(self, which: Complex, flux: Float32, weight: Float32) -> None:
        columns = slice(which.start, which.start + which.n)
        self.rows = np.flatnonzero(np.count_nonzero(weight[:, columns], axis=1) >= _MIN_BINS)
        self.which = which
        self._weight = weight[self.rows, columns]
        self._valid = (self._weight > 0).astype(np.float32)[:, :, None]
        self._lines = len(which.lines)
        self._linear = self._lines + 2
        size = self._linear + len(which.parameters) + 1
        self._columns = np.zeros((self.rows.size, size, which.n), np.float32)
        self._columns[:, self._lines] = 1.0
        self._columns[:, self._lines + 1] = np.linspace(-1.0, 1.0, which.n, dtype=np.float32)
        self._columns[:, -1] = flux[self.rows, columns]
        self._weighted = np.empty_like(self._columns)
        self._amplitude = np.zeros((self._lines, self.rows.size))
        self._moving = False  # before the first step there are no amplitudes, so no derivatives
        self._families = _families(which)

    def expand(self, phase: Floats, value: Floats, normal: Floats) -> None:
        """Evaluate model and derivatives at ``value``, and add this complex's part of the normal equations.

        Args:
            phase: (n,).
            value: (n, 7).
            normal: (8, 8, n) to add to; the last row and column belong to the data.
        """
        self._fill(phase[self.rows], value[self.rows])
        np.multiply(self._columns, self._weight[:, None, :], out=self._weighted)
        products = np.matmul(self._weighted, self._columns.swapaxes(1, 2))
        self._swept = sweep(products.transpose(1, 2, 0).astype(np.float64, order="C"), range(self._linear))
        places = np.array([*self.which.parameters, PARAMETERS])
        normal[places[:, None, None], places[:, None], self.rows] += self._swept[self._linear :, self._linear :]

    def _fill(self, phase: Floats, value: Floats) -> None:
        columns = self._columns
        columns[:, : self._lines] = 0.0
        if self._moving:
            columns[:, self._linear : -1] = 0.0
        for family in self._families:
            found = family.profiles.at(phase + value[:, family.shift] + family.offset, value[:, family.width])
            by_shift = columns[:, self._linear + self.which.parameters.index(family.shift)]
            by_width = columns[:, self._linear + self.which.parameters.index(family.width)]
            for place, (column, share, seen, inside) in enumerate(family.places):
                columns[:, column, seen] += found[place, :, 0, inside] * share
                if self._moving:
                    strength = (self._amplitude[column] * share).astype(np.float32)[:, None]
                    by_shift[:, seen] += strength * found[place, :, 1, inside]
                    by_width[:, seen] += strength * found[place, :, 2, inside]
        self._seen = np.matmul(columns[:, : self._lines], self._valid)[..., 0]
        columns[:, : self._lines] *= (self._seen >= _FITTED_SHARE)[..., None]

    def follow(self, step: Floats) -> None:
        """Move the linear parameters along with a step (n, 7) of the others."""
        moved = step[self.rows][:, self.which.parameters].T
        carried = self._swept[: self._linear, self._linear : -1]
        self._solution = self._swept[: self._linear, -1].copy()
        for q in range(len(moved)):
            self._solution -= carried[:, q] * moved[q]
        self._amplitude = self._solution[: self._lines]
        self._moving = True

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Go on with some of the n rows."""
        mine = kept[self.rows]
        self.rows = (np.cumsum(kept) - 1)[self.rows[mine]]
        self._weight, self._valid, self._columns = self._weight[mine], self._valid[mine], self._columns[mine]
        self._weighted = self._weighted[: len(self._columns)]
        self._amplitude = np.ascontiguousarray(self._amplitude[:, mine])

    def report(self, covariance: Floats, active: NDArray[np.int64], done: NDArray[np.bool_], out: Fit) -> None:
        """Write fluxes, continua and their errors of the rows that are done.

        Args:
            covariance: (7, 7, n) of the non-linear parameters.
            active: (n,) rows of ``out``.
            done: (n,) bool.
            out: to write to.
        """
        mine = np.flatnonzero(done[self.rows])
        if mine.size == 0:
            return
        which, k, rows = self.which, self._lines, self.rows[mine]
        chosen = (active[rows][:, None], which.line + np.arange(k))
        swept, solution, seen = self._swept[..., mine], self._solution[:, mine], self._seen[mine]
        carried = swept[: self._linear, self._linear : -1]
        spread = -swept[: self._linear, : self._linear]
        for q, p in enumerate(which.parameters):
            for r, s in enumerate(which.parameters):
                spread += carried[:, None, q] * covariance[p, s, rows] * carried[None, :, r]
        lines = np.arange(k)
        variance = spread[lines, lines].T
        whole = (seen >= _REPORTED_SHARE) & (variance > 0)
        out.flux[chosen] = np.where(whole, solution[:k].T, np.nan)
        out.error[chosen] = np.where(whole, np.sqrt(np.maximum(variance, 0.0)), np.nan)
        free = np.count_nonzero(self._weight[mine], axis=1) - (self._linear + len(which.parameters))
        out.chi2[chosen] = np.maximum(swept[-1, -1] / np.maximum(free, 1), 0.0)[:, None]
        centres = np.array([rest_bin(line.parts[0][0]) for line in which.lines]) - which.first
        x = (2.0 * centres / (which.n - 1) - 1.0)[:, None]
        level = solution[k] + x * solution[k + 1]
        variance = spread[k, k] + 2.0 * x * spread[k, k + 1] + x**2 * spread[k + 1, k + 1]
        out.continuum[chosen] = np.where(whole, level.T, np.nan)
        out.continuum_error[chosen] = np.where(whole, np.sqrt(np.maximum(variance, 0.0)).T, np.nan)
