"""One complex of lines in the rows that see it: its part of the normal equations, and its lines when the fit is done.

A line is read off its table at the next node: its profile and the derivatives of it by centre and by ln sigma. Products
of these with each other, with the straight continuum and with the data are all that is needed of the pixels; profile
and derivatives at the line's own place and width are linear combinations of what was read, so their products are taken
from the products. What does not change from step to step is multiplied once.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.lines.fitted import Fit
from classifiers.lines.profiles import placed
from classifiers.lines.sweep import sweep
from classifiers.lines.table import PARAMETERS, Complex, rest_bin

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

_MIN_BINS: Final = 12
FITTED_SHARE: Final = 0.35
REPORTED_SHARE: Final = 0.7
"""Shares of a line's profile that must have been seen for the line to be fitted, and to be reported."""
_STRAIGHT: Final = 2  # columns of the straight continuum: level and slope


class Part:
    """A complex, from step to step. Its linear parameters are level and slope of the continuum, then its lines.

    Attributes:
        which: the complex.
        rows: (m,) those that see it, of the rows that are still being fitted.
        swept: (p, p, m) products of the columns level, slope, lines, non-linear parameters and data, the linear ones
            swept out.
        solution: (linear, m) linear parameters, valid after ``follow``.
        seen: (m, lines) share of each profile that was seen.
    """

    def __init__(self, which: Complex, flux: Float32, weight: Float32) -> None:
        """Take a complex out of n spectra; arguments as those of ``fit.fit``."""
        columns = slice(which.start, which.start + which.n)
        self.rows = np.flatnonzero(np.count_nonzero(weight[:, columns], axis=1) >= _MIN_BINS)
        self.which = which
        self._lines = len(which.lines)
        self._placed = placed(which)
        self.linear = _STRAIGHT + self._lines
        self._profiles = np.zeros((self.rows.size, 3 * self._lines, which.n), np.float32)
        self._others = np.empty((self.rows.size, 3 * self._lines + 4, which.n), np.float32)
        seen = weight[self.rows, columns]
        steady = np.empty((self.rows.size, 3, which.n), np.float32)
        steady[:, 0] = 1.0
        steady[:, 1] = np.linspace(-1.0, 1.0, which.n, dtype=np.float32)
        steady[:, 2] = flux[self.rows, columns]
        weighted = self._others[:, -4:-1]
        np.multiply(steady, seen[:, None], out=weighted)
        self._others[:, -1] = seen > 0
        self._weight = self._others[:, -4]
        self._steady = np.matmul(weighted, steady.swapaxes(1, 2)).transpose(1, 2, 0).astype(np.float64, order="C")
        self._amplitude = np.zeros((self._lines, self.rows.size))
        outer = np.array([*which.parameters, PARAMETERS])
        self._corner = outer[:, None, None], outer[:, None]
        self._places = [
            (which.parameters.index(line.shift), which.parameters.index(line.group)) for line in which.lines
        ]

    def expand(self, phase: Floats, value: Floats, normal: Floats) -> None:
        """Evaluate model and derivatives at ``value``, and add this complex's part of the normal equations.

        Args:
            phase: (n,).
            value: (n, 7).
            normal: (8, 8, n) to add to; the last row and column belong to the data.
        """
        products, combine = self._products(phase[self.rows], value[self.rows])
        size = combine.shape[1]
        mixed = np.matmul(combine, products)
        inner = np.matmul(mixed[:, :, : 3 * self._lines], combine.swapaxes(1, 2))
        outer = mixed[:, :, -4:-1].transpose(1, 2, 0)
        swept = np.empty((_STRAIGHT + size + 1, _STRAIGHT + size + 1, self.rows.size))
        middle = slice(_STRAIGHT, -1)
        swept[middle, middle] = inner.transpose(1, 2, 0)
        swept[middle, :_STRAIGHT] = outer[:, :_STRAIGHT]
        swept[:_STRAIGHT, middle] = outer[:, :_STRAIGHT].swapaxes(0, 1)
        swept[middle, -1] = swept[-1, middle] = outer[:, -1]
        swept[:_STRAIGHT, :_STRAIGHT] = self._steady[:_STRAIGHT, :_STRAIGHT]
        swept[:_STRAIGHT, -1] = swept[-1, :_STRAIGHT] = self._steady[:_STRAIGHT, -1]
        swept[-1, -1] = self._steady[-1, -1]
        self.swept = sweep(swept, range(self.linear))
        normal[*self._corner, self.rows] += self.swept[self.linear :, self.linear :]

    def _products(self, phase: Floats, value: Floats) -> tuple[Float32, Float32]:
        """Return products (m, 3 lines, 3 lines + 4) and what makes columns of them, (m, size, 3 lines)."""
        k, m = self._lines, self.rows.size
        combine = np.zeros((m, k + len(self.which.parameters), 3 * k), np.float32)
        for j, (line, place) in enumerate(zip(self.which.lines, self._placed, strict=True)):
            bins, three = place.bins, slice(3 * j, 3 * j + 3)
            at = phase + value[:, line.shift] + place.centre
            self._profiles[:, three, bins], beyond = place.profiles.at(at, value[:, line.group], bins.stop - bins.start)
            combine[:, j, three] = beyond.T
            by_shift, by_width = self._places[j]
            combine[:, k + by_shift, 3 * j + 1] = combine[:, k + by_width, 3 * j + 2] = self._amplitude[j]
        np.multiply(self._profiles, self._weight[:, None], out=self._others[:, : 3 * k])
        products = np.matmul(self._profiles, self._others.swapaxes(1, 2))
        own = combine[:, :k].reshape(m, k, k, 3)[:, range(k), range(k)]
        self.seen = (own * products[:, :, -1].reshape(m, k, 3)).sum(axis=2)
        combine[:, :k] *= (self.seen >= FITTED_SHARE)[..., None]
        return products, combine

    def follow(self, step: Floats) -> None:
        """Move the linear parameters along with a step (n, 7) of the others."""
        moved = step[self.rows][:, self.which.parameters].T
        carried = self.swept[: self.linear, self.linear : -1]
        self.solution = self.swept[: self.linear, -1].copy()
        for q in range(len(moved)):
            self.solution -= carried[:, q] * moved[q]
        self._amplitude = self.solution[_STRAIGHT:]

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Go on with some of the n rows."""
        mine = kept[self.rows]
        self.rows = (np.cumsum(kept) - 1)[self.rows[mine]]
        steady = self._others[mine, -4:]
        self._profiles, self._others = self._profiles[: self.rows.size], self._others[: self.rows.size]
        self._others[:, -4:] = steady
        self._weight = self._others[:, -4]
        self._steady = self._steady[..., mine]
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
        which, rows = self.which, self.rows[mine]
        chosen = (active[rows][:, None], which.line + np.arange(self._lines))
        swept, solution, seen = self.swept[..., mine], self.solution[:, mine], self.seen[mine]
        carried = swept[self.linear : -1, : self.linear]
        own = covariance[np.ix_(which.parameters, which.parameters)][..., rows]
        spread = (carried[:, None] * own[:, :, None]).sum(axis=0)
        diagonal = np.arange(self.linear)
        variance = (spread * carried).sum(axis=0) - swept[diagonal, diagonal]
        tilt = (spread[:, 0] * carried[:, 1]).sum(axis=0) - swept[0, 1]
        errors = np.sqrt(np.maximum(variance[_STRAIGHT:].T, 0.0))
        whole = (seen >= REPORTED_SHARE) & (errors > 0)
        out.flux[chosen] = np.where(whole, solution[_STRAIGHT:].T, np.nan)
        out.error[chosen] = np.where(whole, errors, np.nan)
        free = np.count_nonzero(self._others[mine, -1], axis=1) - (self.linear + len(which.parameters))
        out.chi2[chosen] = np.maximum(swept[-1, -1] / np.maximum(free, 1), 0.0)[:, None]
        centres = np.array([rest_bin(line.parts[0][0]) for line in which.lines]) - which.first
        x = (2.0 * centres / (which.n - 1) - 1.0)[:, None]
        level = solution[0] + x * solution[1]
        level_variance = variance[0] + 2.0 * x * tilt + x**2 * variance[1]
        out.continuum[chosen] = np.where(whole, level.T, np.nan)
        out.continuum_error[chosen] = np.where(whole, np.sqrt(np.maximum(level_variance, 0.0)).T, np.nan)
