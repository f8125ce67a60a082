"""The p-value of novelty: of the fused score where both engines answered, else of the one that did.

Spectra that lack wavelengths are compared with their like where the calibration has tables of them.

Fused score: Fisher's combination of the p-values of the classifier's energy and the VAE's score, the latter with a
weight that the calibration names. Its own conformal table, made from objects that neither p-value table has seen, turns
it into a p-value again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration, TailTable
from classifiers.verdict.answers import Answer, AnsweredRows
from classifiers.verdict.conformal import fisher, flag_threshold, p_values
from classifiers.verdict.outputs import column

Flags = NDArray[np.bool_]

SCORES = {"spectral_classifier": "energy", "anomaly": "score"}
"""Output that measures novelty, by role."""


class Novelty(NamedTuple):
    """Conformal p-values of n objects, NaN where there is none, and which of them are NOVEL at the declared rate."""

    p_value: NDArray[np.float64]
    novel: NDArray[np.bool_]


def novelty(answers: Mapping[str, Answer], rows: Mapping[str, AnsweredRows], n: int) -> Novelty:
    """Return the novelty of n objects from the answers by role.

    A classifier calibrated without groups of coverage was fused with the anomaly engine's p-values without them, too.
    """
    single: dict[str, Novelty] = {}
    lead = answers.get("spectral_classifier")
    grouped = lead is None or lead.calibration.short_coverage is not None
    for role, name in SCORES.items():
        if role in answers:
            calibration = answers[role].calibration
            if calibration.novelty is not None:
                scores = column(answers[role].outputs[name], rows[role].absent)
                own = calibration.short_coverage if grouped else None
                part = None if own is None else own.novelty
                single[role] = judged_by_coverage(calibration.novelty, part, scores, rows[role].short, calibration)
    result = Novelty(np.full(n, np.nan), np.zeros(n, np.bool_))
    for role in reversed(SCORES):
        if role in single:
            result = _preferred(single[role], result)
    if len(single) == len(SCORES):
        calibration = answers["spectral_classifier"].calibration
        if calibration.fused is not None:
            energy, score = (single[role].p_value for role in SCORES)
            scores = fisher(energy, score, calibration.fused.anomaly_weight)
            own, short = calibration.short_coverage, rows["spectral_classifier"].short
            part = None if own is None else own.fused
            if own is not None and part is None:  # no table of their fused score: the energy's judges them
                scores = np.where(short, np.nan, scores)
            fused = judged_by_coverage(calibration.fused.table, part, scores, short, calibration)
            result = _preferred(fused, result)
    return result


def judged(table: TailTable, scores: NDArray[np.float64], calibration: Calibration) -> Novelty:
    """Return the p-values of scores in a table, and which are flagged at the calibration's ``novel_rate``."""
    p = p_values(table, scores)
    return Novelty(p, p <= flag_threshold(table.n, calibration.novel_rate, calibration.confidence))


def judged_by_coverage(
    whole: TailTable, part: TailTable | None, scores: NDArray[np.float64], short: Flags, calibration: Calibration
) -> Novelty:
    """Return ``judged`` by the table of the coverage that a spectrum has.

    Args:
        whole: of spectra with full coverage.
        part: of those that lack wavelengths; None: the same.
        scores: (n,).
        short: (n,) which of them lack wavelengths.
        calibration: with the rates.
    """
    found = judged(whole, scores, calibration)
    if part is None:
        return found
    other = judged(part, scores, calibration)
    return Novelty(np.where(short, other.p_value, found.p_value), np.where(short, other.novel, found.novel))


def _preferred(first: Novelty, otherwise: Novelty) -> Novelty:
    absent = np.isnan(first.p_value)
    return Novelty(np.where(absent, otherwise.p_value, first.p_value), np.where(absent, otherwise.novel, first.novel))
