"""The unknown flag: one reason for each record, the first of this order that holds.

| reason        | when                                                                                              |
| ------------- | ------------------------------------------------------------------------------------------------- |
| BAD_DATA      | an engine answered NaN or inf; a constant, no noise (``noiseless``), or negative beyond its errors |
| OUT_OF_DOMAIN | coverage, resolving power, medium or sampling outside the bundle's domain, S/N above ``max_snr``  |
| NO_SIGNAL     | recognised as blank sky, or S/N below the bundle's ``no_signal_snr``                              |
| OUT_OF_DOMAIN | S/N below the bundle's ``min_snr``                                                                |
| OTHER_KNOWN   | p_other, weighed by type, above its threshold: a type outside the scheme, an ordinary target      |
| NOVEL         | conformal p-value of the novelty score at or below its threshold                                  |

A spectrum is negative beyond its errors where its median S/N is below ``LOWEST_SNR``: no light is negative, and what
subtracting the sky leaves stays within an error of a bin (the lowest of 76 real blank fibres has -1.0). Its sign is
wrong, which is a fault of the data and no discovery.

What makes an answer meaningless comes before what the answer says. Blank sky comes before "S/N too low", because a
blank fibre always has a low S/N and its own reason says more. OTHER_KNOWN comes before NOVEL: a white dwarf is unlike
the scheme's classes, hence often novel too, but it is no discovery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration
from classifiers.bundle.manifest import Domain
from classifiers.engine import Arrays
from classifiers.quality import Quality

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

LOWEST_SNR = -2.0
"""Median S/N per bin below which a spectrum is negative beyond its errors."""
REASONS = ("BAD_DATA", "OUT_OF_DOMAIN", "NO_SIGNAL", "OUT_OF_DOMAIN", "OTHER_KNOWN", "NOVEL")


@dataclass(frozen=True, slots=True)
class DomainCheck:
    """Where n records stand against a bundle's domain.

    Attributes:
        outside: (n,) bool, by coverage, resolving power, medium, sampling or S/N above ``max_snr``.
        low_snr: (n,) bool, S/N below ``min_snr`` or not measurable.
        no_signal: (n,) bool, S/N below ``no_signal_snr``.
        quality: (n,) int64 bits SHORT_COVERAGE, LOW_SNR and LOW_RESOLUTION.
    """

    outside: Flags
    low_snr: Flags
    no_signal: Flags
    quality: NDArray[np.int64]


def check_domain(
    domain: Domain,
    *,
    coverage: NDArray[np.float64],
    snr: NDArray[np.float64],
    resolving_power: NDArray[np.float64],
    served: Flags,
) -> DomainCheck:
    """Compare n records with a domain.

    Args:
        domain: of the bundle.
        coverage: (n,) fraction of the grid; 0 is outside every domain.
        snr: (n,), NaN where it cannot be measured.
        resolving_power: (n,), NaN where the survey gave none, which passes.
        served: (n,) True where medium and sampling are among those that the bundle serves.
    """
    short = coverage < domain.full_coverage
    faint = _below(snr, domain.full_snr)
    coarse = _below(resolving_power, domain.min_resolving_power)
    fine = _above(resolving_power, domain.max_resolving_power)
    low_snr = _below(snr, domain.min_snr)
    outside = (coverage < domain.min_coverage) | (coverage <= 0) | coarse | fine | ~served
    outside |= _above(snr, domain.max_snr)
    quality = short * int(Quality.SHORT_COVERAGE) | (faint | low_snr) * int(Quality.LOW_SNR)
    quality |= coarse * int(Quality.LOW_RESOLUTION)
    return DomainCheck(outside, low_snr, _below(snr, domain.no_signal_snr), quality.astype(np.int64))


def _below(values: NDArray[np.float64], limit: float | None) -> Flags:
    return np.zeros(values.shape, np.bool_) if limit is None else np.asarray(values < limit)


def _above(values: NDArray[np.float64], limit: float | None) -> Flags:
    return np.zeros(values.shape, np.bool_) if limit is None else np.asarray(values > limit)


def decide(
    *, bad: Flags, outside: Flags, no_signal: Flags, low_snr: Flags, other_known: Flags, novel: Flags
) -> tuple[Flags, list[str | None]]:
    """Return the unknown flag, (n,) bool, and the reason of each record, None where it is not unknown."""
    conditions = (bad, outside, no_signal, low_snr, other_known, novel)
    unknown = np.logical_or.reduce(conditions)
    reasons: list[str | None] = [None] * len(bad)
    for condition, reason in zip(reversed(conditions), reversed(REASONS), strict=True):
        for row in np.flatnonzero(condition).tolist():
            reasons[row] = reason
    return unknown, reasons


def weighed_other(p_other: Floats, outputs: Arrays, names: Sequence[str], odds: Mapping[str, float]) -> Floats:
    """Return what is compared with the threshold of p_other: its odds times those of the recognised type, (n,).

    Args:
        p_other: (n,) from 0 to 1.
        outputs: of the classifier; without ``other_type_probability`` no type is recognised.
        names: of the types.
        odds: by type, 1 where there are none.
    """
    if not odds or "other_type_probability" not in outputs:
        return p_other
    likeliest = outputs["other_type_probability"].argmax(axis=1)
    factor = np.array([odds.get(name, 1.0) for name in names])[likeliest]
    return np.where(factor == 1.0, p_other, factor * p_other / (1.0 - p_other + factor * p_other))


def other_limits(calibration: Calibration, short: Flags) -> NDArray[np.float64]:
    """Return above which p_other, weighed, a spectrum is OTHER_KNOWN: (n,), inf where never.

    Args:
        calibration: with the thresholds.
        short: (n,) bool, which spectra lack wavelengths; they have a threshold of their own where there is one.
    """
    part = calibration if calibration.short_coverage is None else calibration.short_coverage
    whole_limit, short_limit = (
        np.inf if each.p_other_threshold is None else each.p_other_threshold for each in (calibration, part)
    )
    return np.where(short, short_limit, whole_limit)


def negative_rows(snr: NDArray[np.float64]) -> Flags:
    """Return where the median S/N, (n,), is lower than any that light and its subtracted sky can leave."""
    return _below(snr, LOWEST_SNR)


def constant_rows(flux: NDArray[np.float32], inverse_variance: NDArray[np.float32]) -> Flags:
    """Return where all valid pixels have one value to within rounding, which no measurement with noise has.

    Args:
        flux: (n, pixel) float32, normalised; 0 where masked.
        inverse_variance: (n, pixel) float32, 0 where masked.
    """
    rows = np.arange(len(flux))
    first = flux[rows, (inverse_variance > 0).argmax(axis=1)]
    lowest, highest = flux.min(axis=1), flux.max(axis=1)
    tolerance = np.float32(1e-5) * np.abs(first)
    # masked pixels hold 0, so only rows whose extremes are 0 or the first valid value can be constant
    suspects = ((highest - first <= tolerance) | (highest <= 0)) & ((first - lowest <= tolerance) | (lowest >= 0))
    constant = np.zeros(len(flux), np.bool_)
    for row in np.flatnonzero(suspects).tolist():
        valid = flux[row][inverse_variance[row] > 0]
        constant[row] = valid.size > 1 and float(np.ptp(valid)) <= tolerance[row]
    return constant
