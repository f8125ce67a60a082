"""Masks and inverse-variance weights of raw pixels, spectrum by spectrum; ``prepare`` holds the table of rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled
from classifiers.items import Spectrum
from classifiers.quality import Quality

Floats: TypeAlias = NDArray[np.float32]
Integers: TypeAlias = NDArray[np.int64]
Kind: TypeAlias = Literal["SIGMA", "VARIANCE", "IVAR"]

MASKED_FRACTION = 0.1
_SAMPLE = 64  # pixels from which the size of the uncertainties is estimated
_SAFE_EXPONENT = 20  # sigma within 2^-20 .. 2^20 needs no scaling
_LARGEST = float(np.finfo(np.float32).max)
_SIGMA, _VARIANCE, _IVAR = range(3)
_KINDS: dict[Kind, int] = {"SIGMA": _SIGMA, "VARIANCE": _VARIANCE, "IVAR": _IVAR}
_NON_FINITE_INPUT, _BAD_UNCERTAINTY, _MASKED_PIXELS = (
    int(Quality.NON_FINITE_INPUT),
    int(Quality.BAD_UNCERTAINTY),
    int(Quality.MASKED_PIXELS),
)


class Weighed(NamedTuple):
    """Pixels of b spectra with their weights.

    Attributes:
        weight: (b, n) float32 inverse variance, 0 where masked [2^(-2 exponent) flux_unit^-2].
        weighted: (b, n) float32, the same times the flux [2^(-exponent) flux_unit^-1].
        exponent: (b,) int64: both are as if the flux had been multiplied by 2^exponent.
        flags: (b,) int64 bits of ``Quality``.
    """

    weight: Floats
    weighted: Floats
    exponent: Integers
    flags: Integers


def weigh(spectra: Sequence[Spectrum], source: slice, factor: Floats | None, memory: Floats | None = None) -> Weighed:
    """Return inverse variances, and inverse variances times flux.

    Args:
        spectra: b spectra of one axis length and one uncertainty kind.
        source: pixels to use.
        factor: by which the flux of each pixel of the axis is multiplied to become F_lambda; None for 1.
        memory: at least 2 b n float32 to use for the result; made where there is none.
    """
    b, n = len(spectra), len(range(*source.indices(spectra[0].flux.size)))
    memory = np.empty(2 * b * n, np.float32) if memory is None else memory
    weight, weighted = memory[: 2 * b * n].reshape(2, b, n)
    out = Weighed(weight, weighted, np.zeros(b, np.int64), np.zeros(b, np.int64))
    float32, int32 = np.dtype(np.float32), np.dtype(np.int32)
    flux = _side_by_side([each.flux[source] for each in spectra], float32)
    uncertainty = _side_by_side([each.uncertainty[source] for each in spectra], float32)
    unsaid = np.zeros(n, np.int32)
    quality = _side_by_side([unsaid if each.quality is None else each.quality[source] for each in spectra], int32)
    factors = np.ones(0, np.float32) if factor is None else np.ascontiguousarray(factor[source], np.float32)
    _weigh_rows(flux, uncertainty, quality, _KINDS[spectra[0].uncertainty_kind], factors, out)
    return out


def _side_by_side(rows: Sequence[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return b arrays of n as (b, n), copied in one go: each copy by itself would give up the lock and await it."""
    joined = b"".join([np.ascontiguousarray(row, dtype).data for row in rows])
    return np.frombuffer(joined, dtype).reshape(len(rows), -1)


@compiled
def _weigh_rows(
    flux: Floats, uncertainty: Floats, quality: NDArray[np.int32], kind: int, factor: Floats, out: Weighed
) -> None:
    for row in range(flux.shape[0]):
        exponent = _exponent(uncertainty[row], quality[row], kind)
        out.exponent[row] = exponent
        out.flags[row] = _weigh_row(
            flux[row], uncertainty[row], quality[row], kind, factor, exponent, out.weight[row], out.weighted[row]
        )


@compiled
def _weigh_row(
    flux: Floats,
    uncertainty: Floats,
    quality: NDArray[np.int32],
    kind: int,
    factor: Floats,
    exponent: int,
    weight: Floats,
    weighted: Floats,
) -> int:
    """Fill one row and return its flags."""
    n, own = flux.size, factor.size > 0
    first, rest = _powers(exponent)  # two exact steps where one power would not be a float32
    power = 1 if kind == _SIGMA else 2 if kind == _VARIANCE else -2
    before, after = _powers(power * exponent)
    non_finite = bad = count = 0
    for i in range(n):
        u, f, good = uncertainty[i], flux[i], quality[i] == 0
        known = (abs(u) <= _LARGEST) & (abs(f) <= _LARGEST)
        wrong = u < 0 if kind == _IVAR else u <= 0
        non_finite += good & ~known
        bad += good & wrong
        v = u * before * after
        if kind == _SIGMA:
            v = v * v
        f = f * first * rest
        if own:
            v = v / (factor[i] * factor[i]) if kind == _IVAR else v * (factor[i] * factor[i])
            f = f * factor[i]
        if kind != _IVAR:
            v = np.float32(1.0) / v
        fv = v * f
        valid = good & known & ~wrong & (v <= _LARGEST) & (abs(fv) <= _LARGEST)
        weight[i] = v if valid else np.float32(0.0)
        weighted[i] = fv if valid else np.float32(0.0)
        count += weight[i] > 0
    flags = (_NON_FINITE_INPUT if non_finite else 0) | (_BAD_UNCERTAINTY if bad else 0)
    if 0 < count < (1.0 - MASKED_FRACTION) * n:
        start, stop = 0, n
        while weight[start] == 0:
            start += 1
        while weight[stop - 1] == 0:
            stop -= 1
        if count < (1.0 - MASKED_FRACTION) * (stop - start):
            flags |= _MASKED_PIXELS
    return flags


@compiled
def _exponent(uncertainty: Floats, quality: NDArray[np.int32], kind: int) -> int:
    """Return the power of two that brings the geometric mean of sigma near 1; 0 where it is near enough."""
    total, count = 0.0, 0
    step = max(1, uncertainty.size // _SAMPLE)
    while count == 0 and step > 0:
        for i in range(0, uncertainty.size, step):
            if quality[i] == 0 and 0 < uncertainty[i] <= _LARGEST:
                total += np.log2(uncertainty[i])
                count += 1
        step = 1 if step > 1 else 0
    if count == 0:
        return 0
    power = 1.0 if kind == _SIGMA else 0.5 if kind == _VARIANCE else -0.5
    exponent = -int(np.rint(power * total / count))
    return exponent if abs(exponent) > _SAFE_EXPONENT else 0


@compiled
def _powers(exponent: int) -> tuple[np.float32, np.float32]:
    """Return two numbers whose product is 2^exponent."""
    half = exponent // 2
    return np.float32(2.0**half), np.float32(2.0 ** (exponent - half))
