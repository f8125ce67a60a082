"""Chi-square of eigenspectra and a parabola against redshift, near a first guess: compiled, one spectrum at a time.

At each shift the spectrum is fitted by the eigenspectra and a polynomial of three terms, as SDSS's pipeline does
(Bolton et al. 2012, AJ 144, 144, Sect. 3.2). The least chi-square is looked for on every ``STRIDE``-th pixel, then on
all near it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled

STRIDE = 4
"""Pixels of 69 km/s between the redshifts that are tried first."""
TERMS = 3
"""Of the polynomial."""
_RIDGE = 1e-9  # of each diagonal element: two eigenspectra may be the same over a short piece


@compiled
def _gain(normal: NDArray[np.float64], right: NDArray[np.float64]) -> Any:
    """Return by how much the best combination lowers chi-square: b' A^-1 b by Cholesky; overwrites its arguments."""
    size = right.shape[0]
    gain = 0.0
    for k in range(size):
        pivot = normal[k, k] * (1.0 + _RIDGE)
        for j in range(k):
            pivot -= normal[k, j] * normal[k, j]
            right[k] -= normal[k, j] * right[j]
        if pivot <= _RIDGE * normal[k, k] or pivot <= 0.0:
            right[k] = 0.0  # what the earlier terms say already
            for i in range(k, size):
                normal[i, k] = 0.0
            continue
        root = np.sqrt(pivot)
        right[k] /= root
        gain += right[k] * right[k]
        for i in range(k + 1, size):
            value = normal[i, k]
            for j in range(k):
                value -= normal[i, j] * normal[k, j]
            normal[i, k] = value / root
    return gain


@compiled
def _terms(
    flux: NDArray[np.float32],
    inverse_variance: NDArray[np.float32],
    powers: NDArray[np.float64],
    normal: NDArray[np.float64],
    right: NDArray[np.float64],
) -> Any:
    """Fill what no shift changes; return chi-square without a model and the number of bins with weight.

    Args:
        flux: (m,).
        inverse_variance: (m,).
        powers: (TERMS + 1, m), filled: weight times 1, x, x^2 for x from -1 to 1, and weight times flux.
        normal: (TERMS, TERMS), filled: the polynomial's normal equations.
        right: (TERMS,), filled: their right-hand side.
    """
    m = flux.shape[0]
    constant, count = 0.0, 0
    one, slope, bend, weighted = powers[0], powers[1], powers[2], powers[3]
    moments = np.zeros(2 * TERMS - 1)
    for index in range(m):
        w, f, x = np.float64(inverse_variance[index]), np.float64(flux[index]), 2.0 * index / m - 1.0
        count += int(w > 0.0)
        one[index], slope[index], bend[index], weighted[index] = w, w * x, w * x * x, w * f
        constant += w * f * f
        moments[0] += w
        moments[1] += w * x
        moments[2] += w * x * x
        moments[3] += w * x * x * x
        moments[4] += w * x * x * x * x
        right[0] += w * f
        right[1] += w * x * f
        right[2] += w * x * x * f
    for i in range(TERMS):
        for j in range(TERMS):
            normal[i, j] = moments[i + j]
    return constant, count


@compiled
def _at(
    templates: NDArray[np.float64],
    start: int,
    powers: NDArray[np.float64],
    normal: NDArray[np.float64],
    right: NDArray[np.float64],
    equations: NDArray[np.float64],
    side: NDArray[np.float64],
) -> Any:
    """Return by how much polynomial and eigenspectra lower chi-square at one shift.

    All 26 sums are added up in one pass: one after the other they take four times as long.

    Args:
        templates: (4, place).
        start: the place at the first bin that is fitted.
        powers: (TERMS + 1, m), as of ``_terms``.
        normal: (TERMS, TERMS), as of ``_terms``.
        right: (TERMS,), as of ``_terms``.
        equations: (TERMS + 4, TERMS + 4), overwritten.
        side: (TERMS + 4,), overwritten.
    """
    m = powers.shape[1]
    first, second = templates[0][start : start + m], templates[1][start : start + m]
    third, fourth = templates[2][start : start + m], templates[3][start : start + m]
    one, slope, bend, weighted = powers[0], powers[1], powers[2], powers[3]
    a11 = a21 = a22 = a31 = a32 = a33 = a41 = a42 = a43 = a44 = 0.0
    p1 = p2 = p3 = p4 = q1 = q2 = q3 = q4 = r1 = r2 = r3 = r4 = f1 = f2 = f3 = f4 = 0.0
    for i in range(m):
        t1, t2, t3, t4 = first[i], second[i], third[i], fourth[i]
        w, x, y, f = one[i], slope[i], bend[i], weighted[i]
        u1, u2, u3, u4 = w * t1, w * t2, w * t3, w * t4
        a11 += u1 * t1
        a21 += u2 * t1
        a22 += u2 * t2
        a31 += u3 * t1
        a32 += u3 * t2
        a33 += u3 * t3
        a41 += u4 * t1
        a42 += u4 * t2
        a43 += u4 * t3
        a44 += u4 * t4
        p1 += u1
        p2 += u2
        p3 += u3
        p4 += u4
        q1 += x * t1
        q2 += x * t2
        q3 += x * t3
        q4 += x * t4
        r1 += y * t1
        r2 += y * t2
        r3 += y * t3
        r4 += y * t4
        f1 += f * t1
        f2 += f * t2
        f3 += f * t3
        f4 += f * t4
    for i in range(TERMS):
        side[i] = right[i]
        for j in range(i + 1):
            equations[i, j] = normal[i, j]
    equations[3, 0], equations[3, 1], equations[3, 2], equations[3, 3] = p1, q1, r1, a11
    equations[4, 0], equations[4, 1], equations[4, 2], equations[4, 3], equations[4, 4] = p2, q2, r2, a21, a22
    equations[5, 0], equations[5, 1], equations[5, 2] = p3, q3, r3
    equations[5, 3], equations[5, 4], equations[5, 5] = a31, a32, a33
    equations[6, 0], equations[6, 1], equations[6, 2] = p4, q4, r4
    equations[6, 3], equations[6, 4], equations[6, 5], equations[6, 6] = a41, a42, a43, a44
    side[3], side[4], side[5], side[6] = f1, f2, f3, f4
    return _gain(equations, side)


