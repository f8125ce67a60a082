"""Section on what the parts of the entropy are worth: they tell wrong classes from right, strangers from the known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from classifiers.training.evaluation.answers import Answers, Floats, Scored
from classifiers.training.evaluation.binned import area_interval, area_under
from classifiers.training.evaluation.document import Cell, Number, Section, Table

PARTS = {
    "entropy": "entropy, the whole",
    "aleatoric_entropy": "aleatoric part",
    "mutual_information": "epistemic part (mutual information)",
}


def doubt(samples: Mapping[str, Scored], strangers: Mapping[str, Answers]) -> Section:
    """Return the section.

    Args:
        samples: by what to call them (real, simulated).
        strangers: answers on what no class knows, by name; told from the known objects of the first sample.
    """
    rows: list[list[Cell]] = []
    for name, scored in samples.items():
        right = scored.right[scored.labelled]
        cells = [_area(_part(scored.answers, part)[scored.labelled], right) for part in PARTS]
        rows.append([f"wrong classes, {name}", *cells])
    real = next(iter(samples.values()))
    for name, answers in strangers.items():
        cells = []
        for part in PARTS:
            values = np.concatenate([_part(real.answers, part)[real.known], _part(answers, part)])
            cells.append(_area(values, np.arange(values.size) < real.known.size))
        rows.append([name, *cells])
    text = (
        "Areas under the curve of telling the two apart by one number: 0.5 is a guess. The epistemic part is the "
        "mutual information between class and network, over the members of the ensemble; what it adds is what it has "
        "more than the whole."
    )
    return Section("What doubt is worth", text, [Table("Areas under the curve", ("", *PARTS.values()), rows)])


def _part(answers: Answers, name: str) -> Floats:
    """Return a part of the entropy; what has no class at all is in doubt beyond all measure."""
    values = answers.column(name)
    return np.where(np.isfinite(values), values, np.inf)


def _area(values: Floats, known: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Cell:
    inside, outside = values[known], values[~known]
    if not inside.size or not outside.size:
        return "-"
    area = area_under(inside, outside)
    return Number("area", area, int(outside.size), area_interval(area, outside.size, inside.size))
