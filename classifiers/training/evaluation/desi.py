"""Section on DESI coadds: class and redshift of each, one row a target."""

from __future__ import annotations

import numpy as np

from classifiers.training.evaluation.answers import Scored
from classifiers.training.evaluation.binned import share
from classifiers.training.evaluation.document import Cell, Section, Table


def desi(scored: Scored) -> Section:
    """Return the section."""
    answers = scored.answers
    order = np.argsort(-answers.column("snr"), kind="stable")
    rows: list[list[Cell]] = []
    for row in order.tolist():
        label = scored.labels[row]
        cells: list[Cell] = [label.object_id, round(float(answers.column("snr")[row]), 2), label.redshift]
        cells += [str(answers.names[row]), round(float(answers.probabilities[row].max()), 3)]
        cells += [float(answers.column(name)[row]) for name in ("redshift", "redshift_qso", "p_qso")]
        rows.append([*cells, int(answers.zwarn[row]), str(answers.reason[row])])
    columns = (
        "target", "S/N", "published z", "found", "P", "found z", "QSO finder's z", "P(QSO)", "zwarn", "unknown",
    )  # fmt: skip
    quasars = np.flatnonzero(scored.group == "QSO")
    bright = quasars[answers.column("snr")[quasars] >= 1.0]
    summary: list[list[Cell]] = []
    for name, members in (("all", quasars), ("S/N >= 1", bright)):
        error = np.abs(scored.redshift_error[members])
        finder = answers.column("redshift_qso")[members] - scored.redshift[members]
        finder_error = np.abs(finder) / (1.0 + scored.redshift[members])
        summary.append(
            [
                name,
                share("class", scored.right_group[members]),
                share("redshift", error < 0.0033),
                share("loose", error < 0.01),
                share("finder", finder_error < 0.01),
            ]
        )
    heads = ("", "called QSO", "redshift within 0.0033 (1+z)", "within 0.01 (1+z)", "QSO finder's within 0.01 (1+z)")
    text = (
        "Quasar targets with a published redshift count as quasars; the two without one are shown and not counted. "
        "DESI spectra lent the simulator the shape of their noise, nothing else."
    )
    return Section("DESI coadds", text, [Table("Summary", heads, summary), Table("Targets", columns, rows)])
