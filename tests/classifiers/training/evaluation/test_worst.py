"""The worst errors: the most confident first, and no object twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from classifiers.training.evaluation.answers import Answers, Scored
from classifiers.training.evaluation.worst import worst_rows
from tests.classifiers.training.evaluation.answered import label, verdicts


def test_no_object_is_shown_twice_neither_by_its_epochs_nor_for_two_kinds_of_error() -> None:
    """Two epochs of a quasar are taken for stars and flagged; three stars of wrong types are flagged, more is right."""
    labels = [replace(label(row, "QSO_nan"), object_id="twice") for row in range(2)]
    labels += [label(row, "STAR_A0") for row in range(2, 9)]
    names = ["STAR_A0"] * 2 + ["STAR_K5"] * 5 + ["STAR_A0"] * 2
    found = verdicts(names, reasons=["NOVEL"] * 9, unknown_p_value=np.linspace(0.001, 0.009, 9))
    chosen = worst_rows(Scored(labels, Answers.of([found])))
    assert chosen == [
        ("wrong group", 0),
        *(("wrong class", row) for row in (2, 3, 4)),
        *(("false unknown", row) for row in (5, 6, 7)),
    ]
