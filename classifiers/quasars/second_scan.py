"""The lines of a second galaxy or quasar in what one redshift leaves unexplained: compiled, one spectrum at a time.

What is left loses its running mean, so that no continuum and no flux calibration matters; then the lines of a mean
galaxy and of a mean quasar are looked for in it at every redshift. A redshift counts by its gain in chi-square without
the window that adds most to it: one wrong line of the first object, or one cosmic ray, is no second object.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

_LEAST_GAIN = 10.0  # in units of reduced chi-square: no score can be larger
_CANDIDATES = 3
_COMMON = 5.0  # added to gains, below which their ratios mean nothing


class Wanted(NamedTuple):
    """Lines of one kind of second object.

    Attributes:
        contrast: (place,) float32, lines over the continuum, at one phase: redshifts are whole bins apart. Zeros on
            either side, so that all bins have a place at every redshift.
        together: bins of the fit in one bin of the contrast.
        start: place at the first bin at the lowest redshift; one less for each next.
        tried: how many redshifts are, a multiple of four.
        lowest: the first of them, log10(1 + z) in pixels.
        step: pixels between them.
        half: bins to either side in the running mean.
        window: bins of the window that is left out.
    """

    contrast: Float32
    together: int
    start: int
    tried: int
    lowest: int
    step: int
    half: int
    window: int


@compiled
def _without_mean(left: Floats, weight: Floats, wanted: Wanted, weighted: Float32, weights: Float32) -> Any:
    """Fill weight times what is left without its running mean, and the weights, in the bins that are wanted.

    Returns:
        Reduced chi-square, at least 1, and the number of bins.
    """
    together = wanted.together
    m = left.size // together
    sums, means = np.zeros(m + 1), np.zeros(m + 1)
    for i in range(m):
        w = f = 0.0
        for j in range(i * together, (i + 1) * together):
            w += weight[j]
            f += weight[j] * left[j]
        sums[i + 1], means[i + 1] = sums[i] + w, means[i] + f
        weights[i] = w
    chi2, count = 0.0, 0
    for i in range(m):
        low, high = max(0, i - wanted.half), min(m, i + wanted.half + 1)
        known = sums[high] - sums[low]
        own = sums[i + 1] - sums[i]
        excess = means[i + 1] - means[i] - own * ((means[high] - means[low]) / known if known > 0.0 else 0.0)
        weighted[i] = excess
        if own > 0.0:
            chi2 += excess * excess / own
            count += 1
    return max(1.0, chi2 / max(count, 1)), m


@compiled
def _gains(weighted: Float32, weights: Float32, wanted: Wanted, avoided: int, apart: int, gains: Floats) -> Any:
    """Fill by how much the lines lower chi-square at each redshift; 0 where they would be negative, and near one.

    Four redshifts are summed at a time, for one sum by itself waits for its own last addition.

    Returns:
        The largest.
    """
    m, largest = weights.size, 0.0
    products, squares = np.empty(4, np.float32), np.empty(4, np.float32)
    for s in range(0, wanted.tried, 4):
        start = wanted.start - s
        c1, c2 = wanted.contrast[start : start + m], wanted.contrast[start - 1 : start - 1 + m]
        c3, c4 = wanted.contrast[start - 2 : start - 2 + m], wanted.contrast[start - 3 : start - 3 + m]
        p1 = p2 = p3 = p4 = q1 = q2 = q3 = q4 = np.float32(0.0)
        for i in range(m):
            f, w = weighted[i], weights[i]
            p1 += f * c1[i]
            p2 += f * c2[i]
            p3 += f * c3[i]
            p4 += f * c4[i]
            q1 += w * c1[i] * c1[i]
            q2 += w * c2[i] * c2[i]
            q3 += w * c3[i] * c3[i]
            q4 += w * c4[i] * c4[i]
        products[0], products[1], products[2], products[3] = p1, p2, p3, p4
        squares[0], squares[1], squares[2], squares[3] = q1, q2, q3, q4
        for j in range(4):
            near = abs(wanted.lowest + (s + j) * wanted.step - avoided) < apart
            seen = products[j] > 0.0 and squares[j] > 0.0 and not near
            gains[s + j] = np.float64(products[j]) ** 2 / np.float64(squares[j]) if seen else 0.0
            largest = max(largest, gains[s + j])
    return largest


@compiled
def _robust_gain(weighted: Float32, weights: Float32, wanted: Wanted, s: int, along: Floats) -> Any:
    """Return the gain of one redshift without the window that adds most to it."""
    m, window = weights.size, wanted.window
    line = wanted.contrast[wanted.start - s : wanted.start - s + m]
    product, square = along[0], along[1]
    product[0] = square[0] = 0.0
    for i in range(m):
        product[i + 1] = product[i] + weighted[i] * line[i]
        square[i + 1] = square[i] + weights[i] * line[i] * line[i]
    most, at = 0.0, 0
    for i in range(m - window + 1):
        if product[i + window] - product[i] > most:
            most, at = product[i + window] - product[i], i
    rest, under = product[m] - most, square[m] - (square[at + window] - square[at])
    return rest * rest / under if rest > 0.0 and under > 0.0 else 0.0


@compiled
def _best(weighted: Float32, weights: Float32, wanted: Wanted, apart: int, gains: Floats, along: Floats) -> Any:
    """Return the redshift of the largest robust gain among the best few, that gain, and the next one's."""
    best, runner, found = 0.0, 0.0, 0
    reach = apart // wanted.step // 2
    for _ in range(_CANDIDATES):
        top = int(np.argmax(gains[: wanted.tried]))
        if gains[top] <= 0.0:
            break
        for s in range(max(0, top - reach), min(wanted.tried, top + reach + 1)):
            gains[s] = 0.0
        gain = _robust_gain(weighted, weights, wanted, top, along)
        if gain > best:
            best, runner, found = gain, best, top
        else:
            runner = max(runner, gain)
    return wanted.lowest + found * wanted.step, best, runner


@compiled
def find_second(
    galaxy: Wanted,
    quasar: Wanted,
    left: Floats,
    weight: Floats,
    shift: NDArray[np.int64],
    apart: int,
    place: NDArray[np.int64],
    score: Floats,
) -> None:
    """Look for a second galaxy and a second quasar in n spectra.

    Args:
        galaxy: what is looked for.
        quasar: likewise.
        left: (n, m) what the first redshift leaves; 0 where nothing is known.
        weight: (n, m) its inverse variance; 0 where nothing is known.
        shift: (n,) log10(1 + z) of the first object in pixels.
        apart: least difference of a second one's [pixel].
        place: (n, 2) filled: the likeliest second galaxy's and quasar's, in pixels.
        score: (n, 2) filled: how much it stands out; 0 for not at all.
    """
    m = left.shape[1]
    along, gains = np.empty((2, m + 1)), np.empty(max(galaxy.tried, quasar.tried))
    weighted, weights = np.empty(m, np.float32), np.empty(m, np.float32)
    for row in range(left.shape[0]):
        for kind in range(2):
            wanted = quasar if kind else galaxy
            place[row, kind], score[row, kind] = wanted.lowest, 0.0
            noise, bins = _without_mean(left[row], weight[row], wanted, weighted, weights)
            own, known = weighted[:bins], weights[:bins]
            if _gains(own, known, wanted, shift[row], apart, gains) < _LEAST_GAIN * noise:
                continue
            place[row, kind], best, runner = _best(own, known, wanted, apart, gains, along)
            score[row, kind] = (best - runner) ** 2 / (best + _COMMON) / noise
