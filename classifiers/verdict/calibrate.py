"""Makes calibrations from engine outputs on held-out objects; pure functions of arrays, for training and ``evaluate``.

"Known" objects are those of the scheme's classes: the unknown flag is a statement about them. A conformal table is made
from objects that had no part in what it ranks, hence the split of the sample in ``spectral_calibration``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration, Fused, Partner, ShortCoverage, TailTable
from classifiers.bundle.folder import Bundle
from classifiers.errors import ClassifierError
from classifiers.verdict.conformal import conformal_rank, fisher, p_values, smallest_sample
from classifiers.verdict.probabilities import with_other

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ANOMALY_WEIGHT = 0.25
"""Of the VAE's p-value in the fused score, beside that of the classifier's novelty head.

``python -m classifiers.training.novelty_weight`` chooses it on simulations alone, by a rule: the smallest whose worst
share of known objects that pass the limit of 0.5 %, in any of eight simulations that are wrong in their noise, sky,
calibration, air or cosmic rays, is the least of all weights' to within two standard errors. With 0.25 and 0.5 that
worst share is 0.024 and 0.027 and 0.78 of outliers are found; with 1 to 3 it is 0.031 to 0.037, and 0.78 to 0.64 are.
Versions before 0.12.0 had 4, 2, 1 and 1.5, chosen after a look at the development spectra.
"""

OTHER_ODDS: Mapping[str, float] = {"SKY": 9.0}
"""What the odds of p_other are multiplied by, by recognised type, before they are compared with the threshold.

Known objects are hardly ever taken for blank sky: of simulated galaxies, quasars and stars 0.0009 have p_other above
0.1 for it, where above 0.5 for all types is what a rate of 0.005 allows. It was thought of after a look at which sky
fibres of the development spectra were not flagged.
"""


class TooFewKnown(ClassifierError, ValueError):
    """The sample holds too few known objects for the declared rates."""


def tail_table(scores: NDArray[np.floating[Any]], *, tail: float = 0.05, body: int = 400) -> TailTable:
    """Return the table of a null sample: every score of the upper tail, and quantiles of the rest.

    Args:
        scores: (n,) finite, larger = more novel.
        tail: fraction of the sample kept exactly (at least 100 scores).
        body: number of knots below it.
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    n = ordered.size
    if n == 0 or not np.isfinite(ordered).all():
        raise ValueError(
            f"expected at least one score, all finite; got {n}, {np.count_nonzero(~np.isfinite(ordered))} not"
        )
    exact = min(n, max(100, int(np.ceil(tail * n))))
    places = np.unique(np.concatenate([np.linspace(0, n - exact, body).astype(int), np.arange(n - exact, n)]))
    knots = np.unique(ordered[places])
    at_or_above = n - np.searchsorted(ordered, knots, side="left")
    return TailTable(n=n, scores=tuple(knots.tolist()), at_or_above=tuple(at_or_above.tolist()))