@compiled
def _elsewhere(tried: NDArray[np.float64], centre: int, temperature: float, reach: int) -> Any:
    """Return the variance from minima beyond the one at ``centre``, on the pixels that were tried first [pixel^2]."""
    total, far = 0.0, 0.0
    for index in range(STRIDE + 1, STRIDE + 2 + 2 * reach, STRIDE):
        probability = np.exp(-0.5 * (tried[index] - tried[centre]) / temperature)
        away = float(index - centre)
        total += probability
        if abs(away) > STRIDE:
            far += probability * away * away
    return far / max(total, 1.0)


@compiled
def scan(
    binned: NDArray[np.float64],
    origin: int,
    pixels: int,
    flux: NDArray[np.float32],
    inverse_variance: NDArray[np.float32],
    guess: NDArray[np.int64],
    reach: int,
    widening: float,
    place: NDArray[np.int64],
    chi2: NDArray[np.float64],
    elsewhere: NDArray[np.float64],
    bins: NDArray[np.int64],
) -> None:
    """Find where the eigenspectra fit n spectra best.

    Args:
        binned: (phase, 4, place) as in ``Eigenspectra``.
        origin: the pixel of the eigenspectra at the first bin at redshift 0.
        pixels: of an eigenspectrum.
        flux: (n, bin) float32; 0 where masked.
        inverse_variance: (n, bin) float32; 0 where masked.
        guess: (n,) log10(1 + z) in pixels.
        reach: how far from it shifts are tried [pixel], a multiple of ``STRIDE``.
        widening: by which statistical errors are multiplied.
        place: (n,) filled: the whole pixel of the least chi-square.
        chi2: (n, 3) filled: chi-square one pixel before it, at it and after it; NaN where nothing was fitted.
        elsewhere: (n,) filled: variance from other minima within reach [pixel^2].
        bins: (n,) filled: how many bins were fitted: those with weight that the eigenspectra cover at every shift.
    """
    phases = binned.shape[0]
    terms = TERMS + binned.shape[1]
    normal, right = np.empty((TERMS, TERMS)), np.empty(TERMS)
    equations, side = np.empty((terms, terms)), np.empty(terms)
    tried = np.empty(2 * (reach + STRIDE) + 3)  # chi-square by shift, from one pixel before the first
    for row in range(flux.shape[0]):
        place[row], bins[row], elsewhere[row] = guess[row], 0, 0.0
        chi2[row].fill(np.nan)
        lowest = guess[row] - reach - STRIDE - 1
        highest = lowest + tried.shape[0] - 1
        first = max(0, -((origin - highest - 1) // phases))
        last = min(flux.shape[1], (pixels - 2 - origin + lowest) // phases + 1)
        if last - first <= terms:
            continue
        powers = np.empty((TERMS + 1, last - first))
        right.fill(0.0)
        constant, bins[row] = _terms(flux[row][first:last], inverse_variance[row][first:last], powers, normal, right)
        if bins[row] <= terms:
            continue
        tried.fill(np.inf)
        centre = reach + STRIDE + 1
        for finer in range(3):  # every fourth pixel, all around the best of them, the neighbours of the best of all
            width, step = (reach, STRIDE) if finer == 0 else (STRIDE, 1) if finer == 1 else (1, 1)
            for index in range(centre - width, centre + width + 1, step):
                if tried[index] == np.inf:
                    pixel = origin + phases * first - lowest - index
                    phase = pixel % phases
                    tried[index] = constant - _at(
                        binned[phase], (pixel - phase) // phases, powers, normal, right, equations, side
                    )
            if finer < 2:
                centre = int(np.argmin(tried))
        place[row] = lowest + centre
        chi2[row, 0], chi2[row, 1], chi2[row, 2] = tried[centre - 1], tried[centre], tried[centre + 1]
        reduced = max(1.0, tried[centre] / (bins[row] - terms))
        elsewhere[row] = _elsewhere(tried, centre, widening * widening * reduced, reach)
