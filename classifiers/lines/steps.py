"""The fit of one spectrum after the other, compiled: Gauss-Newton steps over the complexes that a spectrum shows.

In each step the columns of a complex (straight line, profiles, their derivatives by its shifts and widths, data) are
multiplied with each other; sweeping the linear ones out leaves the complex's part of the normal equations of shifts and
widths, which are summed over the complexes and solved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled
from classifiers.lines.fitted import Fit
from classifiers.lines.layout import Given, Layout, Work

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

FITTED_SHARE = 0.35
REPORTED_SHARE = 0.7
"""Shares of a line's profile that must have been seen for the line to be fitted, and to be reported."""
MOST_STEPS = 6
_LEAST_BINS = 12
_STRAIGHT = 2  # columns of the straight continuum, as in ``layout``
_LARGEST_STEP, _LARGEST_SIGMAS = 1.0, 2.0  # no step is larger than both
SMALL_STEP, SMALL_SIGMAS = 0.05, 0.5
"""A fit has ended whose steps are all smaller than either, the one in bins or ln bins, the other of their errors."""
_SINGULAR = 1e-7  # a pivot smaller than this times its diagonal element before sweeping carries no information
_TINY = 1e-30


class Spectrum(NamedTuple):
    """One spectrum on ``table.COLUMNS``: flux and inverse variance, (column,) float32, and its phase [bins]."""

    flux: Float32
    weight: Float32
    phase: float


@compiled
def fit_rows(given: Given, at: Layout, work: Work, out: Fit) -> None:
    """Fit n spectra into what was blank; ``out.value`` is where they start."""
    shown = np.zeros(at.n.size, np.bool_)  # the complexes that a spectrum shows
    for row in range(given.phase.size):
        one, value = Spectrum(given.flux[row], given.weight[row], given.phase[row]), out.value[row]
        for c in range(at.n.size):
            shown[c] = _bins(one, at, c) >= _LEAST_BINS
        if not shown.any():
            continue
        work.amplitude.fill(0.0)
        moving = True
        for taken in range(MOST_STEPS):
            if taken > 1 and not moving:  # the first step knows no amplitudes, so it moves nothing
                break
            work.normal.fill(0.0)
            for c in range(at.n.size):
                if shown[c]:
                    _expand(one, c, value, at, work)
            moving = _step(value, given.damping, at, work)
            for c in range(at.n.size):
                if shown[c]:
                    _follow(c, at, work)
        for c in range(at.n.size):
            if shown[c]:
                _report(one, c, at, work, out, row)
        _errors(work.normal, out.value_error[row])


@compiled
def _bins(one: Spectrum, at: Layout, c: int) -> int:
    """Return how many bins of a complex are seen."""
    count = 0
    for b in range(at.start[c], at.start[c] + at.n[c]):
        count += one.weight[b] > 0
    return count


@compiled
def _step(value: Floats, damping: Floats, at: Layout, work: Work) -> bool:
    """Move shifts and widths by one step, and return whether one of them moved far."""
    p, moving = value.size, False
    for q in range(p + 1):
        for r in range(p + 1):
            work.solved[q, r] = work.normal[q, r]
    for q in range(p):
        work.solved[q, q] += damping[q]
    sweep(work.solved, p, p + 1)
    width, shift = at.lyman
    farthest = 0.5 * np.exp(value[width])
    for q in range(p):
        spread = np.sqrt(max(-work.solved[q, q], 0.0))
        limit = max(_LARGEST_STEP, farthest if q == shift else _LARGEST_SIGMAS * spread)
        work.step[q] = min(max(work.solved[q, p], -limit), limit)
        before = value[q]
        value[q] = min(max(before + work.step[q], at.lowest[q]), at.highest[q])
        moving |= abs(value[q] - before) > max(SMALL_STEP, SMALL_SIGMAS * spread)
    return moving