def fit_temperature(class_logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature that minimises the negative log-likelihood (Guo et al. 2017, section 4.2).

    Args:
        class_logits: (n, k) float32 with every column that the labels speak of (OTHER last where there is one).
        labels: (n,) int64 column of the true class.
    """
    logits = class_logits.astype(np.float64)
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        scaled = logits * np.exp(-log_temperature)
        top = scaled.max(axis=1)
        return float(np.mean(top + np.log(np.exp(scaled - top[:, None]).sum(axis=1)) - scaled[rows, labels]))

    return float(np.exp(_golden_section(loss, np.log(0.05), np.log(20.0))))


def fit_binary_temperature(logits: NDArray[np.float32], labels: NDArray[np.bool_]) -> float:
    """Return the temperature of a logistic output, for ``qso_logit``, ``high_z_logit`` and ``bal_logit``."""
    return fit_temperature(np.stack([np.zeros_like(logits), logits], axis=1), labels.astype(np.int64))


def p_other_threshold(p_other: Floats, rate: float, confidence: float = 0.99) -> float | None:
    """Return the threshold that known objects exceed at most at this rate; None if n is too small for any.

    Args:
        p_other: (n,) of known held-out objects.
        rate: to hold.
        confidence: that it holds, over calibration samples.
    """
    rank = conformal_rank(p_other.size, rate, confidence)
    return None if rank == 0 else float(np.sort(p_other)[-rank])


def _other_limit(p_other: Floats, kinds: NDArray[np.int64] | None, rate: float, confidence: float) -> float | None:
    """Return the largest of the thresholds of all and of each kind that has enough objects for one."""
    groups = [] if kinds is None else [p_other[kinds == kind] for kind in np.unique(kinds)]
    found = [p_other_threshold(group, rate, confidence) for group in (p_other, *groups)]
    return max((limit for limit in found if limit is not None), default=None)


def score_calibration(
    identifier: str, scores: NDArray[np.floating[Any]], short: Flags | None = None, **fields: Any
) -> Calibration:
    """Return the calibration of an ``anomaly`` or ``image_anomaly`` bundle from the scores of known held-out objects.

    Args:
        identifier: of the calibration, as L2 records name it.
        scores: (n,) of known objects.
        short: (n,) which of them lack wavelengths and get a table of their own; None: one table for all.
        **fields: other fields of ``Calibration``.
    """
    if short is not None and short.any():
        part = ShortCoverage(n=int(short.sum()), novelty=tail_table(scores[short]))
        return score_calibration(identifier, scores[~short], short_coverage=part, **fields)
    return Calibration(id=identifier, n=len(scores), novelty=tail_table(scores), **fields)


def known_needed(alpha: float, other_rate: float, confidence: float) -> int:
    """Return how many known objects ``spectral_calibration`` needs to hold the rates at all.

    Args:
        alpha: declared false-unknown rate.
        other_rate: part of alpha spent on OTHER_KNOWN; 0 leaves that flag out.
        confidence: that each of the two holds.
    """
    novel = 2 * smallest_sample(alpha - other_rate, confidence)
    return max(novel, smallest_sample(other_rate, confidence)) if other_rate > 0 else novel


def spectral_calibration(
    identifier: str,
    *,
    class_logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    energy: NDArray[np.float32],
    p_other: Floats | None = None,
    anomaly: Bundle | None = None,
    anomaly_scores: NDArray[np.float32] | None = None,
    short: Flags | None = None,
    kinds: NDArray[np.int64] | None = None,
    alpha: float = 0.01,
    other_rate: float = 0.0,
    confidence: float = 0.99,
    temperature: float | None = None,
    anomaly_weight: float = ANOMALY_WEIGHT,
    **fields: Any,
) -> Calibration:
    """Return the calibration of a ``spectral_classifier`` from held-out objects in random order.

    The temperature, where it is not given, and the threshold of p_other use all of them. Known objects with even index
    make the energy table, those with odd index the fused table, so that the fused p-value is an exact split-conformal
    one. The anomaly bundle's own table must come from other objects than these.

    Args:
        identifier: of the calibration, as L2 records name it.
        class_logits: (n, k+1) float32.
        labels: (n,) int64 true class, k for OTHER.
        energy: (n,) float32.
        p_other: (n,) as it is published at this temperature, weighed by type; None: the logits' own.
        anomaly: the anomaly bundle, calibrated for the same runtime and dtype; None calibrates the energy alone.
        anomaly_scores: (n,) float32, its ``score`` for the same objects.
        short: (n,) which objects lack wavelengths and get tables and a threshold of their own; None: one for all.
        kinds: (n,) what the objects are, where the sample is mixed otherwise than streams are: the rate of OTHER_KNOWN
            then holds in each kind, for a sub-survey may be stars alone; None: in the mix that was given.
        alpha: declared false-unknown rate.
        other_rate: part of alpha spent on OTHER_KNOWN; the rest is spent on NOVEL.
        confidence: that each of the two holds.
        temperature: taken as it is, so that p_other has no part in the objects that its threshold is made from; None
            fits it.
        anomaly_weight: of the anomaly bundle's p-value beside that of the energy.
        **fields: other fields of ``Calibration`` (runtime, dtype, domain ...).

    Raises:
        TooFewKnown: too few known objects to hold the rates; of those that lack wavelengths any number will do, but too
            few are never flagged.
    """
    k = class_logits.shape[1] - 1
    lacking = np.zeros(len(labels), np.bool_) if short is None else short
    known = np.flatnonzero((labels < k) & ~lacking)
    needed = known_needed(alpha, other_rate, confidence)
    if known.size < needed:
        raise TooFewKnown(f"a rate of {alpha - other_rate} needs {needed} known objects, got {known.size}")
    if temperature is None:
        temperature = fit_temperature(class_logits, labels)
    other = with_other(class_logits, temperature).other if p_other is None else p_other
    nulls: _Nulls | None = None
    if anomaly is not None and anomaly_scores is not None:
        nulls = _Nulls.of(anomaly, fields.get("runtime", "onnxruntime"), fields.get("dtype", "fp32"))

    def made(rows: NDArray[np.int64], null: TailTable | None) -> tuple[TailTable, TailTable | None, float | None]:
        fitting, ranking = rows[::2], rows[1::2]
        table, fused = tail_table(energy[fitting]), None
        if null is not None and anomaly_scores is not None:
            scores = p_values(null, anomaly_scores[ranking].astype(np.float64))
            own = p_values(table, energy[ranking].astype(np.float64))
            fused = tail_table(fisher(own, scores, anomaly_weight))
        own_kinds = None if kinds is None else kinds[rows]
        limit = _other_limit(other[rows], own_kinds, other_rate, confidence) if other_rate > 0 else None
        return table, fused, limit

    table, fused, limit = made(known, None if nulls is None else nulls.whole)
    part, rows = None, np.flatnonzero((labels < k) & lacking)
    if rows.size > 1:
        own, own_fused, own_limit = made(rows, None if nulls is None else nulls.short)
        part = ShortCoverage(n=rows.size, novelty=own, fused=own_fused, p_other_threshold=own_limit)
    return Calibration(
        id=identifier,
        n=known.size,
        alpha=alpha,
        novel_rate=alpha - other_rate,
        other_rate=other_rate,
        confidence=confidence,
        temperature=temperature,
        p_other_threshold=limit,
        novelty=table,
        fused=None
        if nulls is None or fused is None
        else Fused(partner=nulls.partner, anomaly_weight=anomaly_weight, table=fused),
        short_coverage=part,
        **fields,
    )


class _Nulls(NamedTuple):
    """An anomaly bundle, and its tables of spectra with full and with short coverage."""

    partner: Partner
    whole: TailTable
    short: TailTable

    @staticmethod
    def of(anomaly: Bundle, runtime: str, dtype: str) -> _Nulls:
        calibration = anomaly.calibration(runtime, dtype)
        whole, part = calibration.novelty, calibration.short_coverage
        if whole is None:
            raise ValueError(f"the anomaly bundle {anomaly.manifest.name} has no table of its score")
        partner = Partner(name=anomaly.manifest.name, version=anomaly.manifest.version, bundle_sha256=anomaly.sha256)
        return _Nulls(partner, whole, whole if part is None else part.novelty)


def _golden_section(function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-4) -> float:
    """Return the minimum of a unimodal function by golden-section search."""
    ratio = (5**0.5 - 1) / 2
    inner, outer = high - ratio * (high - low), low + ratio * (high - low)
    at_inner, at_outer = function(inner), function(outer)
    while high - low > tolerance:
        if at_inner <= at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - ratio * (high - low)
            at_inner = function(inner)
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + ratio * (high - low)
            at_outer = function(outer)
    return 0.5 * (low + high)
