"""The p-value of novelty: of the fused score where both engines answered, else of the one that did.

Fused score: Fisher's combination of the p-values of the classifier's energy and the VAE's score. Its own conformal
table, made from objects that neither p-value table has seen, turns it into a p-value again.
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

SCORES = {"spectral_classifier": "energy", "anomaly": "score"}
"""Output that measures novelty, by role."""


class Novelty(NamedTuple):
    """Conformal p-values of n objects, NaN where there is none, and which of them are NOVEL at the declared rate."""

    p_value: NDArray[np.float64]
    novel: NDArray[np.bool_]


def novelty(answers: Mapping[str, Answer], rows: Mapping[str, AnsweredRows], n: int) -> Novelty:
    """Return the novelty of n objects from the answers by role."""
    single: dict[str, Novelty] = {}
    for role, name in SCORES.items():
        if role in answers:
            calibration = answers[role].calibration
            if calibration.novelty is not None:
                scores = column(answers[role].outputs[name], rows[role].absent)
                single[role] = judged(calibration.novelty, scores, calibration)
    result = Novelty(np.full(n, np.nan), np.zeros(n, np.bool_))
    for role in reversed(SCORES):
        if role in single:
            result = _preferred(single[role], result)
    if len(single) == len(SCORES):
        calibration = answers["spectral_classifier"].calibration
        if calibration.fused is not None:
            scores = fisher(*(single[role].p_value for role in SCORES))
            result = _preferred(judged(calibration.fused.table, scores, calibration), result)
    return result


def judged(table: TailTable, scores: NDArray[np.float64], calibration: Calibration) -> Novelty:
    """Return the p-values of scores in a table, and which are flagged at the calibration's ``novel_rate``."""
    p = p_values(table, scores)
    return Novelty(p, p <= flag_threshold(table.n, calibration.novel_rate, calibration.confidence))


def _preferred(first: Novelty, otherwise: Novelty) -> Novelty:
    absent = np.isnan(first.p_value)
    return Novelty(np.where(absent, otherwise.p_value, first.p_value), np.where(absent, otherwise.novel, first.novel))