@compiled
def _errors(normal: Floats, errors: Floats) -> None:
    """Write one-sigma errors from normal equations without damping; inf where nothing was measured."""
    p = errors.size
    sweep(normal, p, p + 1)
    for q in range(p):
        variance = -normal[q, q]
        errors[q] = np.sqrt(variance) if variance > 0 else np.inf


@compiled
def _expand(one: Spectrum, c: int, value: Floats, at: Layout, work: Work) -> None:
    """Evaluate a complex and its derivatives at ``value``, and add its part of the normal equations."""
    n, lines, parameters = at.n[c], at.first_line[c + 1] - at.first_line[c], at.n_parameters[c]
    linear, size = _STRAIGHT + lines, _STRAIGHT + lines + parameters + 1
    flux = one.flux[at.start[c] : at.start[c] + n]
    weight = one.weight[at.start[c] : at.start[c] + n]
    columns = work.columns
    level, slope, data = columns[0], columns[1], columns[size - 1]
    rise = np.float32(2.0 / (n - 1))
    for b in range(n):
        level[b] = np.float32(1.0)
        slope[b] = rise * np.float32(b) - np.float32(1.0)
        data[b] = flux[b]
    for j in range(_STRAIGHT, size - 1):
        columns[j].fill(0.0)
    for line in range(lines):
        k = at.first_line[c] + line
        amplitude = np.float32(work.amplitude[k])
        of_shift, of_width = linear + at.shift[k], linear + at.width[k]
        group = at.parameters[c, at.width[k]]
        place = one.phase + value[at.parameters[c, at.shift[k]]] + at.centre[k]
        share = columns[_STRAIGHT + line]
        read_line(k, place, value[group], at, share, columns[of_shift], columns[of_width], amplitude)
        seen = np.float32(0.0)
        for b in range(n):
            seen += share[b] if weight[b] > 0 else np.float32(0.0)
        work.seen[k] = seen
        if seen < FITTED_SHARE:
            share.fill(0.0)
    swept = work.swept[c]
    _products(columns[:size], weight, work.weighted, swept)
    sweep(swept, linear, size)
    for i in range(parameters + 1):
        to = at.parameters[c, i] if i < parameters else value.size
        for j in range(parameters + 1):
            beside = at.parameters[c, j] if j < parameters else value.size
            work.normal[to, beside] += swept[linear + i, linear + j]


@compiled
def read_line(
    k: int,
    place: float,
    log_sigma: float,
    at: Layout,
    share: Float32,
    by_shift: Float32,
    by_width: Float32,
    amplitude: np.float32,
) -> None:
    """Write a line's share of each bin, and add its derivatives times its amplitude: (bin,) of its complex.

    Args:
        k: the line.
        place: centre of its first Gaussian [bins from the first that its profile covers].
        log_sigma: [ln bins].
        at: the layout.
        share: 0 where the profile does not reach; written to.
        by_shift: added to.
        by_width: added to.
        amplitude: flux.
    """
    start, widths, length, reach = at.table[k]
    eighths = np.rint(place * at.phases)
    width = min(max(np.rint((log_sigma - at.log_lowest[k]) / at.width_step), 0.0), widths - 1.0)
    whole = np.floor(eighths / at.phases)
    node = int(width * at.phases + eighths - whole * at.phases)
    begin = start + node * 3 * length + reach - int(whole)
    d_place = np.float32(place - eighths / at.phases)
    d_width = np.float32(log_sigma - at.log_lowest[k] - width * at.width_step)
    n = at.size[k]
    here = slice(at.first[k], at.first[k] + n)
    at_node, moved, widened = at.values[begin : begin + n], at.values[begin + length :], at.values[begin + 2 * length :]
    share, by_shift, by_width = share[here], by_shift[here], by_width[here]
    for b in range(n):
        share[b] = at_node[b] + d_place * moved[b] + d_width * widened[b]
    for b in range(n):
        by_shift[b] += amplitude * moved[b]
    for b in range(n):
        by_width[b] += amplitude * widened[b]


