"""Masks and inverse-variance weights of raw pixels, row by row in a block; ``prepare`` holds the table of rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Spectrum
from classifiers.quality import Quality

Floats: TypeAlias = NDArray[np.float32]
Kind: TypeAlias = Literal["SIGMA", "VARIANCE", "IVAR"]

MASKED_FRACTION = 0.1
_SAMPLE = 64  # pixels from which the size of the uncertainties is estimated
_SAFE_EXPONENT = 20  # sigma within 2^-20 .. 2^20 needs no scaling


def weigh(
    spectra: Sequence[Spectrum], source: slice, target: slice, factor: Floats | None, weight: Floats, weighted: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fill work rows with inverse variances and inverse variances times flux; 0 where masked.

    Args:
        spectra: b spectra of one axis length and one uncertainty kind.
        source: pixels to use.
        target: columns of the work rows to fill; nothing else is touched.
        factor: (n,) float32 by which the flux of each pixel is multiplied to become F_lambda, or None for 1.
        weight: (b, width) float32 to fill [2^(-2 exponent) flux_unit^-2].
        weighted: (b, width) float32 to fill [2^(-exponent) flux_unit^-1].

    Returns:
        exponent: (b,) int64: rows are as if the flux had been multiplied by 2^exponent.
        flags: (b,) int64 bits of ``Quality``.
    """
    kind = spectra[0].uncertainty_kind
    v, fv = weight[:, target], weighted[:, target]
    for row, spectrum in enumerate(spectra):
        v[row] = spectrum.uncertainty[source]
    exponent = _exponents(v, kind, spectra, source)
    shifted = bool(exponent.any())
    if shifted:
        power = {"SIGMA": 1, "VARIANCE": 2, "IVAR": -2}[kind]
        with np.errstate(over="ignore", under="ignore"):
            for row in np.flatnonzero(exponent).tolist():
                v[row] = _scaled(v[row], power * int(exponent[row]))
    suspect = ~(v.min(axis=1) >= 0)  # negative or NaN somewhere
    if kind != "IVAR":
        suspect |= np.isinf(v.max(axis=1))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        for row in np.flatnonzero(suspect).tolist():
            np.fmax(v[row], 0, out=v[row])
        if kind == "SIGMA":
            np.multiply(v, v, out=v)
        if factor is not None:
            factor = factor[source]
            if kind == "IVAR":
                v /= factor * factor
            else:
                v *= factor * factor
        if kind != "IVAR":
            np.divide(np.float32(1), v, out=v)  # 0 becomes inf, which is masked below
        for row, spectrum in enumerate(spectra):
            good = spectrum.good
            if good is not None and not good.all():
                np.copyto(v[row], 0, where=~good[source])
            flux = spectrum.flux[source]
            if shifted and exponent[row]:
                flux = _scaled(flux, int(exponent[row]))
            np.multiply(v[row], flux, out=fv[row])
        if factor is not None:
            fv *= factor
    suspect |= ~np.isfinite(fv).all(axis=1)
    flags = np.zeros(len(spectra), np.int64)
    for row in np.flatnonzero(suspect).tolist():
        flags[row] |= _mend(v[row], fv[row], spectra[row], source)
    _flag_masked(v, flags)
    return exponent, flags


def _mend(v: Floats, fv: Floats, spectrum: Spectrum, source: slice) -> int:
    """Mask what is not finite in one row, and return the bits that say why."""
    flux, uncertainty = spectrum.flux[source], spectrum.uncertainty[source]
    good = np.ones(flux.size, np.bool_) if spectrum.good is None else spectrum.good[source]
    masked = np.flatnonzero(~(good & np.isfinite(fv) & np.isfinite(v) & ~(np.isnan(uncertainty) | (uncertainty < 0))))
    v[masked] = 0
    fv[masked] = 0
    flags = 0
    if np.any(good & ~(np.isfinite(flux) & np.isfinite(uncertainty))):
        flags |= Quality.NON_FINITE_INPUT
    bad = uncertainty < 0 if spectrum.uncertainty_kind == "IVAR" else uncertainty <= 0
    if np.any(good & bad):
        flags |= Quality.BAD_UNCERTAINTY
    return int(flags)


def _flag_masked(v: Floats, flags: NDArray[np.int64]) -> None:
    valid = v > 0
    most = (1 - MASKED_FRACTION) * v.shape[1]
    for row, pixels in enumerate(valid):
        count = np.count_nonzero(pixels)
        if count < most and count:
            inside = pixels.size - pixels[::-1].argmax() - pixels.argmax()
            if count < (1 - MASKED_FRACTION) * inside:
                flags[row] |= Quality.MASKED_PIXELS


def _exponents(v: Floats, kind: Kind, spectra: Sequence[Spectrum], source: slice) -> NDArray[np.int64]:
    """Return for each row the power of two that brings its typical sigma near 1; 0 where it is near enough."""
    if v.shape[1] == 0:
        return np.zeros(v.shape[0], np.int64)
    sample = np.sort(v[:, :: max(1, v.shape[1] // _SAMPLE)], axis=1)
    typical = sample[:, sample.shape[1] // 2].astype(np.float64)
    for row in np.flatnonzero(~((typical > 0) & np.isfinite(typical))).tolist():
        whole = v[row]
        usable = (whole > 0) & np.isfinite(whole)
        good = spectra[row].good
        if good is not None and np.any(usable & good[source]):
            usable &= good[source]
        typical[row] = np.median(whole[usable]) if usable.any() else 1.0
    power = {"SIGMA": 1.0, "VARIANCE": 0.5, "IVAR": -0.5}[kind]
    exponent = -np.round(power * np.log2(typical)).astype(np.int64)
    exponent[np.abs(exponent) <= _SAFE_EXPONENT] = 0
    return exponent


def _scaled(values: Floats, exponent: int) -> Floats:
    """Return values x 2^exponent, in two exact steps where one power would not be a float32."""
    half = exponent // 2
    return values * np.float32(2.0**half) * np.float32(2.0 ** (exponent - half))