@compiled
def _products(columns: Float32, weight: Float32, weighted: Float32, into: Floats) -> None:
    """Write the weighted products (j, j) of the columns (j, bin)."""
    n = weight.size
    for i in range(columns.shape[0]):
        column = columns[i]
        for b in range(n):
            weighted[b] = weight[b] * column[b]
        for j in range(i, columns.shape[0]):
            total = np.float32(0.0)
            beside = columns[j]
            for b in range(n):
                total += weighted[b] * beside[b]
            into[i, j] = into[j, i] = total


@compiled
def sweep(matrix: Floats, rows: int, size: int) -> None:
    """Sweep the first rows of the first ``size`` rows and columns, which are symmetric, in place.

    A row without information is set to 0: its value is 0, its variance 0, and the others are solved without it.
    """
    least = np.empty(rows)
    scaled = np.empty(size)
    for k in range(rows):
        least[k] = max(_SINGULAR * matrix[k, k], _TINY)
    for k in range(rows):
        inverse = 1.0 / matrix[k, k] if matrix[k, k] > least[k] else 0.0
        for j in range(size):
            scaled[j] = matrix[k, j] * inverse
        for i in range(size):
            own = matrix[i, k]
            for j in range(size):
                matrix[i, j] -= own * scaled[j]
        for j in range(size):
            matrix[k, j] = matrix[j, k] = scaled[j]
        matrix[k, k] = -inverse


@compiled
def _follow(c: int, at: Layout, work: Work) -> None:
    """Move a complex's linear parameters along with the step of the others."""
    first, parameters = at.first_line[c], at.n_parameters[c]
    linear = _STRAIGHT + at.first_line[c + 1] - first
    for i in range(linear):
        moved = work.swept[c, i, linear + parameters]
        for q in range(parameters):
            moved -= work.swept[c, i, linear + q] * work.step[at.parameters[c, q]]
        work.solution[c, i] = moved
        if i >= _STRAIGHT:
            work.amplitude[first + i - _STRAIGHT] = moved


@compiled
def _report(one: Spectrum, c: int, at: Layout, work: Work, out: Fit, row: int) -> None:
    """Write fluxes, continua and their errors of a complex, which hold what is not known of shifts and widths."""
    first, parameters = at.first_line[c], at.n_parameters[c]
    linear = _STRAIGHT + at.first_line[c + 1] - first
    swept, solution = work.swept[c], work.solution[c]
    free = max(_bins(one, at, c) - linear - parameters, 1)
    _covariances(c, linear, at, work)
    known = work.covariance
    for i in range(_STRAIGHT, linear):
        k = first + i - _STRAIGHT
        out.chi2[row, k] = max(swept[linear + parameters, linear + parameters] / free, 0.0)
        if work.seen[k] >= REPORTED_SHARE and known[i, i] > 0:
            x = at.place[k]
            out.flux[row, k] = solution[i]
            out.error[row, k] = np.sqrt(known[i, i])
            out.continuum[row, k] = solution[0] + x * solution[1]
            level_variance = known[0, 0] + 2.0 * x * known[0, 1] + x * x * known[1, 1]
            out.continuum_error[row, k] = np.sqrt(max(level_variance, 0.0))


@compiled
def _covariances(c: int, linear: int, at: Layout, work: Work) -> None:
    """Write the covariances of a complex's linear parameters, with what comes from shifts and widths."""
    swept, parameters = work.swept[c], at.n_parameters[c]
    for i in range(linear):
        for j in range(linear):
            total = -swept[i, j]
            for q in range(parameters):
                for r in range(parameters):
                    own = work.solved[at.parameters[c, q], at.parameters[c, r]]
                    total -= swept[i, linear + q] * own * swept[j, linear + r]
            work.covariance[i, j] = total
